import type { ReactNode } from "react";
import { Icon } from "./Icon";

export type Tone = "good" | "failed" | "denied" | "none";

const ICONS = { good: "check", failed: "cross", denied: "warn", none: "dash" } as const;
const LABELS = { good: "yes", failed: "failed", denied: "attention", none: "no" } as const;

/** A line of a list of grades: how it stands, and how far the word reaches. */
export function Grade({ tone, title, children }: { tone: Tone; title: ReactNode; children?: ReactNode }) {
  return (
    <li data-tone={tone}>
      <Icon name={ICONS[tone]} label={LABELS[tone]} />
      <div>
        {title}
        {children && <p>{children}</p>}
      </div>
    </li>
  );
}
