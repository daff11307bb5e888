import type { ReactNode } from "react";

/** A table that may be wider than its place: it scrolls by itself, also from the keyboard. */
export function TableWrap({ label, className, children }: { label: string; className?: string; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    <section className={className ? `table-wrap ${className}` : "table-wrap"} aria-label={label} tabIndex={0}>
      {children}
    </section>
  );
}
