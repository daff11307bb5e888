import type { Alert } from "../api/alerts";
import { knownLevel, LEVEL_WORDS, STATE_WORDS } from "../text/alert";
import { Icon } from "./Icon";

const SHAPES = {
  critical: "octagon",
  high: "warn",
  medium: "diamond",
  low: "ring",
  informational: "dash",
} as const;

/** How grave, in a word, a shape and a colour. */
export function LevelTag({ level }: { level: string }) {
  const known = knownLevel(level);
  return (
    <span className="level" data-level={known}>
      <Icon name={SHAPES[known]} />
      {LEVEL_WORDS[known]}
    </span>
  );
}

const TONES = { open: undefined, acknowledged: "override", resolved: "good", false_positive: "good" } as const;

export function StateTag({ alert }: { alert: Pick<Alert, "state"> }) {
  return (
    <span className="tag" data-tone={TONES[alert.state]}>
      {STATE_WORDS[alert.state] ?? alert.state}
    </span>
  );
}

/** Raised to prove that alerts arrive; nothing has happened. */
export function DrillTag({ alert }: { alert: Pick<Alert, "drill"> }) {
  return alert.drill ? (
    <span className="tag" data-tone="agent">
      Drill
    </span>
  ) : null;
}
