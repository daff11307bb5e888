/** What this browser remembers of a ledger, so that a changed key or a rewritten tree is noticed. */
export interface Memory {
  key: string;
  keySince: string;
  pinned: boolean;
  checkpoint?: string;
  checkpointAt?: string;
}

const SLOT = "counterfoil.ledger.v1";

export function recall(): Memory | undefined {
  try {
    const memory = JSON.parse(localStorage.getItem(SLOT) ?? "null") as Memory | null;
    return memory && typeof memory.key === "string" && typeof memory.keySince === "string" ? memory : undefined;
  } catch {
    return undefined;
  }
}

export function remember(memory: Memory): void {
  try {
    localStorage.setItem(SLOT, JSON.stringify(memory));
  } catch {
    // A browser that keeps nothing still checks everything but the past.
  }
}

/** Pins a key; what was seen under another key no longer counts. */
export function trustKey(key: string): void {
  const memory = recall();
  if (memory?.key === key) remember({ ...memory, pinned: true });
  else remember({ key, keySince: new Date().toISOString(), pinned: true });
}

export function pinKey(): void {
  const memory = recall();
  if (memory) remember({ ...memory, pinned: true });
}
