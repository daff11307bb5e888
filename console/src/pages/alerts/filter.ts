import { LEVELS, type Level } from "../../api/alerts";

export const STATES = [
  { value: "active", label: "Active", words: "open or acknowledged" },
  { value: "open", label: "Open", words: "open" },
  { value: "acknowledged", label: "Acknowledged", words: "acknowledged" },
  { value: "closed", label: "Closed", words: "closed" },
  { value: "all", label: "All", words: "at all" },
] as const;

export type Wanted = (typeof STATES)[number];

export function wantedState(params: URLSearchParams): Wanted {
  return STATES.find(({ value }) => value === params.get("state")) ?? STATES[0];
}

export function wantedLevel(params: URLSearchParams): Level | undefined {
  return LEVELS.find((level) => level === params.get("level"));
}

/** What the address asks for, as the API's parameters. */
export function apiParams(params: URLSearchParams): URLSearchParams {
  const api = new URLSearchParams({ state: wantedState(params).value, limit: "50" });
  const level = wantedLevel(params);
  if (level) api.set("level", level);
  const cursor = params.get("cursor");
  if (cursor) api.set("cursor", cursor);
  return api;
}
