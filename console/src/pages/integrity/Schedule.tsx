import type { Extent, Of, Standing } from "../../api/types";
import { TableWrap } from "../../parts/TableWrap";
import { Text } from "../../parts/Text";
import { Ago } from "../../parts/When";
import { plural } from "../../text/number";
import { lasting } from "../../text/time";

const OF: Record<Of, string> = { ledger: "Ledger", copy: "Copy", table: "Table in PostgreSQL" };
const EXTENT: Record<Extent, string> = { new: "what is new", whole: "everything", scrub: "sealed blocks, read again" };

/** What a verification is of, in words. */
export function subject({ of, extent }: { of: Of; extent: Extent }): string {
  return `${OF[of]}: ${EXTENT[extent]}`;
}

function standing(kind: Standing): { tone: string; words: string } {
  if (kind.findings) return { tone: "failed", words: plural(kind.findings, "finding") };
  if (kind.faults > 0) return { tone: "failed", words: "could not be run" };
  if (kind.late) return { tone: "failed", words: "late" };
  if (kind.running_since) return { tone: "plain", words: "running" };
  if (kind.last_at === null) return { tone: "plain", words: "not yet" };
  return { tone: "good", words: "in time" };
}

function Row({ kind }: { kind: Standing }) {
  const { tone, words } = standing(kind);
  return (
    <tr>
      <td>{subject(kind)}</td>
      <td>{kind.every_seconds > 0 ? `every ${lasting(kind.every_seconds)}` : <span className="quiet">never</span>}</td>
      <td>{kind.last_at ? <Ago time={kind.last_at} /> : <span className="quiet">never</span>}</td>
      <td>
        <span className="tag" data-tone={tone}>
          {words}
        </span>
        {kind.fault && (
          <p>
            <Text>{kind.fault}</Text>
          </p>
        )}
      </td>
    </tr>
  );
}

/** What is verified by itself, how often, and whether it is in time. */
export function Schedule({ schedule }: { schedule: Standing[] }) {
  return (
    <TableWrap label="Schedule">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Of</th>
            <th scope="col">Due</th>
            <th scope="col">Last</th>
            <th scope="col">State</th>
          </tr>
        </thead>
        <tbody>
          {schedule.map((kind) => (
            <Row key={`${kind.of} ${kind.extent}`} kind={kind} />
          ))}
        </tbody>
      </table>
    </TableWrap>
  );
}
