import type { Zone } from "../text/time";
import { createKept, createStore, useStore } from "./store";

export const zoneStore = createKept<Zone>("counterfoil.zone", "utc", (value) => value === "utc" || value === "local");

export function useZone(): Zone {
  return useStore(zoneStore);
}

const clock = createStore(Date.now());
setInterval(() => clock.set(Date.now()), 15_000);

/** The time now, for relative times; it moves every 15 seconds. */
export function useNow(): number {
  return useStore(clock);
}
