import { useEffect, useRef } from "react";
import type { Entry } from "../../api/entry";
import { OpenEntry } from "../../parts/OpenEntry";
import { OutcomeTag, Sentence } from "../../parts/Sentence";
import { Text } from "../../parts/Text";
import { Value } from "../../parts/Value";
import { Ago } from "../../parts/When";
import { compareFields } from "../../text/diff";
import { toneOf } from "../../text/sentence";

const SHOWN_CHANGES = 2;

function Gist({ entry }: { entry: Entry }) {
  const changes = compareFields(entry.oldValue, entry.newValue).filter(({ kind }) => kind === "changed");
  const reason = typeof entry.reason === "string" ? entry.reason : undefined;
  if (changes.length === 0 && !reason) return null;
  return (
    <div className="gist">
      {changes.slice(0, SHOWN_CHANGES).map((change) => (
        <span key={change.path}>
          {change.path && (
            <>
              <Text limit={40}>{change.path}</Text>{" "}
            </>
          )}
          <Value value={change.before} limit={40} /> → <Value value={change.after} limit={40} />
        </span>
      ))}
      {changes.length > SHOWN_CHANGES && <span>and {changes.length - SHOWN_CHANGES} more</span>}
      {reason && (
        <span>
          “<Text limit={140}>{reason}</Text>”
        </span>
      )}
    </div>
  );
}

interface RowProps {
  entry: Entry;
  selected: boolean;
  open: boolean;
  onOpen: (index: number) => void;
}

function Row({ entry, selected, open, onOpen }: RowProps) {
  const line = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (selected) line.current?.scrollIntoView({ block: "nearest" });
  }, [selected]);
  return (
    <li
      ref={line}
      className="event"
      data-tone={toneOf(entry)}
      data-selected={selected || undefined}
      data-open={open || undefined}
    >
      <div className="event-text">
        <div className="event-line">
          <Sentence entry={entry} /> <OutcomeTag entry={entry} />
        </div>
        <Gist entry={entry} />
      </div>
      <div className="event-side">
        <Ago time={entry.timestamp} />
        <OpenEntry index={entry.index} onOpen={onOpen} />
      </div>
    </li>
  );
}

interface RowsProps {
  entries: Entry[];
  selected: number | undefined;
  opened: number | undefined;
  onOpen: (index: number) => void;
}

export function Rows({ entries, selected, opened, onOpen }: RowsProps) {
  return (
    <ol className="events" aria-label="Events, newest first">
      {entries.map((entry) => (
        <Row
          key={entry.index}
          entry={entry}
          selected={entry.index === selected}
          open={entry.index === opened}
          onOpen={onOpen}
        />
      ))}
    </ol>
  );
}
