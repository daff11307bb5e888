import type { Source } from "../api/types";
import { grouped, plural } from "../text/number";
import { lasting } from "../text/time";
import { TableWrap } from "./TableWrap";
import { Text } from "./Text";
import { Ago } from "./When";

const SILENT = 24 * 3600;
const SHOWN_GAPS = 3;

function gapText([first, last]: [number, number]): string {
  return first === last ? grouped(first) : `${grouped(first)}–${grouped(last)}`;
}

function State({ source }: { source: Source }) {
  const missing = source.gaps.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  const seconds = source.silent_seconds ?? 0;
  const silent = seconds > SILENT;
  if (missing === 0 && !silent) return <span className="quiet">no gap</span>;
  return (
    <>
      {missing > 0 && (
        <>
          <span className="tag" data-tone="failed">
            {plural(missing, "number")} missing
          </span>{" "}
          <span className="quiet">
            {source.gaps.slice(0, SHOWN_GAPS).map(gapText).join(", ")}
            {source.gaps.length > SHOWN_GAPS && ` and ${plural(source.gaps.length - SHOWN_GAPS, "more gap")}`}
          </span>{" "}
        </>
      )}
      {silent && (
        <span className="tag" data-tone="denied">
          silent for {lasting(seconds)}
        </span>
      )}
    </>
  );
}

function urgency(source: Source): number {
  return (source.gaps.length > 0 ? 2 : 0) + ((source.silent_seconds ?? 0) > SILENT ? 1 : 0);
}

export function SourcesTable({ sources }: { sources: Source[] }) {
  if (sources.length === 0) {
    return (
      <p className="quiet">
        No program numbers its events yet. With <code>source</code> and <code>sequence</code> in each event, a missing
        one is noticed here.
      </p>
    );
  }
  const sorted = [...sources].sort(
    (a, b) => urgency(b) - urgency(a) || (b.silent_seconds ?? 0) - (a.silent_seconds ?? 0),
  );
  return (
    <TableWrap label="Sources">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Source</th>
            <th scope="col">State</th>
            <th scope="col" className="num">
              Last number
            </th>
            <th scope="col" className="num">
              Last heard
            </th>
          </tr>
        </thead>
        <tbody>
          {sorted.map((source) => (
            <tr key={`${source.recorder}\n${source.source}`}>
              <td>
                <Text limit={60}>{source.source}</Text>
                {source.recorder !== null && (
                  <div className="quiet">
                    through <Text limit={60}>{source.recorder}</Text>
                  </div>
                )}
              </td>
              <td>
                <State source={source} />
              </td>
              <td className="num">{grouped(source.last)}</td>
              <td className="num">
                {source.last_recorded_at ? (
                  <Ago time={source.last_recorded_at} />
                ) : (
                  <span className="quiet">not known</span>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableWrap>
  );
}
