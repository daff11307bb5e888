import type { Entry } from "../api/entry";
import { entityHref } from "../state/router";
import { actOf, kindOf, toneOf } from "../text/sentence";
import { Link } from "./Link";
import { Text } from "./Text";

export function KindTag({ entry }: { entry: Entry }) {
  const kind = kindOf(entry);
  return kind ? (
    <span className="tag" data-tone={kind}>
      {kind}
    </span>
  ) : null;
}

/** What the ledger records about alerts and reviews leads to them. */
function placeOf({ eventType, entityId }: Entry): string {
  if (eventType.startsWith("ledger.alert_")) return `/alerts?${new URLSearchParams({ state: "all", alert: entityId })}`;
  return eventType === "ledger.review_signed" ? `/review?day=${encodeURIComponent(entityId)}` : entityHref(entityId);
}

/** Who, for whom, did what to which. */
export function Sentence({ entry }: { entry: Entry }) {
  return (
    <>
      <b>
        <Text limit={80}>{entry.actor}</Text>
      </b>{" "}
      <KindTag entry={entry} />{" "}
      {entry.onBehalfOf && (
        <span className="quiet">
          on behalf of <Text limit={80}>{entry.onBehalfOf}</Text>{" "}
        </span>
      )}
      <Text limit={80}>{actOf(entry)}</Text>{" "}
      <Link href={placeOf(entry)} className="thing" onClick={(event) => event.stopPropagation()}>
        <Text limit={80}>{entry.entityId}</Text>
      </Link>
    </>
  );
}

const WORDS = { denied: "Denied", failed: "Failed", override: "Override" } as const;

export function OutcomeTag({ entry }: { entry: Entry }) {
  const tone = toneOf(entry);
  if (tone === "quiet") return null;
  return (
    <span className="tag" data-tone={tone}>
      {WORDS[tone]}
    </span>
  );
}
