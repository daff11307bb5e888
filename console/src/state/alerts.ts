import { listAlerts } from "../api/alerts";
import type { Session } from "../api/types";
import { createStore, useStore } from "./store";

export interface OpenAlerts {
  count: number;
  /** There are more than were counted. */
  more: boolean;
}

/** `failed`: they cannot be read, which is graver than any number of them. */
const openStore = createStore<OpenAlerts | "failed" | undefined>(undefined);
const PERIOD = 15_000;
const MOST = 100;

export function useOpenAlerts(): OpenAlerts | "failed" | undefined {
  return useStore(openStore);
}

export async function countOpenAlerts(): Promise<void> {
  try {
    const page = await listAlerts(new URLSearchParams({ state: "open", limit: String(MOST) }));
    openStore.set({ count: page.alerts.length, more: page.next_cursor !== null });
  } catch {
    openStore.set("failed");
  }
}

/** Counts again and again while the page is looked at. What an auditor reads is recorded: nothing is read for one unasked. */
export function startCounting(session: Session): () => void {
  if (session.role === "writer" || session.role === "auditor") return () => {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ended = false;
  const round = async () => {
    if (!document.hidden) await countOpenAlerts();
    if (ended) openStore.set(undefined);
    else timer = setTimeout(round, PERIOD);
  };
  void round();
  return () => {
    ended = true;
    clearTimeout(timer);
    openStore.set(undefined);
  };
}
