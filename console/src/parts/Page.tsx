import type { ReactNode } from "react";

export function Page({
  title,
  lead,
  tools,
  children,
}: {
  title: ReactNode;
  lead?: ReactNode;
  tools?: ReactNode;
  children: ReactNode;
}) {
  return (
    <>
      <header className="page-head">
        <div>
          <h1>{title}</h1>
          {lead && <p>{lead}</p>}
        </div>
        {tools && <div className="tools">{tools}</div>}
      </header>
      {children}
    </>
  );
}

export function Card({
  title,
  aside,
  wide,
  children,
}: {
  title: ReactNode;
  aside?: ReactNode;
  wide?: boolean;
  children: ReactNode;
}) {
  return (
    <section className={wide ? "card grid-wide" : "card"}>
      <div className="card-head">
        <h2>{title}</h2>
        {aside && <div className="quiet small">{aside}</div>}
      </div>
      {children}
    </section>
  );
}
