import { isAlarming, isVerified } from "../proof/examine";
import { useWatch } from "../state/ledger";
import { grouped } from "../text/number";
import { Link } from "./Link";
import { Ago } from "./When";

/** The state of the ledger's evidence in one small box, on every page. */
export function SealNote() {
  const { look, problem } = useWatch();
  if (problem) {
    return (
      <Link href="/integrity" className="seal" data-tone="unsure">
        <strong>Not checked</strong>
        <span className="quiet">See Integrity for the reason</span>
      </Link>
    );
  }
  if (!look) {
    return (
      <div className="seal" data-tone="unsure">
        <strong>Checking …</strong>
        <span className="quiet">in your browser</span>
      </div>
    );
  }
  const tone = isAlarming(look) ? "alarm" : isVerified(look) ? "good" : "unsure";
  const words = { alarm: "Check failed", good: "Checked here", unsure: "Signature not checked" }[tone];
  return (
    <Link href="/integrity" className="seal" data-tone={tone}>
      <strong>{words}</strong>
      <span className="quiet">
        {grouped(look.checkpoint.size)} entries, <Ago time={look.at} />
      </span>
    </Link>
  );
}
