import type { Level } from "./alerts";
import { getJson, request } from "./client";

export const RAISES = ["never", "rows", "always"] as const;
export type Raises = (typeof RAISES)[number];

export interface NewSearch {
  sql: string;
  every_minutes: number | null;
  alert: Raises;
  level: Level;
}

/** A search that the service keeps, for everybody who reads the ledger. */
export interface Search extends NewSearch {
  name: string;
  by: string;
  changed_at: string;
  last: { at: string; rows: number; milliseconds: number; fault: string | null } | null;
  next_at: string | null;
}

export interface Searches {
  searches: Search[];
  /** Why those of before do not run. */
  fault: string | null;
}

const place = (name: string) => `/api/v1/searches/${encodeURIComponent(name)}`;

export function listSearches(signal?: AbortSignal): Promise<Searches> {
  return getJson("/api/v1/searches", signal);
}

export async function keepSearch(name: string, search: NewSearch): Promise<void> {
  await request(place(name), { method: "PUT", body: search });
}

export async function removeSearch(name: string): Promise<void> {
  await request(place(name), { method: "DELETE" });
}
