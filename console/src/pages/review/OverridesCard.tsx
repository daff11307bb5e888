import type { Overridden, Review } from "../../api/reviews";
import { Link } from "../../parts/Link";
import { Card } from "../../parts/Page";
import { Reason } from "../../parts/Reason";
import { TableWrap } from "../../parts/TableWrap";
import { Text } from "../../parts/Text";
import { entityHref } from "../../state/router";
import { isReason } from "../../text/alert";
import { grouped } from "../../text/number";
import { Rest, SHOWN } from "./Rest";

function Table({ label, overrides }: { label: string; overrides: Overridden[] }) {
  return (
    <TableWrap label={label}>
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
  );
}

/** Those without a reason come first. */
export function OverridesCard({ review }: { review: Review }) {
  const { day, overrides, overrides_total } = review;
  const sorted = [...overrides].sort((a, b) => Number(isReason(a.reason)) - Number(isReason(b.reason)));
  const rest = sorted.slice(SHOWN);
  return (
    <Card
      title="Overrides"
      aside={
        <>
          {overrides.length < overrides_total && `${grouped(overrides.length)} of ${grouped(overrides_total)}. `}
          <Link href={`/overrides?from=${day}&to=${day}`}>All, with what changed</Link>
        </>
      }
    >
      {overrides.length === 0 && <p className="quiet">No decision was overridden on this day.</p>}
      {overrides.length > 0 && <Table label="Overrides of the day" overrides={sorted.slice(0, SHOWN)} />}
      {rest.length > 0 && (
        <Rest count={rest.length}>
          <Table label="Other overrides of the day" overrides={rest} />
        </Rest>
      )}
    </Card>
  );
}
