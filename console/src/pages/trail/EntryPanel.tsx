import { ActionIcon, Button } from "@mantine/core";
import { type ReactNode, useEffect, useRef } from "react";
import { type Entry, type FullEntry, listEntries, readEntry } from "../../api/entry";
import { Code } from "../../parts/Copy";
import { Icon } from "../../parts/Icon";
import { Link } from "../../parts/Link";
import { Loading, ProblemNote } from "../../parts/Notice";
import { OpenEntry } from "../../parts/OpenEntry";
import { OutcomeTag, Sentence } from "../../parts/Sentence";
import { Text } from "../../parts/Text";
import { FieldDiff, Fields, Value } from "../../parts/Value";
import { Ago, At } from "../../parts/When";
import { useResource } from "../../state/resource";
import { entityHref } from "../../state/router";
import { compareFields } from "../../text/diff";
import { grouped } from "../../text/number";
import { ProofPanel } from "./ProofPanel";

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="panel-part">
      <h3>{title}</h3>
      {children}
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

const OUTCOME_WORDS = { success: "succeeded", failure: "failed", denied: "was denied" } as const;

function Facts({ entry }: { entry: Entry }) {
  return (
    <dl className="facts">
      <Fact name="Happened">
        <At time={entry.timestamp} />{" "}
        <span className="quiet">
          (<Ago time={entry.timestamp} />)
        </span>
      </Fact>
      <Fact name="Recorded">
        <At time={entry.recordedAt} />
        {entry.recorder && (
          <>
            {" "}
            through <Text>{entry.recorder}</Text>
          </>
        )}
      </Fact>
      <Fact name="Event type">
        <Text>{entry.eventType}</Text>
      </Fact>
      <Fact name="Entity">
        <Link href={entityHref(entry.entityId)}>
          <Text>{entry.entityId}</Text>
        </Link>
        {entry.entityType && (
          <span className="quiet">
            {" "}
            (<Text>{entry.entityType}</Text>)
          </span>
        )}
      </Fact>
      {entry.outcome && <Fact name="Outcome">{OUTCOME_WORDS[entry.outcome] ?? <Text>{entry.outcome}</Text>}</Fact>}
      {entry.source && (
        <Fact name="Source">
          <Text>{entry.source}</Text>, its number {grouped(entry.sequence ?? "")}
        </Fact>
      )}
      {entry.traceId && (
        <Fact name="Trace">
          <Link href={`/trail?trace_id=${encodeURIComponent(entry.traceId)}`}>
            <Text>{entry.traceId}</Text>
          </Link>
        </Fact>
      )}
      {entry.members.has("signature") && (
        <Fact name="Signed">by the recording client itself; “counterfoil verify” checks this signature</Fact>
      )}
    </dl>
  );
}

const RELATED = 6;

async function relatedEntries(
  entry: Entry,
  signal: AbortSignal,
): Promise<{ title: string; href: string; entries: Entry[] }[]> {
  const wanted = [
    { title: "Same entity", href: entityHref(entry.entityId), params: { entity_id: entry.entityId } },
    ...(entry.traceId
      ? [
          {
            title: "Same trace",
            href: `/trail?trace_id=${encodeURIComponent(entry.traceId)}`,
            params: { trace_id: entry.traceId },
          },
        ]
      : []),
  ];
  return Promise.all(
    wanted.map(async ({ title, href, params }) => {
      const page = await listEntries(
        new URLSearchParams({ ...params, limit: String(RELATED + 1) } as Record<string, string>),
        signal,
      );
      return { title, href, entries: page.entries.filter(({ index }) => index !== entry.index) };
    }),
  );
}

function Related({ entry, onOpen }: { entry: Entry; onOpen: (index: number) => void }) {
  const related = useResource(`related ${entry.index}`, (signal) => relatedEntries(entry, signal));
  if (related.problem) return <ProblemNote problem={related.problem} onRetry={related.reload} />;
  if (!related.data) return <Loading what="related entries" />;
  return (
    <>
      {related.data.map(({ title, href, entries }) => (
        <div key={title} className="related">
          <p className="row spread">
            <b>{title}</b>
            <Link href={href}>Show all</Link>
          </p>
          {entries.length === 0 && <p className="quiet">No other entry.</p>}
          {entries.length > RELATED && <p className="quiet small">The newest {RELATED}; there are more.</p>}
          <ul className="related-list">
            {entries.slice(0, RELATED).map((other) => (
              <li key={other.index}>
                <span>
                  <Sentence entry={other} /> <OutcomeTag entry={other} />
                </span>
                <span className="event-side">
                  <Ago time={other.timestamp} />
                  <OpenEntry index={other.index} onOpen={onOpen} />
                </span>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </>
  );
}

function Body({ full, onOpen }: { full: FullEntry; onOpen: (index: number) => void }) {
  const { entry } = full;
  const changes = compareFields(entry.oldValue, entry.newValue);
  return (
    <>
      <p className="panel-sentence">
        <Sentence entry={entry} /> <OutcomeTag entry={entry} />
      </p>
      {entry.reason !== undefined && (
        <blockquote className="reason">
          <Value value={entry.reason} limit={4000} />
        </blockquote>
      )}
      <Facts entry={entry} />
      {changes.length > 0 && (
        <Part title={entry.oldValue === undefined ? "Value recorded" : "What changed"}>
          <FieldDiff changes={changes} />
        </Part>
      )}
      {entry.context && entry.context.size > 0 && (
        <Part title="Context">
          <Fields value={entry.context} />
        </Part>
      )}
      <ProofPanel key={entry.index} full={full} />
      <Part title="Related entries">
        <Related entry={entry} onOpen={onOpen} />
      </Part>
      <Part title="The recorded bytes">
        <p className="quiet small">
          The canonical JSON that was hashed, digit for digit. Characters that would be invisible are shown as their
          code; “Copy” gives the exact text.
        </p>
        <Code value={full.canonical} hostile />
      </Part>
    </>
  );
}

export function EntryPanel({
  index,
  onClose,
  onOpen,
}: {
  index: number;
  onClose: () => void;
  onOpen: (index: number) => void;
}) {
  const full = useResource(`entry ${index}`, (signal) => readEntry(index, signal));
  const panel = useRef<HTMLElement>(null);
  const current = full.data?.entry.index === index ? full.data : undefined;

  useEffect(() => {
    const before = document.activeElement;
    panel.current?.focus({ preventScroll: true });
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another entry begins at its top
  useEffect(() => {
    panel.current?.scrollTo(0, 0);
  }, [index]);

  return (
    <section className="panel" ref={panel} tabIndex={-1} aria-label={`Entry ${index}`}>
      <header className="panel-head">
        <h2>Entry № {grouped(index)}</h2>
        <span className="row">
          <Button size="compact-sm" variant="subtle" color="gray" onClick={() => onOpen(index + 1)}>
            Next
          </Button>
          <Button
            size="compact-sm"
            variant="subtle"
            color="gray"
            disabled={index === 0}
            onClick={() => onOpen(index - 1)}
          >
            Previous
          </Button>
          <ActionIcon variant="subtle" color="gray" aria-label="Close the entry" onClick={onClose}>
            <Icon name="cross" />
          </ActionIcon>
        </span>
      </header>
      <div className="panel-body">
        {full.problem && <ProblemNote problem={full.problem} onRetry={full.reload} />}
        {!full.problem && !current && <Loading what="the entry" />}
        {current && <Body full={current} onOpen={onOpen} />}
      </div>
    </section>
  );
}
