import type { Entry } from "../api/entry";
import { isObject, type Json, type JsonObject } from "./json";

/** The state after each event: objects are laid over what stood before, any other value replaces it. */
export function statesOf(entries: Entry[]): (Json | undefined)[] {
  let state: Json | undefined;
  return entries.map((entry) => {
    state = merged(merged(state, state === undefined ? entry.oldValue : undefined), entry.newValue);
    return state;
  });
}

function merged(state: Json | undefined, value: Json | undefined): Json | undefined {
  if (value === undefined) return state;
  if (!isObject(value)) return isObject(state) ? withStatus(state, value) : value;
  if (!isObject(state)) return typeof state === "string" ? overlay(new Map([["status", state as Json]]), value) : value;
  return overlay(state, value);
}

function overlay(state: JsonObject, value: JsonObject): JsonObject {
  return new Map([...state, ...value]);
}

/** A bare text beside known fields is the entity's status. */
function withStatus(state: JsonObject, value: Json): Json {
  return typeof value === "string" ? overlay(state, new Map([["status", value]])) : value;
}
