import { Button } from "@mantine/core";
import { type Entry, type FullEntry, readEntry } from "../../api/entry";
import { Code } from "../../parts/Copy";
import { Link } from "../../parts/Link";
import { Loading, ProblemNote } from "../../parts/Notice";
import { Fact, Panel, Part } from "../../parts/Panel";
import { OutcomeTag, Sentence } from "../../parts/Sentence";
import { Text } from "../../parts/Text";
import { FieldDiff, Fields, Value } from "../../parts/Value";
import { Ago, At } from "../../parts/When";
import { useResource } from "../../state/resource";
import { entityHref } from "../../state/router";
import { compareFields } from "../../text/diff";
import { grouped } from "../../text/number";
import { ProofPanel } from "./ProofPanel";
import { Related } from "./Related";

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
  const current = full.data?.entry.index === index ? full.data : undefined;
  return (
    <Panel
      label={`Entry ${index}`}
      title={`Entry № ${grouped(index)}`}
      tools={
        <>
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
        </>
      }
      closeLabel="Close the entry"
      onClose={onClose}
    >
      {full.problem && <ProblemNote problem={full.problem} onRetry={full.reload} />}
      {!full.problem && !current && <Loading what="the entry" />}
      {current && <Body full={current} onOpen={onOpen} />}
    </Panel>
  );
}
