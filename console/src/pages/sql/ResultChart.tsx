import { useMemo } from "react";
import { numberOf, textOf } from "../../api/entry";
import type { Answer } from "../../api/query";
import { Chart } from "../../parts/Chart";
import { Text } from "../../parts/Text";
import { Digits } from "../../text/json";
import { grouped } from "../../text/number";
import { instant } from "../../text/time";

const MOST_BARS = 40;
const MOST_LINES = 6;

function numberColumns(answer: Answer): number[] {
  return answer.columns.flatMap((_, i) => (i > 0 && answer.rows.some((row) => row[i] instanceof Digits) ? [i] : []));
}

export function chartable(answer: Answer): boolean {
  return (
    answer.rows.length > 0 &&
    answer.columns.length > 1 &&
    answer.columns.length <= MOST_LINES + 1 &&
    numberColumns(answer).length > 0
  );
}

function Lines({ answer, columns }: { answer: Answer; columns: number[] }) {
  const { times, series } = useMemo(() => {
    const rows = answer.rows
      .map((row) => ({ time: instant(textOf(row[0])).getTime() / 1000, row }))
      .filter(({ time }) => Number.isFinite(time))
      .sort((a, b) => a.time - b.time);
    return {
      times: rows.map(({ time }) => time),
      series: columns.map((column, i) => ({
        name: answer.columns[column]?.name ?? "",
        colour: `series-${(i % 8) + 1}`,
        values: rows.map(({ row }) => (row[column] instanceof Digits ? numberOf(row[column]) : null)),
      })),
    };
  }, [answer, columns]);
  return (
    <>
      <Chart
        label="The answer over time; the table has the same numbers."
        times={times}
        series={series}
        kind="lines"
        height={280}
      />
      <ul className="legend">
        {series.map(({ name, colour }) => (
          <li key={name} className="legend-item">
            <span className="swatch" style={{ background: `var(--${colour})` }} />
            <Text>{name}</Text>
          </li>
        ))}
      </ul>
    </>
  );
}

function Bars({ answer, column }: { answer: Answer; column: number }) {
  const rows = answer.rows
    .slice(0, MOST_BARS)
    .map((row, i) => ({ place: i, name: textOf(row[0]) || "–", value: row[column] }));
  const most = Math.max(...rows.map(({ value }) => numberOf(value) || 0), 1);
  return (
    <>
      <p className="quiet small">
        <Text>{answer.columns[column]?.name ?? ""}</Text>
        {answer.rows.length > MOST_BARS && `, the first ${MOST_BARS} of ${grouped(answer.rows.length)} rows`}
      </p>
      <div className="bars">
        {rows.map(({ place, name, value }) => (
          <div key={place} className="bar">
            <Text limit={60}>{name}</Text>
            <div className="bar-track" aria-hidden="true">
              <i style={{ width: `${Math.max(0, (100 * (numberOf(value) || 0)) / most)}%` }} />
            </div>
            <span className="num">{value instanceof Digits ? grouped(value.text) : "–"}</span>
          </div>
        ))}
      </div>
    </>
  );
}

/** A first column of times makes lines; anything else makes one bar a row. */
export function ResultChart({ answer }: { answer: Answer }) {
  const columns = useMemo(() => numberColumns(answer), [answer]);
  const overTime = /^timestamp|^date/i.test(answer.columns[0]?.type ?? "");
  return overTime ? <Lines answer={answer} columns={columns} /> : <Bars answer={answer} column={columns[0] ?? 1} />;
}
