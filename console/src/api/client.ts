import type { Bytes } from "../proof/bytes";
import { type Json, parseJson } from "../text/json";
import { problemOf, unreachable } from "./problem";

export interface Call {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  body?: unknown;
  accept?: string;
  signal?: AbortSignal;
}

type Listener = () => void;
const listeners = new Set<Listener>();

/** Called whenever the server says that nobody is signed in. */
export function onSignedOut(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export async function request(path: string, call: Call = {}): Promise<Response> {
  const method = call.method ?? "GET";
  const headers: Record<string, string> = { Accept: call.accept ?? "application/json" };
  if (method !== "GET") headers["X-Counterfoil"] = "1";
  if (call.body !== undefined) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      credentials: "same-origin",
      ...(call.body !== undefined ? { body: JSON.stringify(call.body) } : {}),
      ...(call.signal ? { signal: call.signal } : {}),
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw unreachable();
  }
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (problem.status === 401) for (const listener of listeners) listener();
  throw problem;
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await request(path, signal ? { signal } : {})).json()) as T;
}

/** For what comes out of entries: no digit of a number is lost. */
export async function getExactly(path: string, signal?: AbortSignal): Promise<Json> {
  return parseJson(await (await request(path, signal ? { signal } : {})).text());
}

export async function fetchTlog(path: string): Promise<Bytes> {
  const response = await request(`/tlog/${path}`, { accept: "*/*" });
  return new Uint8Array(await response.arrayBuffer());
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

export function saveFile(name: string, content: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
