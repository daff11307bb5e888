import { useSyncExternalStore } from "react";

export interface Store<T> {
  get(): T;
  set(value: T): void;
  subscribe(listener: () => void): () => void;
}

export function createStore<T>(initial: T): Store<T> {
  const listeners = new Set<() => void>();
  let current = initial;
  return {
    get: () => current,
    set: (value) => {
      current = value;
      for (const listener of listeners) listener();
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.get);
}

/** A store whose value this browser keeps. */
export function createKept<T>(slot: string, fallback: T, isValid: (value: unknown) => value is T): Store<T> {
  let kept = fallback;
  try {
    const value: unknown = JSON.parse(localStorage.getItem(slot) ?? "null");
    if (isValid(value)) kept = value;
  } catch {
    kept = fallback;
  }
  const store = createStore(kept);
  store.subscribe(() => {
    try {
      localStorage.setItem(slot, JSON.stringify(store.get()));
    } catch {
      // Without storage the value lasts as long as the page.
    }
  });
  return store;
}
