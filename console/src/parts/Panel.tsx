import { ActionIcon } from "@mantine/core";
import { type ReactNode, useEffect, useRef } from "react";
import { Icon } from "./Icon";

interface PanelProps {
  /** What it shows; another thing begins at its top. */
  label: string;
  title: ReactNode;
  tools?: ReactNode;
  closeLabel: string;
  onClose: () => void;
  children: ReactNode;
}

/** A drawer at the right edge: it takes the focus, and gives it back when it goes. */
export function Panel({ label, title, tools, closeLabel, onClose, children }: PanelProps) {
  const panel = useRef<HTMLElement>(null);

  useEffect(() => {
    const before = document.activeElement;
    panel.current?.focus({ preventScroll: true });
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another thing begins at its top
  useEffect(() => {
    panel.current?.scrollTo(0, 0);
  }, [label]);

  return (
    <section className="panel" ref={panel} tabIndex={-1} aria-label={label}>
      <header className="panel-head">
        <h2>{title}</h2>
        <span className="row">
          {tools}
          <ActionIcon variant="subtle" color="gray" aria-label={closeLabel} onClick={onClose}>
            <Icon name="cross" />
          </ActionIcon>
        </span>
      </header>
      <div className="panel-body">{children}</div>
    </section>
  );
}

export function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="panel-part">
      <h3>{title}</h3>
      {children}
    </section>
  );
}

export function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}
