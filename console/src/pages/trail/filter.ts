import type { Entry } from "../../api/entry";
import { writeJson } from "../../text/json";
import { instant } from "../../text/time";

export const FILTER_NAMES = ["event_type", "actor", "actor_type", "entity_id", "outcome", "trace_id"] as const;

export const PRESETS = [
  { value: "1h", label: "Last hour", hours: 1 },
  { value: "24h", label: "Last 24 hours", hours: 24 },
  { value: "7d", label: "Last 7 days", hours: 168 },
  { value: "30d", label: "Last 30 days", hours: 720 },
];

export function hasFilter(params: URLSearchParams): boolean {
  return [...FILTER_NAMES, "q", "from", "to", "since"].some((name) => params.has(name));
}

/** The entry that the address opens. */
export function openedIndex(params: URLSearchParams): number | undefined {
  const text = params.get("entry");
  return text && /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}

/** What the address asks for, as the API's parameters; a preset counts back from `now`. */
export function apiParams(params: URLSearchParams, now: number): URLSearchParams {
  const api = new URLSearchParams({ limit: "50" });
  for (const name of [...FILTER_NAMES, "q", "from", "to", "cursor"]) {
    for (const value of params.getAll(name)) api.append(name, value);
  }
  const preset = PRESETS.find(({ value }) => value === params.get("since"));
  if (preset) {
    const minute = 60_000;
    api.set("from", new Date(Math.floor(now / minute) * minute - preset.hours * 3_600_000).toISOString());
    api.delete("to");
  }
  return api;
}

/** The same filter, for entries that arrive live. */
export function matches(entry: Entry, api: URLSearchParams): boolean {
  const time = instant(entry.timestamp).getTime();
  const [from, to, text] = [api.get("from"), api.get("to"), api.get("q")];
  if (from && time < instant(from).getTime()) return false;
  if (to && time >= instant(to).getTime()) return false;
  if (text && !writeJson(entry.members).toLowerCase().includes(text.toLowerCase())) return false;
  return FILTER_NAMES.every((name) => {
    const wanted = api.getAll(name);
    const value = entry.members.get(name);
    return wanted.length === 0 || (typeof value === "string" && wanted.includes(value));
  });
}
