import { type FullEntry, readEntry } from "../../api/entry";
import { Link } from "../../parts/Link";
import { Loading, ProblemNote } from "../../parts/Notice";
import { Part } from "../../parts/Panel";
import { useResource } from "../../state/resource";
import { grouped, plural } from "../../text/number";
import { Related } from "../trail/Related";
import { Rows } from "../trail/Rows";

const SHOWN = 10;

function allOf(indices: number[]): string {
  const sql = `SELECT * FROM audit_log WHERE index IN (${indices.join(", ")});`;
  return `/sql?${new URLSearchParams({ q: sql })}`;
}

interface CausesProps {
  indices: number[];
  opened: number | undefined;
  onOpen: (index: number) => void;
}

/** The entries at which an alert was raised, newest first, and what else happened to the newest one's entity. */
export function Causes({ indices, opened, onOpen }: CausesProps) {
  const shown = [...indices].sort((a, b) => b - a).slice(0, SHOWN);
  const causes = useResource(shown.join(), (signal) =>
    Promise.all(shown.map((index): Promise<FullEntry> => readEntry(index, signal))),
  );
  const entries = causes.data?.map(({ entry }) => entry);
  const newest = entries?.[0];
  return (
    <>
      <Part title={indices.length === 1 ? "The entry that caused it" : "The entries that caused it"}>
        {causes.problem && <ProblemNote problem={causes.problem} onRetry={causes.reload} />}
        {!entries && causes.loading && <Loading what="the entries" />}
        {entries && entries.length > 0 && (
          <Rows entries={entries} selected={undefined} opened={opened} onOpen={onOpen} />
        )}
        {indices.length === 0 && <p className="quiet">No entry: what is wrong is something that is missing.</p>}
        {indices.length > SHOWN && (
          <p className="quiet small">
            The newest {grouped(SHOWN)} of {plural(indices.length, "entry", "entries")}.{" "}
            <Link href={allOf(indices)}>All of them in SQL</Link>
          </p>
        )}
      </Part>
      {newest && (
        <Part title="Related history">
          <Related entry={newest} onOpen={onOpen} />
        </Part>
      )}
    </>
  );
}
