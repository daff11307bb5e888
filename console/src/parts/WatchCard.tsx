import { type Condition, type Rules, readWatching, type Sink } from "../api/alerts";
import { useReadOnly } from "../state/ledger";
import { useResource } from "../state/resource";
import { knownLevel, LEVEL_WORDS, levelTone, rankOf } from "../text/alert";
import { plural } from "../text/number";
import { watchWords } from "../text/watch";
import { Grade } from "./Grade";
import { Link } from "./Link";
import { Loading, ProblemNote } from "./Notice";
import { Card } from "./Page";
import { Text } from "./Text";
import { Ago } from "./When";

function RulesGrade({ rules }: { rules: Rules | null }) {
  if (useReadOnly()) {
    return (
      <Grade tone="none" title="Only read here">
        Whether rules watch this ledger is known at the service that records. What they found is on the page Alerts.
      </Grade>
    );
  }
  if (!rules) {
    return (
      <Grade tone="none" title="No rules watch this ledger">
        <code>counterfoil serve LEDGER --rules DIR</code> lets them.
      </Grade>
    );
  }
  const tone = rules.fault ? "failed" : rules.skipped.length > 0 || rules.behind > 0 ? "denied" : "good";
  return (
    <Grade tone={tone} title={<b>{watchWords(rules)}</b>}>
      {rules.fault ? (
        <Text>{rules.fault}</Text>
      ) : (
        <>
          from <Text>{rules.folder}</Text>
        </>
      )}
    </Grade>
  );
}

function LeftOut({ rules }: { rules: Rules }) {
  return rules.skipped.map(({ file, document, reason }) => (
    <Grade
      key={`${file} ${document}`}
      tone="denied"
      title={
        <>
          Left out: <Text>{file}</Text>
          {document > 1 && `, document ${document}`}
        </>
      }
    >
      <Text limit={400}>{reason}</Text>
    </Grade>
  ));
}

function SinkGrade({ sink }: { sink: Sink }) {
  const tone = sink.failing_since ? "failed" : sink.dead_letters > 0 ? "denied" : sink.last_success ? "good" : "none";
  return (
    <Grade
      tone={tone}
      title={
        <>
          <b>
            <Text>{sink.name}</Text>
          </b>{" "}
          <span className="quiet">
            <Text>{sink.type}</Text>
          </span>
          :{" "}
          {sink.failing_since ? (
            <>
              failing since <Ago time={sink.failing_since} />, {plural(sink.failures, "attempt")}
            </>
          ) : sink.last_success ? (
            <>
              delivered <Ago time={sink.last_success} />
            </>
          ) : (
            "nothing delivered yet"
          )}
        </>
      }
    >
      {sink.failing_since && sink.last_error && (
        <>
          <Text limit={400}>{sink.last_error}</Text>.{" "}
        </>
      )}
      {sink.waiting > 0 && `${plural(sink.waiting, "message")} wait. `}
      {sink.dead_letters > 0 && `${plural(sink.dead_letters, "message")} refused for good and kept as dead letters. `}
      <Text limit={120}>{sink.address}</Text>
    </Grade>
  );
}

function ConditionGrade({ condition }: { condition: Condition }) {
  const level = knownLevel(condition.level);
  const tone = levelTone(level);
  return (
    <Grade
      tone={tone === "quiet" ? "none" : tone}
      title={
        <>
          <b>
            <Text>{condition.title}</Text>
          </b>
          , {LEVEL_WORDS[level].toLowerCase()}, since <Ago time={condition.since} />
        </>
      }
    >
      <Text limit={400}>{condition.reason}</Text>
    </Grade>
  );
}

/** What the service finds wrong now, the gravest first; it needs no entry to be readable. */
export function Conditions({ conditions }: { conditions: Condition[] }) {
  const sorted = [...conditions].sort((a, b) => rankOf(a.level) - rankOf(b.level));
  return (
    <ul className="grades">
      {sorted.map((condition) => (
        <ConditionGrade key={`${condition.id} ${condition.reason}`} condition={condition} />
      ))}
    </ul>
  );
}

/** Who looks at the ledger by itself, where its alerts go, and what it finds wrong now. */
export function WatchCard() {
  const watching = useResource("watching", readWatching);
  const { data } = watching;
  const readOnly = useReadOnly();
  return (
    <Card title="Watch" aside={<Link href="/alerts">Alerts</Link>}>
      {watching.problem && <ProblemNote problem={watching.problem} onRetry={watching.reload} />}
      {!data && watching.loading && <Loading what="the watch" />}
      {data && <Conditions conditions={data.conditions} />}
      {data && (
        <ul className="grades">
          <RulesGrade rules={data.rules} />
          {data.rules && <LeftOut rules={data.rules} />}
          {data.sinks.map((sink) => (
            <SinkGrade key={sink.name} sink={sink} />
          ))}
          {data.sinks.length === 0 && !readOnly && (
            <Grade tone="none" title="Alerts are sent nowhere">
              They stand in the inbox and in the ledger.
            </Grade>
          )}
        </ul>
      )}
    </Card>
  );
}
