import { useCallback, useEffect, useRef, useState } from "react";
import { isAbort } from "../api/client";
import { asProblem, type Problem } from "../api/problem";

export interface Resource<T> {
  data: T | undefined;
  problem: Problem | undefined;
  loading: boolean;
  reload: () => void;
}

/** Loads on every change of `key` and aborts what is no longer wanted; old data stays until new data comes. */
export function useResource<T>(key: string | undefined, load: (signal: AbortSignal) => Promise<T>): Resource<T> {
  const [state, setState] = useState<{ data?: T; problem?: Problem; loading: boolean }>({ loading: key !== undefined });
  const [turn, setTurn] = useState(0);
  const loader = useRef(load);
  loader.current = load;

  // biome-ignore lint/correctness/useExhaustiveDependencies: a reload is a new turn with the same key
  useEffect(() => {
    if (key === undefined) {
      setState({ loading: false });
      return;
    }
    const abort = new AbortController();
    setState((before) => ({ ...(before.data !== undefined ? { data: before.data } : {}), loading: true }));
    loader.current(abort.signal).then(
      (data) => setState({ data, loading: false }),
      (error: unknown) => {
        if (!abort.signal.aborted && !isAbort(error)) setState({ problem: asProblem(error), loading: false });
      },
    );
    return () => abort.abort();
  }, [key, turn]);

  const reload = useCallback(() => setTurn((before) => before + 1), []);
  return { data: state.data, problem: state.problem, loading: state.loading, reload };
}
