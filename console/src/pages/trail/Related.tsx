import { type Entry, listEntries } from "../../api/entry";
import { Link } from "../../parts/Link";
import { Loading, ProblemNote } from "../../parts/Notice";
import { OpenEntry } from "../../parts/OpenEntry";
import { OutcomeTag, Sentence } from "../../parts/Sentence";
import { Ago } from "../../parts/When";
import { useResource } from "../../state/resource";
import { entityHref } from "../../state/router";

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

/** What else happened to the same entity and in the same trace. */
export function Related({ entry, onOpen }: { entry: Entry; onOpen: (index: number) => void }) {
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
