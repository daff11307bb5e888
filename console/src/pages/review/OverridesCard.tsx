import type { Review } from "../../api/reviews";
import { Link } from "../../parts/Link";
import { Card } from "../../parts/Page";
import { Reason } from "../../parts/Reason";
import { TableWrap } from "../../parts/TableWrap";
import { Text } from "../../parts/Text";
import { entityHref } from "../../state/router";
import { grouped } from "../../text/number";

export function OverridesCard({ review }: { review: Review }) {
  const { day, overrides, overrides_total } = review;
  return (
    <Card
      title="Overrides"
      aside={
        overrides.length < overrides_total ? (
          <>
            {grouped(overrides.length)} of {grouped(overrides_total)}.{" "}
            <Link href={`/overrides?from=${day}&to=${day}`}>All</Link>
          </>
        ) : (
          <Link href={`/overrides?from=${day}&to=${day}`}>With what changed</Link>
        )
      }
    >
      {overrides.length === 0 && <p className="quiet">No decision was overridden on this day.</p>}
      {overrides.length > 0 && (
        <TableWrap label="Overrides of the day">
          <table className="table overrides">
            <thead>
              <tr>
                <th scope="col">Entry</th>
                <th scope="col">Who</th>
                <th scope="col">On</th>
                <th scope="col">Reason</th>
              </tr>
            </thead>
            <tbody>
              {overrides.map(({ index, actor, entity_id, reason }) => (
                <tr key={index}>
                  <td className="nowrap">
                    <Link href={`/trail?entry=${index}`}>№ {grouped(index)}</Link>
                  </td>
                  <td>
                    <Text limit={80}>{actor}</Text>
                  </td>
                  <td className="model-cell">
                    <Link href={entityHref(entity_id)}>
                      <Text limit={80}>{entity_id}</Text>
                    </Link>
                  </td>
                  <td className="reason-cell">
                    <Reason text={reason} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableWrap>
      )}
    </Card>
  );
}
