import { Button, TextInput } from "@mantine/core";
import { useState } from "react";
import { type Entry, readHistory } from "../api/entry";
import { Link } from "../parts/Link";
import { Empty, Loading, ProblemNote } from "../parts/Notice";
import { Card, Page } from "../parts/Page";
import { KindTag } from "../parts/Sentence";
import { Text } from "../parts/Text";
import { At } from "../parts/When";
import { useResource } from "../state/resource";
import { useChangeParams, useParams, usePath } from "../state/router";
import { useZone } from "../state/settings";
import { plural } from "../text/number";
import { isApproval, isOverride } from "../text/sentence";
import { fieldValue, fromField, zoneName } from "../text/time";
import { Timeline } from "./entity/Timeline";
import { Versions } from "./entity/Versions";
import { EntryPanel } from "./trail/EntryPanel";

function idOf(path: string): string {
  const text = path.slice("/entity/".length);
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function AsOf() {
  const params = useParams();
  const change = useChangeParams();
  const zone = useZone();
  const asOf = params.get("as_of") ?? undefined;
  return (
    <div className="row as-of">
      <TextInput
        type="datetime-local"
        step={1}
        label={`State as at (${zoneName(zone)})`}
        value={fieldValue(asOf, zone)}
        onChange={(event) =>
          change({ as_of: fromField(event.currentTarget.value, zone), version: undefined }, { replace: true })
        }
      />
      {asOf && (
        <Button variant="default" onClick={() => change({ as_of: undefined, version: undefined })}>
          Now
        </Button>
      )}
    </div>
  );
}

function Approvals({ entries }: { entries: Entry[] }) {
  const deciding = entries.filter((entry) => isApproval(entry) || isOverride(entry));
  if (deciding.length === 0) return <p className="quiet">No event of this entity approves or overrides anything.</p>;
  return (
    <ul className="deciders">
      {deciding.map((entry) => (
        <li key={entry.index}>
          <span>
            <b>
              <Text limit={80}>{entry.actor}</Text>
            </b>{" "}
            <KindTag entry={entry} /> {isOverride(entry) ? "overrode" : "approved"}{" "}
            <span className="quiet">
              (<Text limit={80}>{entry.eventType}</Text>)
            </span>
            {entry.onBehalfOf && (
              <>
                {" "}
                on behalf of <Text limit={80}>{entry.onBehalfOf}</Text>
              </>
            )}
          </span>
          <span className="quiet">
            <At time={entry.timestamp} />
          </span>
        </li>
      ))}
    </ul>
  );
}

export function Entity() {
  const id = idOf(usePath());
  const params = useParams();
  const [opened, setOpened] = useState<number>();
  const asOf = params.get("as_of") ?? undefined;
  const history = useResource(`${id}\n${asOf ?? ""}`, (signal) => readHistory(id, asOf, signal));
  const entries = history.data;
  const kind = entries?.find(({ entityType }) => entityType)?.entityType;
  return (
    <Page
      title={<Text limit={120}>{id}</Text>}
      lead={
        entries && (
          <>
            {kind && <Text>{kind.replaceAll("_", " ")}</Text>}
            {kind && ", "}
            {plural(entries.length, "event")}
            {asOf ? " until then" : ""}.{" "}
            <Link href={`/trail?entity_id=${encodeURIComponent(id)}`}>Show in the trail</Link>
          </>
        )
      }
      tools={<AsOf />}
    >
      {history.problem && <ProblemNote problem={history.problem} onRetry={history.reload} />}
      {!entries && history.loading && <Loading what="the history" />}
      {entries?.length === 0 && (
        <Empty title={asOf ? "Nothing had happened by then" : "Nothing is recorded about this entity"}>
          <p className="quiet">
            {asOf
              ? "Choose a later time."
              : "The name must be written exactly as it was recorded. Search for a part of it in the trail’s text field."}
          </p>
        </Empty>
      )}
      {entries && entries.length > 0 && (
        <div className="stack">
          <Versions entries={entries} />
          <div className="grid">
            <Card title="Life">
              <Timeline entries={entries} onOpen={setOpened} />
            </Card>
            <Card title="Who approved or overrode">
              <Approvals entries={entries} />
            </Card>
          </div>
        </div>
      )}
      {opened !== undefined && <EntryPanel index={opened} onClose={() => setOpened(undefined)} onOpen={setOpened} />}
    </Page>
  );
}
