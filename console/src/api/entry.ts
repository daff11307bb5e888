import { Digits, isObject, type Json, type JsonObject } from "../text/json";
import { getExactly } from "./client";

export type ActorType = "user" | "service" | "ai_agent";
export type Outcome = "success" | "failure" | "denied";

/** An entry as it was recorded, with its place; `members` keeps everything, number for number. */
export interface Entry {
  index: number;
  members: JsonObject;
  eventType: string;
  actor: string;
  entityId: string;
  timestamp: string;
  recordedAt: string;
  actorType?: ActorType;
  onBehalfOf?: string;
  entityType?: string;
  outcome?: Outcome;
  reason?: Json;
  traceId?: string;
  source?: string;
  sequence?: string;
  recorder?: string;
  oldValue?: Json;
  newValue?: Json;
  context?: JsonObject;
}

export function textOf(value: Json | undefined): string {
  if (typeof value === "string") return value;
  return value instanceof Digits ? value.text : "";
}

function member(json: Json | undefined, name: string): Json | undefined {
  return isObject(json) ? json.get(name) : undefined;
}

export function numberOf(value: Json | undefined): number {
  return value instanceof Digits ? Number(value.text) : Number.NaN;
}

export function entryOf(index: number, members: JsonObject): Entry {
  const optional: Partial<Entry> = {};
  const texts = [
    ["actorType", "actor_type"],
    ["onBehalfOf", "on_behalf_of"],
    ["entityType", "entity_type"],
    ["outcome", "outcome"],
    ["traceId", "trace_id"],
    ["source", "source"],
    ["sequence", "sequence"],
    ["recorder", "recorder"],
  ] as const;
  for (const [key, name] of texts) {
    const text = textOf(members.get(name));
    if (text) Object.assign(optional, { [key]: text });
  }
  const values = [
    ["reason", "reason"],
    ["oldValue", "old_value"],
    ["newValue", "new_value"],
  ] as const;
  for (const [key, name] of values) {
    const value = members.get(name);
    if (value !== undefined) optional[key] = value;
  }
  const context = members.get("context");
  if (isObject(context)) optional.context = context;
  return {
    index,
    members,
    eventType: textOf(members.get("event_type")),
    actor: textOf(members.get("actor")),
    entityId: textOf(members.get("entity_id")),
    timestamp: textOf(members.get("timestamp")),
    recordedAt: textOf(members.get("recorded_at")),
    ...optional,
  };
}

export function placedEntry(json: Json | undefined): Entry {
  const members = member(json, "entry");
  if (!isObject(members)) throw new Error("the server answered an entry without its members");
  return entryOf(numberOf(member(json, "index")), members);
}

export interface EntryPage {
  entries: Entry[];
  nextCursor?: string;
  treeSize: number;
}

export async function listEntries(params: URLSearchParams, signal?: AbortSignal): Promise<EntryPage> {
  const json = await getExactly(`/api/v1/entries?${params}`, signal);
  const list = member(json, "entries");
  const cursor = textOf(member(json, "next_cursor"));
  return {
    entries: Array.isArray(list) ? list.map(placedEntry) : [],
    treeSize: numberOf(member(json, "tree_size")),
    ...(cursor ? { nextCursor: cursor } : {}),
  };
}

export interface FullEntry {
  entry: Entry;
  canonical: string;
  leafHash: string;
}

export async function readEntry(index: number, signal?: AbortSignal): Promise<FullEntry> {
  const json = await getExactly(`/api/v1/entries/${index}`, signal);
  return {
    entry: placedEntry(json),
    canonical: textOf(member(json, "canonical")),
    leafHash: textOf(member(json, "leaf_hash")),
  };
}

export async function readHistory(entityId: string, asOf?: string, signal?: AbortSignal): Promise<Entry[]> {
  const life: Entry[] = [];
  let cursor = "";
  do {
    const asked = new URLSearchParams({ ...(asOf ? { as_of: asOf } : {}), ...(cursor ? { cursor } : {}) });
    const json = await getExactly(`/api/v1/entities/${encodeURIComponent(entityId)}/history?${asked}`, signal);
    const list = member(json, "entries");
    if (Array.isArray(list)) for (const placed of list) life.push(placedEntry(placed));
    cursor = textOf(member(json, "next_cursor"));
  } while (cursor);
  return life;
}
