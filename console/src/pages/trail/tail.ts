import { useEffect, useState } from "react";
import { type Entry, placedEntry } from "../../api/entry";
import { parseJson } from "../../text/json";
import { matches } from "./filter";

export interface Tail {
  entries: Entry[];
  connected: boolean;
  dropped: number;
  /** The server ended the stream with a problem; the browser asks again by itself. */
  broken: boolean;
}

const KEPT = 200;
const NOTHING: Tail = { entries: [], connected: false, dropped: 0, broken: false };

/** Entries that are recorded while one looks, newest first, from the index `from` on. */
export function useTail(from: number | undefined, filter: URLSearchParams): Tail {
  const key = filter.toString();
  const [tail, setTail] = useState<Tail>(NOTHING);

  useEffect(() => {
    setTail(NOTHING);
    if (from === undefined) return;
    const wanted = new URLSearchParams(key);
    const source = new EventSource(`/api/v1/stream?from=${from}`);
    source.onopen = () => setTail((before) => ({ ...before, connected: true, broken: false }));
    source.addEventListener("problem", () => setTail((before) => ({ ...before, connected: false, broken: true })));
    source.onerror = () => setTail((before) => ({ ...before, connected: false }));
    source.onmessage = (event: MessageEvent<string>) => {
      const entry = placedEntry(parseJson(event.data));
      if (!matches(entry, wanted)) return;
      setTail((before) => {
        if (before.entries.some(({ index }) => index >= entry.index)) return before;
        const entries = [entry, ...before.entries];
        return {
          ...before,
          entries: entries.slice(0, KEPT),
          dropped: before.dropped + Math.max(0, entries.length - KEPT),
        };
      });
    };
    return () => source.close();
  }, [from, key]);

  return tail;
}
