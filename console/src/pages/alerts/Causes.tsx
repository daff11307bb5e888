import { type Entry, readEntry } from "../../api/entry";
import { Link } from "../../parts/Link";
import { Loading, ProblemNote } from "../../parts/Notice";
import { Part } from "../../parts/Panel";
import { type Resource, useResource } from "../../state/resource";
import { grouped, plural } from "../../text/number";
import { Rows } from "../trail/Rows";

const SHOWN = 5;

function allOf(indices: number[]): string {
  const sql = `SELECT * FROM audit_log WHERE index IN (${indices.join(", ")});`;
  return `/sql?${new URLSearchParams({ q: sql })}`;
}

/** The newest of the entries at which an alert was raised, newest first. */
export function useCauses(indices: number[]): Resource<Entry[]> {
  const shown = [...indices].sort((a, b) => b - a).slice(0, SHOWN);
  return useResource(shown.join(), async (signal) => {
    const found = await Promise.all(shown.map((index) => readEntry(index, signal)));
    return found.map(({ entry }) => entry);
  });
}

interface CausesProps {
  indices: number[];
  causes: Resource<Entry[]>;
  opened: number | undefined;
  onOpen: (index: number) => void;
  /** Raised by a saved search, which may tell rows that are no entries. */
  bySearch: boolean;
}

export function Causes({ indices, causes, opened, onOpen, bySearch }: CausesProps) {
  return (
    <Part title={indices.length === 1 ? "The entry that caused it" : "The entries that caused it"}>
      {causes.problem && <ProblemNote problem={causes.problem} onRetry={causes.reload} />}
      {!causes.data && causes.loading && <Loading what="the entries" />}
      {causes.data && causes.data.length > 0 && (
        <Rows entries={causes.data} selected={undefined} opened={opened} onOpen={onOpen} />
      )}
      {indices.length === 0 && bySearch && (
        <p className="quiet">
          The search names no entries: it would, if it selected <code>index</code>. It stands on the page{" "}
          <Link href="/sql">SQL</Link>.
        </p>
      )}
      {indices.length === 0 && !bySearch && (
        <p className="quiet">No entry: what is wrong is something that is missing.</p>
      )}
      {indices.length > SHOWN && (
        <p className="quiet small">
          The newest {grouped(SHOWN)} of {plural(indices.length, "entry", "entries")}.{" "}
          <Link href={allOf(indices)}>All of them in SQL</Link>
        </p>
      )}
    </Part>
  );
}
