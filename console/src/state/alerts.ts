import { readWatching } from "../api/alerts";
import type { Session } from "../api/types";
import { createStore, useStore } from "./store";

/** How many alerts are open, counted anew each time. */
export interface OpenAlerts {
  count: number;
}

/** `failed`: they cannot be read, which is graver than any number of them. */
const openStore = createStore<OpenAlerts | "failed" | undefined>(undefined);
const PERIOD = 15_000;

export function useOpenAlerts(): OpenAlerts | "failed" | undefined {
  return useStore(openStore);
}

export async function countOpenAlerts(): Promise<void> {
  try {
    const { open_alerts } = await readWatching();
    openStore.set(open_alerts === null ? "failed" : { count: open_alerts });
  } catch {
    openStore.set("failed");
  }
}

/** Counts again and again while the page is looked at. Counting is no reading of entries, so it is not recorded of an auditor. */
export function startCounting(session: Session): () => void {
  if (session.role === "writer") return () => {};
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
