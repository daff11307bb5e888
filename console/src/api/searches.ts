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
  /** It began, or waits, for more than its own interval after its time. */
  late: boolean;
}

export interface Searches {
  searches: Search[];
  /** What is wrong with those of the folder; those of the ledger hold. */
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
