import type { Rules } from "../../api/alerts";
import { textOf } from "../../api/entry";
import { wholeAnswer } from "../../api/query";
import { Code } from "../../parts/Copy";
import { Link } from "../../parts/Link";
import { Empty } from "../../parts/Notice";
import { At } from "../../parts/When";
import { useResource } from "../../state/resource";
import { grouped, plural } from "../../text/number";

const START = `counterfoil rules init rules
counterfoil serve LEDGER --rules rules`;

async function watchedSince(signal: AbortSignal): Promise<string> {
  const { rows } = await wholeAnswer(
    "SELECT min(recorded_at) AS since FROM audit_log WHERE event_type = 'ledger.rules_loaded'",
    signal,
  );
  return textOf(rows[0]?.[0]);
}

export function NoRules() {
  return (
    <Empty title="No rules watch this ledger">
      <p className="quiet">
        Rules say what a person should see: an override without a reason, a payment released by the one who asked for
        it. Write the finance rules that come with Counterfoil into a folder, and start the service with it. What they
        find stands here within a second.
      </p>
      <h3 className="spaced">Start watching</h3>
      <Code value={START} />
    </Empty>
  );
}

/** Where nothing is recorded nothing watches: what the ledger's own service found is all there is. */
export function NoneHere() {
  return (
    <Empty title="This ledger holds no such alert">
      <p className="quiet">
        It is only read here, so whether rules watch it is known at the service that records. Alerts that were raised
        there are entries, and stand here.
      </p>
    </Empty>
  );
}

export function NoAlerts({ rules, words, isAny }: { rules: Rules | null | undefined; words: string; isAny: boolean }) {
  const since = useResource("watched since", watchedSince);
  return (
    <Empty title={isAny ? "No alert has been raised" : `No alert is ${words}`}>
      <p className="quiet">
        {rules && (
          <>
            {plural(rules.loaded, "rule")} {rules.loaded === 1 ? "has" : "have"} looked at every entry
            {since.data && (
              <>
                {" "}
                since <At time={since.data} seconds={false} />
              </>
            )}
            , now up to № {grouped(Math.max(0, rules.cursor - 1))}.{" "}
          </>
        )}
        {!isAny && <Link href="/alerts?state=all">Show all alerts</Link>}
      </p>
    </Empty>
  );
}
