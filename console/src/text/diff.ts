import { isObject, type Json, sameJson } from "../text/json";

export interface FieldChange {
  path: string;
  kind: "added" | "removed" | "changed" | "same";
  before?: Json;
  after?: Json;
}

function join(path: string, name: string): string {
  return path ? `${path}.${name}` : name;
}

function change(path: string, before: Json | undefined, after: Json | undefined): FieldChange {
  const sides = { ...(before !== undefined ? { before } : {}), ...(after !== undefined ? { after } : {}) };
  if (before === undefined) return { path, kind: "added", ...sides };
  if (after === undefined) return { path, kind: "removed", ...sides };
  return { path, kind: sameJson(before, after) ? "same" : "changed", ...sides };
}

function entriesOf(value: Json | undefined): [string, Json][] | undefined {
  if (isObject(value)) return [...value];
  return Array.isArray(value) ? value.map((item, i) => [String(i + 1), item]) : undefined;
}

/** Compares field by field; objects and lists are opened, so that each line is one plain value. */
export function compareFields(before: Json | undefined, after: Json | undefined, path = ""): FieldChange[] {
  const left = entriesOf(before);
  const right = entriesOf(after);
  const comparable =
    (left && right && Array.isArray(before) === Array.isArray(after)) ||
    (left && after === undefined) ||
    (right && before === undefined);
  if (!comparable) return before === undefined && after === undefined ? [] : [change(path, before, after)];
  const names = [...new Set([...(left ?? []), ...(right ?? [])].map(([name]) => name))];
  if (names.length === 0) return [change(path, before, after)];
  const [was, is] = [new Map(left), new Map(right)];
  return names.flatMap((name) => compareFields(was.get(name), is.get(name), join(path, name)));
}
