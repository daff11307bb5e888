import { Button, SegmentedControl, TextInput } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { saveFile } from "../api/client";
import { asProblem, type Problem } from "../api/problem";
import { type Answer, download, wholeAnswer } from "../api/query";
import { Link } from "../parts/Link";
import { Empty, Loading, ProblemNote } from "../parts/Notice";
import { Page } from "../parts/Page";
import { type Resource, useResource } from "../state/resource";
import { useChangeParams, useParams } from "../state/router";
import { dayOf, isDay, shifted } from "../text/day";
import { grouped, plural } from "../text/number";
import { FourEyesTable } from "./overrides/FourEyesTable";
import { OverridesTable } from "./overrides/OverridesTable";
import { overrideOf, samePersonOf } from "./overrides/rows";
import { fourEyesSql, MOST_ROWS, overridesSql, type Range } from "./overrides/statements";
import { EntryPanel } from "./trail/EntryPanel";
import { openedIndex } from "./trail/filter";

const VIEWS = [
  { value: "overrides", label: "Overrides" },
  { value: "unexplained", label: "Without a reason" },
  { value: "four-eyes", label: "Four eyes" },
] as const;
type View = (typeof VIEWS)[number]["value"];

const LEADS: Record<View, string> = {
  overrides: "Where people decided otherwise than a model, and why.",
  unexplained: "Where people decided otherwise than a model and did not say why.",
  "four-eyes": "Where one person asked for something and then approved it.",
};

const EMPTY: Record<View, string> = {
  overrides: "Nobody overrode a decision in these days",
  unexplained: "Every override of these days says why",
  "four-eyes": "Nobody approved what they had asked for in these days",
};

const DEFAULT_DAYS = 30;
const SHOWN = 100;

function rangeOf(params: URLSearchParams, today: string): Range {
  const [from, to] = [params.get("from"), params.get("to")];
  const last = isDay(to) ? to : today;
  const first = isDay(from) ? from : shifted(last, 1 - DEFAULT_DAYS);
  return first <= last ? { from: first, to: last } : { from: last, to: first };
}

function statementOf(view: View, range: Range): string {
  return view === "four-eyes" ? fourEyesSql(range) : overridesSql(range, view === "unexplained");
}

function Bar({ view, range, children }: { view: View; range: Range; children: ReactNode }) {
  const change = useChangeParams();
  const date = (name: "from" | "to", label: string) => (
    <TextInput
      type="date"
      label={label}
      value={range[name]}
      onChange={(event) => isDay(event.currentTarget.value) && change({ ...range, [name]: event.currentTarget.value })}
    />
  );
  return (
    <search className="row override-filters" aria-label="Filter">
      <SegmentedControl
        aria-label="What to show"
        value={view}
        onChange={(value) => change({ view: value === "overrides" ? undefined : value })}
        data={VIEWS.map(({ value, label }) => ({ value, label }))}
      />
      {date("from", "From (UTC)")}
      {date("to", "To (UTC)")}
      {children}
    </search>
  );
}

function useCsv(sql: string, name: string) {
  const [problem, setProblem] = useState<Problem>();
  const [saving, setSaving] = useState(false);
  const save = async () => {
    setSaving(true);
    setProblem(undefined);
    try {
      saveFile(name, await download(sql, "text/csv", new AbortController().signal));
    } catch (error) {
      setProblem(asProblem(error));
    }
    setSaving(false);
  };
  return { save, saving, problem };
}

function Found({ view, answer, onOpen }: { view: View; answer: Resource<Answer>; onOpen: (index: number) => void }) {
  const rows = answer.data?.rows;
  if (answer.problem) return <ProblemNote problem={answer.problem} onRetry={answer.reload} />;
  if (!rows) return <Loading what="the answer" />;
  if (rows.length === 0) {
    return (
      <Empty title={EMPTY[view]}>
        <p className="quiet">
          {view === "four-eyes"
            ? "Requests are looked for as far back as the ledger goes; approvals by programs do not count. The types are those of the finance rules."
            : "An override is an event of the type manual_override, by the day on which it was recorded. "}
          {view === "overrides" && "Widen the days to see more."}
        </p>
      </Empty>
    );
  }
  return (
    <section className="card" aria-busy={answer.loading} aria-label="Answer">
      {view === "four-eyes" ? (
        <FourEyesTable found={rows.slice(0, SHOWN).map(samePersonOf)} onOpen={onOpen} />
      ) : (
        <OverridesTable overrides={rows.slice(0, SHOWN).map(overrideOf)} onOpen={onOpen} />
      )}
      {rows.length > SHOWN && (
        <p className="quiet small">
          The table shows the first {grouped(SHOWN)} of {grouped(rows.length)} rows. The CSV file contains all of them.
        </p>
      )}
    </section>
  );
}

export default function Overrides() {
  const params = useParams();
  const change = useChangeParams();
  const [today] = useState(() => dayOf(Date.now()));
  const view = VIEWS.find(({ value }) => value === params.get("view"))?.value ?? "overrides";
  const range = rangeOf(params, today);
  const sql = statementOf(view, range);
  const answer = useResource(sql, async (signal) => ({ sql, answer: await wholeAnswer(sql, signal) }));
  const csv = useCsv(sql, `${view}-${range.from}-${range.to}.csv`);
  const current = answer.data?.sql === sql ? answer.data.answer : undefined;
  const opened = openedIndex(params);
  const open = (index: number) => change({ entry: String(index) });
  const count = current?.rows.length ?? 0;
  return (
    <Page title="Overrides" lead={LEADS[view]}>
      <Bar view={view} range={range}>
        <Button variant="default" disabled={count === 0 || csv.saving} onClick={() => void csv.save()}>
          Save as CSV
        </Button>
        <Link href={`/sql?${new URLSearchParams({ q: sql })}`}>Open in SQL</Link>
      </Bar>
      {csv.problem && <ProblemNote problem={csv.problem} />}
      {count > 0 && (
        <p className="quiet small live-line" role="status">
          {count < MOST_ROWS
            ? plural(count, "row")
            : `The newest ${grouped(MOST_ROWS)} rows; narrow the days for others`}
          {current && `, over exactly ${plural(current.treeSize, "entry", "entries")}.`}
        </p>
      )}
      <Found view={view} answer={{ ...answer, data: current }} onOpen={open} />
      {opened !== undefined && <EntryPanel index={opened} onClose={() => change({ entry: undefined })} onOpen={open} />}
    </Page>
  );
}
