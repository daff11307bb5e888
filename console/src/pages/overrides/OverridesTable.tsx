import { Link } from "../../parts/Link";
import { OpenEntry } from "../../parts/OpenEntry";
import { Reason } from "../../parts/Reason";
import { TableWrap } from "../../parts/TableWrap";
import { Text } from "../../parts/Text";
import { Value } from "../../parts/Value";
import { At } from "../../parts/When";
import { entityHref } from "../../state/router";
import { verbOf } from "../../text/sentence";
import type { Override } from "./rows";

const SHOWN_CHANGES = 2;

function Changes({ changes }: Pick<Override, "changes">) {
  if (changes.length === 0) return <span className="quiet">not recorded</span>;
  return (
    <>
      {changes.slice(0, SHOWN_CHANGES).map(({ path, before, after }) => (
        <div key={path}>
          {path && (
            <span className="quiet">
              <Text limit={40}>{path}</Text>{" "}
            </span>
          )}
          {before !== undefined && (
            <>
              <Value value={before} limit={60} /> →{" "}
            </>
          )}
          {after === undefined ? <span className="quiet">taken away</span> : <Value value={after} limit={60} />}
        </div>
      ))}
      {changes.length > SHOWN_CHANGES && <div className="quiet">and {changes.length - SHOWN_CHANGES} more</div>}
    </>
  );
}

export function OverridesTable({ overrides, onOpen }: { overrides: Override[]; onOpen: (index: number) => void }) {
  return (
    <TableWrap label="Overrides">
      <table className="table overrides">
        <thead>
          <tr>
            <th scope="col">Who overrode what, and when</th>
            <th scope="col">Reason</th>
            <th scope="col">What changed</th>
            <th scope="col">Model</th>
            <th scope="col" className="num">
              Entry
            </th>
          </tr>
        </thead>
        <tbody>
          {overrides.map(({ index, timestamp, actor, eventType, entityId, model, reason, changes }) => (
            <tr key={index}>
              <td className="who-cell">
                <b>
                  <Text limit={80}>{actor}</Text>
                </b>{" "}
                {verbOf(eventType)}{" "}
                <Link href={entityHref(entityId)} className="thing">
                  <Text limit={80}>{entityId}</Text>
                </Link>
                <div className="quiet">
                  <At time={timestamp} seconds={false} />
                </div>
              </td>
              <td className="reason-cell">
                <Reason text={reason} />
              </td>
              <td className="changes-cell">
                <Changes changes={changes} />
              </td>
              <td className="model-cell">
                {model ? <Text limit={80}>{model}</Text> : <span className="quiet">none named</span>}
              </td>
              <td className="num">
                <OpenEntry index={index} onOpen={onOpen} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableWrap>
  );
}
