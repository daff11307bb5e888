import { Link } from "../../parts/Link";
import { OpenEntry } from "../../parts/OpenEntry";
import { TableWrap } from "../../parts/TableWrap";
import { Text } from "../../parts/Text";
import { At } from "../../parts/When";
import { entityHref } from "../../state/router";
import { verbOf } from "../../text/sentence";
import type { SamePerson } from "./rows";

export function FourEyesTable({ found, onOpen }: { found: SamePerson[]; onOpen: (index: number) => void }) {
  return (
    <TableWrap label="Requests and approvals by the same person">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Who approved what</th>
            <th scope="col">And had asked for it</th>
            <th scope="col" className="num">
              Approval
            </th>
          </tr>
        </thead>
        <tbody>
          {found.map(({ index, timestamp, actor, eventType, entityId, request }) => (
            <tr key={index}>
              <td className="nowrap">
                <At time={timestamp} seconds={false} />
              </td>
              <td>
                <b>
                  <Text limit={80}>{actor}</Text>
                </b>{" "}
                {verbOf(eventType)}{" "}
                <Link href={entityHref(entityId)} className="thing">
                  <Text limit={80}>{entityId}</Text>
                </Link>
              </td>
              <td>
                {request ? (
                  <>
                    by <Text limit={80}>{request.eventType}</Text>, <OpenEntry index={request.index} onOpen={onOpen} />
                  </>
                ) : (
                  "the approval itself names them as the requester"
                )}
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
