import type { Alert } from "../../api/alerts";
import type { Review } from "../../api/reviews";
import { Link } from "../../parts/Link";
import { Card } from "../../parts/Page";
import { TableWrap } from "../../parts/TableWrap";
import { Text } from "../../parts/Text";
import { At } from "../../parts/When";
import { bySeriousness } from "../../text/alert";
import { instantsOf } from "../../text/day";
import { grouped, plural } from "../../text/number";
import { AlertRows } from "../alerts/Rows";
import { OverridesCard } from "./OverridesCard";
import { Rest, SHOWN } from "./Rest";
import { SignOff } from "./SignOff";

/** The trail shows when things happened; a day of the review is what was recorded then, so its entries are asked for in SQL. */
function entriesOf(day: string, condition = ""): string {
  const { from, to } = instantsOf(day);
  const sql = `SELECT index, timestamp, actor, event_type, entity_id, outcome, reason
FROM audit_log
WHERE recorded_at >= '${from}' AND recorded_at < '${to}'${condition && ` AND ${condition}`};`;
  return `/sql?${new URLSearchParams({ q: sql })}`;
}

function Figures({ review }: { review: Review }) {
  const { day, entries, overrides_total, alerts_total, open_alerts } = review;
  const overridesHref = `/overrides?from=${day}&to=${day}`;
  const figures = [
    { count: entries, words: entries === 1 ? "entry" : "entries", tone: "quiet", href: entriesOf(day) },
    {
      count: overrides_total,
      words: overrides_total === 1 ? "override" : "overrides",
      tone: "override",
      href: overridesHref,
    },
    {
      count: review.overrides_without_reason,
      words: "without a reason",
      tone: "failed",
      href: `${overridesHref}&view=unexplained`,
    },
    { count: review.denied, words: "denied", tone: "denied", href: entriesOf(day, "outcome = 'denied'") },
    { count: review.failed, words: "failed", tone: "failed", href: entriesOf(day, "outcome = 'failure'") },
    {
      count: alerts_total,
      words: alerts_total === 1 ? "alert raised" : "alerts raised",
      tone: "denied",
      href: "/alerts?state=all",
    },
    {
      count: open_alerts,
      words: open_alerts === 1 ? "alert not closed now" : "alerts not closed now",
      tone: "failed",
      href: "/alerts",
    },
    {
      count: review.gaps,
      words: review.gaps === 1 ? "sequence number missing now" : "sequence numbers missing now",
      tone: "failed",
      href: "/",
    },
  ];
  return (
    <div className="figures figures-eight">
      {figures.map(({ count, words, tone, href }) => (
        <Link key={words} href={href} className="figure" data-tone={count > 0 ? tone : "quiet"}>
          <b>{grouped(count)}</b>
          <span>{words}</span>
        </Link>
      ))}
    </div>
  );
}

/** A text of SQL; a quote within it is doubled. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function ByType({ review }: { review: Review }) {
  return (
    <Card title="By type" aside={plural(review.by_type.length, "type")}>
      {review.by_type.length === 0 && <p className="quiet">Nothing was recorded on this day.</p>}
      {review.by_type.length > 0 && (
        <TableWrap label="Entries by type" className="by-type">
          <table className="table">
            <thead>
              <tr>
                <th scope="col">Event type</th>
                <th scope="col" className="num">
                  Entries
                </th>
              </tr>
            </thead>
            <tbody>
              {review.by_type.map(({ event_type, count }) => (
                <tr key={event_type}>
                  <td>
                    <Link href={entriesOf(review.day, `event_type = ${quoted(event_type)}`)}>
                      <Text limit={80}>{event_type}</Text>
                    </Link>
                  </td>
                  <td className="num">{grouped(count)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableWrap>
      )}
    </Card>
  );
}

function Verifications({ review }: { review: Review }) {
  return (
    <Card title="Verifications" aside={<Link href="/integrity">Integrity</Link>}>
      {review.verifications.length === 0 && (
        <p className="quiet">None ran on this day. One reads every byte and recomputes every hash and signature.</p>
      )}
      <ul className="changes">
        {review.verifications.map(({ index, verified, at }) => (
          <li key={index}>
            <span>
              <span className="tag" data-tone={verified ? "good" : "failed"}>
                {verified ? "verified" : "not verified"}
              </span>{" "}
              <At time={at} />
            </span>
            <Link href={`/trail?entry=${index}`}>№ {grouped(index)}</Link>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function hrefOf({ id }: Alert): string {
  return `/alerts?${new URLSearchParams({ state: "all", alert: id })}`;
}

function RaisedAlerts({ review }: { review: Review }) {
  const { alerts_total } = review;
  const alerts = bySeriousness(review.alerts);
  const rest = alerts.slice(SHOWN);
  return (
    <section className="stack raised">
      <h2>Alerts of the day</h2>
      {alerts.length === 0 && <p className="quiet">None was raised.</p>}
      {alerts.length > 0 && (
        <AlertRows label="Alerts of the day, gravest first" alerts={alerts.slice(0, SHOWN)} hrefOf={hrefOf} />
      )}
      {rest.length > 0 && (
        <Rest count={rest.length}>
          <AlertRows label="Other alerts of the day" alerts={rest} hrefOf={hrefOf} />
        </Rest>
      )}
      {alerts.length < alerts_total && (
        <p className="quiet small">
          Of {plural(alerts_total, "alert")}, the newest {grouped(alerts.length)} are listed.
        </p>
      )}
    </section>
  );
}

/** Everything a reviewer of a day looks at, in the order in which it is best looked at, and the signature under it. */
export function Day({ review, onSigned }: { review: Review; onSigned: () => void }) {
  return (
    <>
      <Figures review={review} />
      <RaisedAlerts review={review} />
      <OverridesCard review={review} />
      <div className="grid">
        <ByType review={review} />
        <Verifications review={review} />
      </div>
      <SignOff review={review} onSigned={onSigned} />
    </>
  );
}
