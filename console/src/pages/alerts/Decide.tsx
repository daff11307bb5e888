import { Button, Textarea } from "@mantine/core";
import { useRef, useState } from "react";
import { type Alert, type AlertState, decideAlert } from "../../api/alerts";
import { asProblem, type Problem } from "../../api/problem";
import { ProblemNote } from "../../parts/Notice";
import { useMayReview, useReadOnly } from "../../state/ledger";

const MOST = 2000;

const CHOICES: { state: AlertState; label: string; from: AlertState[] }[] = [
  { state: "acknowledged", label: "Acknowledge", from: ["open"] },
  { state: "resolved", label: "Resolve", from: ["open", "acknowledged"] },
  { state: "false_positive", label: "False positive", from: ["open", "acknowledged"] },
  { state: "open", label: "Open again", from: ["acknowledged", "resolved", "false_positive"] },
];

/** What a reviewer decides; it is an entry of the ledger, with the reviewer's name. */
export function Decide({ alert, onDecided }: { alert: Alert; onDecided: () => void }) {
  const [reason, setReason] = useState("");
  const [missing, setMissing] = useState(false);
  const [deciding, setDeciding] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const box = useRef<HTMLDivElement>(null);
  const mayReview = useMayReview();
  const readOnly = useReadOnly();
  if (readOnly) {
    return <p className="quiet small">Only read here: alerts are decided at the service that records.</p>;
  }
  if (!mayReview) {
    return <p className="quiet small">Reviewers and administrators decide what becomes of an alert.</p>;
  }
  const decide = async (state: AlertState) => {
    const said = reason.trim();
    if (said === "" && state !== "acknowledged") {
      setMissing(true);
      return;
    }
    setMissing(false);
    setProblem(undefined);
    setDeciding(true);
    try {
      await decideAlert(alert.id, state, said);
      setReason("");
    } catch (error) {
      setProblem(asProblem(error));
    }
    setDeciding(false);
    // The button that was pressed may be gone.
    box.current?.focus({ preventScroll: true });
    onDecided();
  };
  return (
    <div className="stack decide" ref={box} tabIndex={-1}>
      <Textarea
        label="Reason"
        description={
          alert.state === "open"
            ? "What you found out. It is recorded with your name; only acknowledging may go without."
            : "What you found out. It is recorded with your name."
        }
        error={missing && "Say why. Whoever reads the trail later has only this."}
        autosize={false}
        rows={3}
        maxLength={MOST}
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
      {problem && <ProblemNote problem={problem} />}
      <div className="row">
        {CHOICES.filter(({ from }) => from.includes(alert.state)).map(({ state, label }, i) => (
          <Button
            key={state}
            variant={i === 0 && state !== "open" ? "filled" : "default"}
            disabled={deciding}
            onClick={() => void decide(state)}
          >
            {label}
          </Button>
        ))}
      </div>
    </div>
  );
}
