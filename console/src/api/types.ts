export type Role = "writer" | "reader" | "auditor" | "reviewer" | "admin";

export interface Session {
  name: string;
  role: Role;
  expires_at: string | null;
  /** Nothing is recorded through this service, whatever the role. */
  read_only: boolean;
}

export interface Shipping {
  to: string;
  shipped_size: number;
  lag_entries: number;
  lag_seconds: number;
  last_shipped_at: string | null;
  failures: number;
  fault: string | null;
  stopped: boolean;
  objects: number;
  bytes: number;
}

/** What was pruned from the service's disk. */
export interface OnlyInCopy {
  place: string;
  segments: number;
  entries: number;
  bytes: number;
}

/** The Iceberg table of the copy. */
export interface Lake {
  to: string;
  entries: number;
  lag_entries: number;
  failures: number;
  fault: string | null;
}

export interface Status {
  origin: string;
  verifier_key: string;
  tree_size: number;
  root_hash: string;
  sealed_size: number;
  segment_span: number;
  segments: { first: number; count: number; file: string }[];
  checkpoint: string;
  fault: string | null;
  read_from: string | null;
  shipping: Shipping | null;
  only_in_copy: OnlyInCopy | null;
  lake: Lake | null;
  version: string;
  started_at: string;
}

export interface Source {
  recorder: string | null;
  source: string;
  last: number;
  gaps: [number, number][];
  last_recorded_at: string | null;
  silent_seconds: number | null;
}

export interface Finding {
  kind: string;
  class: string;
  file: string | null;
  offset: number | null;
  index: number | null;
  message: string;
}

export interface Run {
  of: Of;
  extent: Extent;
  runs: number;
  started_at: string;
  finished_at: string;
  verified: boolean;
  tree_size: number;
  anchored: boolean;
  findings: Finding[];
  findings_total: number;
  fault?: string;
}

export type Of = "ledger" | "copy" | "table";
export type Extent = "new" | "whole" | "scrub";

export interface Standing {
  of: Of;
  extent: Extent;
  every_seconds: number;
  running_since: string | null;
  last_at: string | null;
  findings: number | null;
  next_at: string | null;
  late: boolean;
  faults: number;
  fault: string | null;
}

export interface Verification {
  running: { started_at: string; checked: number; total: number } | null;
  last: Run | null;
  schedule: Standing[];
  runs: Run[];
}

export interface Token {
  id: string;
  name: string;
  role: Role;
  prefixes: string[] | null;
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
  token?: string;
}

export interface Catalog {
  types: { name: string; description?: string }[];
}
