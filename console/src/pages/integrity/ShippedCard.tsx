import type { Shipping } from "../../api/types";
import { waitingFor } from "../../parts/Grades";
import { Card } from "../../parts/Page";
import { Text } from "../../parts/Text";
import { Ago, At } from "../../parts/When";
import { grouped, plural } from "../../text/number";

/** The copy in an object store: where, how far, how late, and what is wrong with it. */
export function ShippedCard({ shipping }: { shipping: Shipping }) {
  const { to, shipped_size: shipped, lag_entries: lag, last_shipped_at: last, fault } = shipping;
  return (
    <Card title="Shipped" aside={shipping.stopped ? "stopped" : fault ? "failing" : "going on"}>
      <div className="stack">
        <dl className="facts">
          <dt>Where to</dt>
          <dd>
            <code>
              <Text>{to}</Text>
            </code>
          </dd>
          <dt>Up to</dt>
          <dd>
            {shipped === 0 ? "nothing yet" : `entry ${grouped(shipped - 1)}, ${plural(shipped, "entry", "entries")}`}
          </dd>
          <dt>Last shipment</dt>
          <dd>
            {last ? (
              <>
                <At time={last} />, <Ago time={last} />
              </>
            ) : (
              "none since this service started"
            )}
          </dd>
          <dt>Lost with this disk now</dt>
          <dd>{lag === 0 ? "nothing" : `${plural(lag, "entry", "entries")}${waitingFor(shipping)}`}</dd>
        </dl>
        {fault && (
          <div className="alarm" role="alert">
            <h3>
              {shipping.stopped
                ? "The copy holds another history"
                : `Shipping fails, ${plural(shipping.failures, "attempt")}`}
            </h3>
            <p>
              <Text>{fault}</Text>
            </p>
            <p>
              {shipping.stopped
                ? "Nothing is shipped any more. Find out which of the two was changed: verify both."
                : "Entries are recorded all the same, and shipping is tried again and again."}
            </p>
          </div>
        )}
        <p className="quiet small">
          Whoever may read the bucket checks the copy without this service: <code>counterfoil verify {to}</code>
        </p>
      </div>
    </Card>
  );
}
