import { type Entry, textOf } from "../api/entry";
import type { JsonObject } from "./json";

const IRREGULAR: Record<string, string> = {
  manual_override: "overrode the decision on",
  "ledger.created": "created the ledger",
  "ledger.opened": "opened the ledger",
  "ledger.key_registered": "registered the key",
  "ledger.key_rotated": "replaced the signing key of",
  "ledger.key_revoked": "revoked the key",
  "ledger.sealed": "sealed",
  "ledger.reindexed": "rebuilt the indexes of",
  "ledger.torn_write": "cut off a write that was never acknowledged in",
  "ledger.shipped": "copied elsewhere:",
  "ledger.verified": "verified the ledger",
  "ledger.alert_raised": "raised the alert",
  "ledger.alert_acknowledged": "took charge of the alert",
  "ledger.alert_resolved": "resolved the alert",
  "ledger.alert_reopened": "opened again the alert",
  "ledger.watched": "noted how far came the",
  "ledger.delivered": "noted what was delivered to the sink",
  "ledger.rules_loaded": "put into force the",
  "ledger.review_signed": "signed the review of",
  "ledger.search_saved": "saved the search",
  "ledger.search_removed": "removed the saved search",
  "ledger.search_run": "ran the saved search",
  "ledger.service_started": "started the service of",
  "ledger.service_stopped": "ended the service of",
  "ledger.token_created": "made a token for",
  "ledger.token_revoked": "revoked the token of",
  "ledger.access_denied": "was denied access:",
  "ledger.query_run": "ran a query on",
  "ledger.export_made": "exported entries of",
  "ledger.hold_placed": "placed a legal hold on",
  "ledger.hold_released": "released the legal hold on",
  "ledger.pruned": "let go of segments on the disk that the copy holds, of",
  "ledger.subject_erased": "destroyed the key of the sealed data of",
  "ledger.restored": "restored the ledger",
  "ledger.drilled": "drilled",
};

const PARTICIPLES = new Set([
  "sent",
  "paid",
  "made",
  "held",
  "set",
  "read",
  "run",
  "built",
  "given",
  "taken",
  "withdrawn",
]);
const PAST: Record<string, string> = { given: "gave", taken: "took", withdrawn: "withdrew" };

function isParticiple(word: string): boolean {
  return PARTICIPLES.has(word) || (word.length > 3 && word.endsWith("ed"));
}

/** Whether a type has words of its own. */
export function isWorded(eventType: string): boolean {
  return Object.hasOwn(IRREGULAR, eventType);
}

/** `invoice_approved` becomes "approved invoice"; what does not end in a participle is "recorded …" and keeps its words. */
export function verbOf(eventType: string): string {
  const known = IRREGULAR[eventType];
  if (known) return known;
  const words = eventType.split(/[._\-\s/]+/).filter(Boolean);
  const last = words.at(-1)?.toLowerCase() ?? "";
  if (words.length > 1 && isParticiple(last)) return `${PAST[last] ?? last} ${words.slice(0, -1).join(" ")}`;
  return words.length === 1 && isParticiple(last)
    ? (PAST[last] ?? last)
    : `recorded ${words.join(" ") || eventType} for`;
}

/** What a verification looked at: the ledger, its copy, or the table in PostgreSQL. */
const SUBJECTS: Record<string, string> = {
  ledger: "the ledger",
  copy: "the copy of",
  table: "the table in PostgreSQL of",
};
const EXTENTS: Record<string, string> = { new: "what was new in ", scrub: "old parts of " };

function verified(context: JsonObject): string {
  const told = (name: string) => textOf(context.get(name));
  const subject = SUBJECTS[told("of")] ?? "the ledger";
  const what = `${EXTENTS[told("extent")] ?? ""}${subject}`;
  if (context.get("verified") === true) return `verified ${what}`;
  return told("fault") ? `could not verify ${what}` : `found something wrong in ${what}`;
}

/** What somebody did, by the entry's type and, of a verification, by what was verified. */
export function actOf({ eventType, context }: Entry): string {
  return eventType === "ledger.verified" && context ? verified(context) : verbOf(eventType);
}

const KINDS = { user: "human", service: "system", ai_agent: "agent" } as const;

export function kindOf(entry: Entry): "human" | "system" | "agent" | undefined {
  return entry.actorType ? KINDS[entry.actorType] : undefined;
}

export function isOverride(entry: Entry): boolean {
  return entry.eventType === "manual_override";
}

export type Tone = "denied" | "failed" | "override" | "quiet";

export function toneOf(entry: Entry): Tone {
  if (entry.outcome === "denied") return "denied";
  if (entry.outcome === "failure") return "failed";
  return isOverride(entry) ? "override" : "quiet";
}

export function isApproval(entry: Entry): boolean {
  return (
    /approv|releas|authori[sz]|sign(ed)?_?off|accept/.test(entry.eventType) &&
    entry.outcome !== "denied" &&
    entry.outcome !== "failure"
  );
}
