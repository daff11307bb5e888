import { useCallback, useMemo } from "react";
import { createStore, useStore } from "./store";

const place = createStore(location.pathname + location.search);

addEventListener("popstate", () => place.set(location.pathname + location.search));

export function navigate(href: string, options: { replace?: boolean } = {}): void {
  if (href === location.pathname + location.search) return;
  const samePath = href.split("?")[0] === location.pathname;
  history[options.replace ? "replaceState" : "pushState"](null, "", href);
  place.set(href);
  if (!samePath) scrollTo(0, 0);
}

export function usePath(): string {
  return useStore(place).split("?")[0] ?? "/";
}

export function useParams(): URLSearchParams {
  const search = useStore(place).split("?")[1] ?? "";
  return useMemo(() => new URLSearchParams(search), [search]);
}

export type Change = Record<string, string | string[] | undefined>;

export function changed(params: URLSearchParams, change: Change): URLSearchParams {
  const next = new URLSearchParams(params);
  for (const [name, value] of Object.entries(change)) {
    next.delete(name);
    for (const item of Array.isArray(value) ? value : [value]) if (item) next.append(name, item);
  }
  return next;
}

/** Changes members of the address's query and leaves the others. */
export function useChangeParams(): (change: Change, options?: { replace?: boolean }) => void {
  return useCallback((change, options) => {
    const next = changed(new URLSearchParams(location.search), change).toString();
    navigate(location.pathname + (next ? `?${next}` : ""), options);
  }, []);
}

export function entityHref(id: string): string {
  return `/entity/${encodeURIComponent(id)}`;
}
