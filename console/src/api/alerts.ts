import { getJson, request } from "./client";

export const LEVELS = ["critical", "high", "medium", "low", "informational"] as const;
export type Level = (typeof LEVELS)[number];

export type AlertState = "open" | "acknowledged" | "resolved" | "false_positive";

export interface Alert {
  id: string;
  index: number;
  raised_at: string;
  rule_id: string;
  title: string;
  level: Level;
  author: string | null;
  description: string | null;
  references: string[];
  tags: string[];
  indices: number[];
  group: { field: string; value: string }[];
  value: number | null;
  why: string | null;
  drill: boolean;
  state: AlertState;
  state_by: string | null;
  state_at: string | null;
  state_reason: string | null;
}

export interface StateChange {
  index: number;
  state: AlertState;
  by: string;
  at: string;
  reason: string | null;
}

export interface FullAlert extends Alert {
  history: StateChange[];
}

export interface AlertPage {
  alerts: Alert[];
  next_cursor: string | null;
  /** Why some may be missing. */
  unread: string | null;
  tree_size: number;
}

export interface Skipped {
  file: string;
  /** From 1; 0 is the file itself. */
  document: number;
  reason: string;
}

export interface Rules {
  folder: string;
  loaded: number;
  skipped: Skipped[];
  cursor: number;
  behind: number;
  fault: string | null;
}

export interface Sink {
  name: string;
  type: string;
  address: string;
  last_success: string | null;
  last_answer: string | null;
  failing_since: string | null;
  last_error: string | null;
  failures: number;
  dead_letters: number;
  waiting: number;
  behind: number;
}

export interface Condition {
  id: string;
  title: string;
  level: Level;
  since: string;
  reason: string;
}

export interface Watching {
  rules: Rules | null;
  sinks: Sink[];
  conditions: Condition[];
  /** Null: they cannot be read. */
  open_alerts: number | null;
}

export function listAlerts(params: URLSearchParams, signal?: AbortSignal): Promise<AlertPage> {
  return getJson(`/api/v1/alerts?${params}`, signal);
}

export function readAlert(id: string, signal?: AbortSignal): Promise<FullAlert> {
  return getJson(`/api/v1/alerts/${encodeURIComponent(id)}`, signal);
}

export async function decideAlert(id: string, state: AlertState, reason: string): Promise<void> {
  const body = reason ? { state, reason } : { state };
  await request(`/api/v1/alerts/${encodeURIComponent(id)}/state`, { method: "POST", body });
}

export function readWatching(signal?: AbortSignal): Promise<Watching> {
  return getJson("/api/v1/watch", signal);
}
