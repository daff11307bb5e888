import type { Alert } from "./alerts";
import { getJson, request } from "./client";

export interface Signed {
  index: number;
  by: string;
  at: string;
  note: string | null;
}

export interface SignedDay extends Signed {
  day: string;
}

export interface Overridden {
  index: number;
  actor: string;
  entity_id: string;
  reason?: string | null;
}

/** What a reviewer of one day looks at. */
export interface Review {
  day: string;
  from_index: number | null;
  to_index: number | null;
  entries: number;
  by_type: { event_type: string; count: number }[];
  overrides: Overridden[];
  overrides_total: number;
  overrides_without_reason: number;
  denied: number;
  failed: number;
  alerts: Alert[];
  alerts_total: number;
  open_alerts: number;
  verifications: { index: number; verified: boolean; at: string }[];
  gaps: number;
  signed: Signed[];
}

export function readReview(day: string, signal?: AbortSignal): Promise<Review> {
  return getJson(`/api/v1/reviews/${day}`, signal);
}

export function listReviews(limit: number, signal?: AbortSignal): Promise<{ reviews: SignedDay[] }> {
  return getJson(`/api/v1/reviews?limit=${limit}`, signal);
}

/** Signs what was shown: refused when the day has grown since. */
export async function signReview(review: Review, note: string): Promise<void> {
  const body = { note: note || null, to_index: review.to_index };
  await request(`/api/v1/reviews/${review.day}`, { method: "POST", body });
}
