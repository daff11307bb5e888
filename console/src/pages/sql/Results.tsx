import { SegmentedControl } from "@mantine/core";
import { useMemo, useState } from "react";
import type { Answer } from "../../api/query";
import { Link } from "../../parts/Link";
import { ProblemNote } from "../../parts/Notice";
import { TableWrap } from "../../parts/TableWrap";
import { Text } from "../../parts/Text";
import { Value } from "../../parts/Value";
import { At } from "../../parts/When";
import { entityHref } from "../../state/router";
import { Digits, type Json } from "../../text/json";
import { grouped, plural } from "../../text/number";
import { chartable, ResultChart } from "./ResultChart";

const SHOWN = 500;
const CELL = 160;

function isTime(type: string): boolean {
  return /^timestamp/i.test(type);
}

function Cell({ column, value }: { column: Answer["columns"][number]; value: Json | undefined }) {
  if (value === null || value === undefined) return <span className="quiet">–</span>;
  if (column.name === "index" && value instanceof Digits)
    return <Link href={`/trail?entry=${value.text}`}>{grouped(value.text)}</Link>;
  if (column.name === "entity_id" && typeof value === "string") {
    return (
      <Link href={entityHref(value)}>
        <Text limit={CELL}>{value}</Text>
      </Link>
    );
  }
  if (isTime(column.type) && typeof value === "string") return <At time={value} />;
  return <Value value={value} limit={CELL} />;
}

function Rows({ answer }: { answer: Answer }) {
  const isNumber = answer.columns.map((_, i) => answer.rows.slice(0, 20).some((row) => row[i] instanceof Digits));
  return (
    <TableWrap label="Rows of the answer" className="results">
      <table className="table">
        <thead>
          <tr>
            {answer.columns.map((column, i) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: columns may have the same name
              <th key={i} scope="col" className={isNumber[i] ? "num" : undefined} title={column.type}>
                <Text limit={60}>{column.name}</Text>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {answer.rows.slice(0, SHOWN).map((row, r) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows have no other identity
            <tr key={r}>
              {answer.columns.map((column, i) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: columns may have the same name
                <td key={i} className={isNumber[i] ? "num" : undefined}>
                  <Cell column={column} value={row[i]} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </TableWrap>
  );
}

function Incomplete({ answer }: { answer: Answer }) {
  if (answer.complete) return null;
  return (
    <div className="stack">
      <div className="note" data-tone="failed" role="alert">
        <strong>This answer is not complete.</strong>
        <p>
          {answer.cut
            ? `It is longer than the console reads; the first ${plural(answer.rows.length, "row")} are kept. Export it as CSV or Parquet to have all of it.`
            : "The rows below were found before the query stopped; there may be more. Do not draw conclusions from what is missing."}
        </p>
      </div>
      {answer.problem && <ProblemNote problem={answer.problem} />}
    </div>
  );
}

export function Results({ answer, seconds }: { answer: Answer; seconds: number }) {
  const [form, setForm] = useState("table");
  const canChart = useMemo(() => chartable(answer), [answer]);
  const asChart = form === "chart" && canChart;
  return (
    <section className="card stack" aria-label="Answer">
      <div className="row spread">
        <p role="status">
          <b>{plural(answer.rows.length, "row")}</b>{" "}
          <span className="quiet">
            in {seconds.toFixed(2)} s, over exactly {plural(answer.treeSize, "entry", "entries")}
          </span>
        </p>
        {canChart && (
          <SegmentedControl
            size="xs"
            aria-label="Show the answer as"
            value={form}
            onChange={setForm}
            data={[
              { value: "table", label: "Table" },
              { value: "chart", label: "Chart" },
            ]}
          />
        )}
      </div>
      <Incomplete answer={answer} />
      {answer.rows.length === 0 && answer.complete && <p className="quiet">No row answers this question.</p>}
      {asChart && <ResultChart answer={answer} />}
      {!asChart && answer.rows.length > 0 && <Rows answer={answer} />}
      {!asChart && answer.rows.length > SHOWN && (
        <p className="quiet small">
          The table shows the first {grouped(SHOWN)} of {grouped(answer.rows.length)} rows. Exports contain all of them.
        </p>
      )}
    </section>
  );
}
