import { useEffect, useRef } from "react";
import type { Alert } from "../../api/alerts";
import { DrillTag, LevelTag, StateTag } from "../../parts/Level";
import { Link } from "../../parts/Link";
import { Text } from "../../parts/Text";
import { Ago } from "../../parts/When";
import { firstSentence, knownLevel, levelTone } from "../../text/alert";
import { plural } from "../../text/number";
import { Common } from "./Common";
import { useSubjects } from "./subjects";

function Gist({ alert }: { alert: Alert }) {
  const why = firstSentence(alert.why ?? alert.description ?? "");
  return (
    <div className="gist">
      {why && (
        <span>
          <Text limit={200}>{why}</Text>
        </span>
      )}
      {alert.indices.length > 1 && <span>{plural(alert.indices.length, "entry", "entries")}</span>}
      {alert.state !== "open" && alert.state_by && (
        <span>
          <StateTag alert={alert} /> by <Text limit={60}>{alert.state_by}</Text>
          {alert.state_reason && (
            <>
              : “<Text limit={100}>{alert.state_reason}</Text>”
            </>
          )}
        </span>
      )}
    </div>
  );
}

interface RowProps {
  alert: Alert;
  group: Alert["group"];
  href: string;
  selected: boolean;
  open: boolean;
}

function Row({ alert, group, href, selected, open }: RowProps) {
  const line = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (selected) line.current?.scrollIntoView({ block: "nearest" });
  }, [selected]);
  const isClosed = alert.state === "resolved" || alert.state === "false_positive";
  return (
    <li
      ref={line}
      className="event"
      data-tone={isClosed ? "quiet" : levelTone(knownLevel(alert.level))}
      data-selected={selected || undefined}
      data-open={open || undefined}
    >
      <div className="event-text">
        <div className="event-line">
          <LevelTag level={alert.level} />{" "}
          <Link href={href} className="alert-title">
            <Text limit={160}>{alert.title || alert.rule_id}</Text>
          </Link>
          <Common group={group} /> <DrillTag alert={alert} />
        </div>
        <Gist alert={alert} />
      </div>
      <div className="event-side">
        <Ago time={alert.raised_at} />
      </div>
    </li>
  );
}

interface RowsProps {
  label: string;
  alerts: Alert[];
  hrefOf: (alert: Alert) => string;
  selected?: string | undefined;
  opened?: string | undefined;
}

export function AlertRows({ label, alerts, hrefOf, selected, opened }: RowsProps) {
  const subjectOf = useSubjects(alerts);
  return (
    <ol className="events" aria-label={label}>
      {alerts.map((alert) => (
        <Row
          key={alert.id}
          alert={alert}
          group={subjectOf(alert)}
          href={hrefOf(alert)}
          selected={alert.id === selected}
          open={alert.id === opened}
        />
      ))}
    </ol>
  );
}
