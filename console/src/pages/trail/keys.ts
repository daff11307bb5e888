import { useEffect } from "react";

export interface Keys {
  next: () => void;
  previous: () => void;
  open: () => void;
  close: () => void;
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    target.closest("input, textarea, select, [contenteditable], [role=listbox], [role=dialog]") !== null
  );
}

/** j and k move, Enter opens, Escape closes; never while somebody types. */
export function useKeys(keys: Keys): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey || isTyping(event.target)) return;
      if (event.key === "j" || event.key === "k") {
        event.preventDefault();
        (event.key === "j" ? keys.next : keys.previous)();
      } else if (
        event.key === "Enter" &&
        !(event.target instanceof HTMLElement && event.target.closest("a, button, summary"))
      ) {
        keys.open();
      } else if (event.key === "Escape") {
        keys.close();
      }
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [keys]);
}
