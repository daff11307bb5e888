import type { Entry } from "../../api/entry";
import { OpenEntry } from "../../parts/OpenEntry";
import { KindTag, OutcomeTag } from "../../parts/Sentence";
import { Text } from "../../parts/Text";
import { Value } from "../../parts/Value";
import { At } from "../../parts/When";
import { compareFields } from "../../text/diff";
import { plural } from "../../text/number";
import { actOf, toneOf } from "../../text/sentence";

const SHOWN = 4;
const LONGEST = 200;

function Changes({ entry }: { entry: Entry }) {
  const changes = compareFields(entry.oldValue, entry.newValue).filter(({ kind }) => kind !== "same");
  if (changes.length === 0) return null;
  return (
    <ul className="life-changes">
      {changes.slice(0, SHOWN).map((change) => (
        <li key={change.path}>
          <span className="quiet">
            <Text limit={60}>{change.path || "value"}</Text>
          </span>{" "}
          {change.before !== undefined && (
            <>
              <Value value={change.before} limit={60} /> →{" "}
            </>
          )}
          {change.after === undefined ? (
            <span className="quiet">removed</span>
          ) : (
            <Value value={change.after} limit={60} />
          )}
        </li>
      ))}
      {changes.length > SHOWN && (
        <li className="quiet">and {changes.length - SHOWN} more fields; open the entry to see them</li>
      )}
    </ul>
  );
}

export function Timeline({ entries, onOpen }: { entries: Entry[]; onOpen: (index: number) => void }) {
  const first = Math.max(0, entries.length - LONGEST);
  return (
    <ol className="life" start={first + 1}>
      {first > 0 && (
        <li className="quiet">{plural(first, "earlier event")} not shown here; the trail has all of them.</li>
      )}
      {entries.slice(first).map((entry, i) => (
        <li key={entry.index} data-tone={toneOf(entry)}>
          <div className="life-line">
            <span>
              <b>
                <Text limit={80}>{entry.actor}</Text>
              </b>{" "}
              <KindTag entry={entry} />{" "}
              {entry.onBehalfOf && (
                <span className="quiet">
                  on behalf of <Text limit={80}>{entry.onBehalfOf}</Text>{" "}
                </span>
              )}
              <Text limit={80}>{actOf(entry).replace(/ (for|on)$/, "")}</Text> <OutcomeTag entry={entry} />
            </span>
            <OpenEntry index={entry.index} onOpen={onOpen} />
          </div>
          <div className="quiet small">
            Version {first + i + 1}, <At time={entry.timestamp} />
          </div>
          <Changes entry={entry} />
          {typeof entry.reason === "string" && (
            <blockquote className="reason small">
              <Text limit={300}>{entry.reason}</Text>
            </blockquote>
          )}
        </li>
      ))}
    </ol>
  );
}
