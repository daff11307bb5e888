import { isObject, type Json, parseCutRows, parseJson } from "../text/json";
import { request } from "./client";
import { numberOf, textOf } from "./entry";
import { Problem } from "./problem";

export interface Answer {
  columns: { name: string; type: string }[];
  rows: Json[][];
  complete: boolean;
  treeSize: number;
  problem?: Problem;
  /** The answer was longer than the console reads; the rows after these exist but are not shown. */
  cut: boolean;
}

const MAX_CHARACTERS = 24_000_000;

async function readText(response: Response): Promise<{ text: string; cut: boolean }> {
  const reader = response.body?.getReader();
  if (!reader) return { text: await response.text(), cut: false };
  const decoder = new TextDecoder();
  const parts: string[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { text: parts.join("") + decoder.decode(), cut: false };
    const part = decoder.decode(value, { stream: true });
    parts.push(part);
    length += part.length;
    if (length > MAX_CHARACTERS) {
      await reader.cancel();
      return { text: parts.join(""), cut: true };
    }
  }
}

function problemIn(json: Json | undefined): Problem | undefined {
  if (!isObject(json)) return undefined;
  return new Problem({
    kind: textOf(json.get("kind")) || "unavailable",
    title: textOf(json.get("title")) || "Not complete",
    status: numberOf(json.get("status")) || 503,
    detail: textOf(json.get("detail")) || "The answer stopped before its end.",
  });
}

export function answerOf(json: Json, cut: boolean): Answer {
  if (!isObject(json)) throw new Error("the server's answer to the query is not an object");
  const columns = json.get("columns");
  const rows = json.get("rows");
  const problem = problemIn(json.get("problem"));
  return {
    columns: (Array.isArray(columns) ? columns : []).filter(isObject).map((column) => ({
      name: textOf(column.get("name")),
      type: textOf(column.get("type")),
    })),
    rows: (Array.isArray(rows) ? rows : []).filter(Array.isArray),
    complete: json.get("complete") === true && !cut,
    treeSize: numberOf(json.get("tree_size")),
    cut,
    ...(problem ? { problem } : {}),
  };
}

export async function query(sql: string, signal?: AbortSignal): Promise<Answer> {
  const response = await request("/api/v1/query", { method: "POST", body: { sql }, ...(signal ? { signal } : {}) });
  const { text, cut } = await readText(response);
  return answerOf(cut ? parseCutRows(text) : parseJson(text), cut);
}

/** The answer to a statement whose rows are only worth something when all of them are there. */
export async function wholeAnswer(sql: string, signal?: AbortSignal): Promise<Answer> {
  const answer = await query(sql, signal);
  if (answer.problem) throw answer.problem;
  return answer;
}

export async function download(sql: string, accept: string, signal: AbortSignal): Promise<Blob> {
  return (await request("/api/v1/query", { method: "POST", body: { sql }, accept, signal })).blob();
}
