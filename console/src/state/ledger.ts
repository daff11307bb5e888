import { fetchTlog, getJson, request } from "../api/client";
import { asProblem, type Problem } from "../api/problem";
import type { Session, Status } from "../api/types";
import { type Examination, examine } from "../proof/examine";
import { createStore, useStore } from "./store";

const sessionStore = createStore<Session | undefined>(undefined);

export interface Watch {
  status?: Status;
  look?: Examination;
  problem?: Problem;
}

const watchStore = createStore<Watch>({});
const PERIOD = 30_000;
let timer: ReturnType<typeof setTimeout> | undefined;

export function useSession(): Session | undefined {
  return useStore(sessionStore);
}

/** Whether nothing can be recorded through this service, whoever asks. */
export function useReadOnly(): boolean {
  return useSession()?.read_only ?? false;
}

/** Whether the one who is signed in may decide on alerts and sign reviews here. */
export function useMayReview(): boolean {
  const session = useSession();
  return session !== undefined && !session.read_only && (session.role === "reviewer" || session.role === "admin");
}

export function useWatch(): Watch {
  return useStore(watchStore);
}

/** Looks at the newest checkpoint and checks it in this browser. */
export async function lookNow(): Promise<void> {
  const before = watchStore.get();
  try {
    const status = await getJson<Status>("/api/v1/status");
    watchStore.set({ ...before, status });
    if (!crypto.subtle)
      throw new Error(
        "This page was not loaded over HTTPS or from localhost: the browser offers no cryptography here, so nothing was checked.",
      );
    watchStore.set({ status, look: await examine(fetchTlog, status.verifier_key) });
  } catch (error) {
    const { status } = watchStore.get();
    watchStore.set({ ...(status ? { status } : {}), problem: asProblem(error) });
  }
}

export function startWatch(): () => void {
  const round = async () => {
    if (!document.hidden) await lookNow();
    timer = setTimeout(round, PERIOD);
  };
  void round();
  return () => clearTimeout(timer);
}

export async function loadSession(): Promise<void> {
  sessionStore.set(await getJson<Session>("/api/v1/session"));
}

export async function signIn(token: string): Promise<void> {
  await request("/api/v1/session", { method: "POST", body: { token } });
  await loadSession();
}

export async function signOut(): Promise<void> {
  await request("/api/v1/session", { method: "DELETE" });
  sessionStore.set(undefined);
  watchStore.set({});
}
