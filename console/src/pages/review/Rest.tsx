import { type ReactNode, useState } from "react";
import { grouped } from "../../text/number";

/** How much of a list is shown at once. */
export const SHOWN = 10;

/** The rest of a list; it is drawn when somebody opens it. */
export function Rest({ count, children }: { count: number; children: ReactNode }) {
  const [open, setOpen] = useState(false);
  return (
    <details className="rest" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{grouped(count)} more</summary>
      {open && children}
    </details>
  );
}
