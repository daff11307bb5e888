import { type Alert, type AlertState, LEVELS, type Level } from "../api/alerts";

export const LEVEL_WORDS: Record<Level, string> = {
  critical: "Critical",
  high: "High",
  medium: "Medium",
  low: "Low",
  informational: "For information",
};

export const STATE_WORDS: Record<AlertState, string> = {
  open: "Open",
  acknowledged: "Acknowledged",
  resolved: "Resolved",
  false_positive: "False positive",
};

/** A level that nobody knows is taken for the gravest: it is not overlooked then. */
export function knownLevel(level: string): Level {
  return LEVELS.find((known) => known === level) ?? "critical";
}

export function levelTone(level: Level): "failed" | "denied" | "quiet" {
  if (level === "critical" || level === "high") return "failed";
  return level === "medium" ? "denied" : "quiet";
}

/** 0 is the gravest. */
export function rankOf(level: string): number {
  return LEVELS.indexOf(knownLevel(level));
}

/** What is not closed first, then the gravest; among equals the order stays. */
export function bySeriousness(alerts: Alert[]): Alert[] {
  const isClosed = ({ state }: Alert) => state === "resolved" || state === "false_positive";
  const rank = (alert: Alert) => (isClosed(alert) ? LEVELS.length : 0) + rankOf(alert.level);
  return [...alerts].sort((a, b) => rank(a) - rank(b));
}

const JOINED: Record<string, string> = {
  actor: "by",
  entity_id: "on",
  on_behalf_of: "on behalf of",
  source: "from",
  recorder: "through",
  trace_id: "in the trace",
};

/** The word that leads from an alert's title to what its entries have in common. */
export function joinedBy(field: string): string {
  return JOINED[field] ?? `${field.replace(/^context\./, "").replaceAll("_", " ")}`;
}

/** What a rule looks for, without the why that its description goes on with. */
export function firstSentence(text: string): string {
  return /^.*?[.!?](?=\s|$)/s.exec(text)?.[0] ?? text;
}

/** Rules come from elsewhere: only what is plainly an address of the web becomes a link. */
export function webAddress(text: string): string | undefined {
  if (!/^https?:\/\/[^\s\\]+$/i.test(text)) return undefined;
  try {
    const url = new URL(text);
    return url.username || url.password ? undefined : url.href;
  } catch {
    return undefined;
  }
}

/** As the rule "Manual override without a reason" has it: a dash or a dot is none. */
export function isReason(text: string | null | undefined): boolean {
  return (text?.match(/[\p{L}\p{N}_]/gu)?.length ?? 0) >= 3;
}
