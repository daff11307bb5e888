import { type FullAlert, readAlert, type StateChange } from "../../api/alerts";
import { DrillTag, LevelTag, StateTag } from "../../parts/Level";
import { Loading, ProblemNote } from "../../parts/Notice";
import { OpenEntry } from "../../parts/OpenEntry";
import { Fact, Panel, Part } from "../../parts/Panel";
import { Text } from "../../parts/Text";
import { Ago, At } from "../../parts/When";
import { useResource } from "../../state/resource";
import { webAddress } from "../../text/alert";
import { grouped } from "../../text/number";
import { Related } from "../trail/Related";
import { Causes, useCauses } from "./Causes";
import { Common } from "./Common";
import { Decide } from "./Decide";
import { groupOf } from "./subjects";

function Reference({ text }: { text: string }) {
  const address = webAddress(text);
  if (!address) return <Text limit={200}>{text}</Text>;
  return (
    <a href={address} target="_blank" rel="noopener noreferrer nofollow">
      <Text limit={200}>{text}</Text>
    </a>
  );
}

function Facts({ alert, onOpen }: { alert: FullAlert; onOpen: (index: number) => void }) {
  return (
    <dl className="facts">
      <Fact name="Raised">
        <At time={alert.raised_at} />{" "}
        <span className="quiet">
          (<Ago time={alert.raised_at} />)
        </span>
        , as <OpenEntry index={alert.index} onOpen={onOpen} />
      </Fact>
      {alert.value !== null && <Fact name="Value reached">{grouped(alert.value)}</Fact>}
      <Fact name="Rule">
        <code>
          <Text limit={80}>{alert.rule_id}</Text>
        </code>
        {alert.author && (
          <>
            {" "}
            by <Text limit={80}>{alert.author}</Text>
          </>
        )}
      </Fact>
      {alert.references.length > 0 && (
        <Fact name="References">
          {alert.references.map((text) => (
            <div key={text}>
              <Reference text={text} />
            </div>
          ))}
        </Fact>
      )}
      {alert.tags.length > 0 && (
        <Fact name="Tags">
          <span className="tags">
            {alert.tags.map((tag) => (
              <span key={tag} className="tag">
                <Text limit={60}>{tag}</Text>
              </span>
            ))}
          </span>
        </Fact>
      )}
    </dl>
  );
}

function Why({ alert }: { alert: FullAlert }) {
  return (
    <Part title="Why it fired">
      {alert.why && (
        <p>
          <Text>{alert.why}</Text>
        </p>
      )}
      {alert.description && (
        <p className={alert.why ? "quiet" : undefined}>
          <Text>{alert.description}</Text>
        </p>
      )}
      {!alert.why && !alert.description && <p className="quiet">The rule does not say what it looks for.</p>}
    </Part>
  );
}

function Changes({ history, onOpen }: { history: StateChange[]; onOpen: (index: number) => void }) {
  if (history.length === 0) return <p className="quiet">Nobody has decided anything yet.</p>;
  return (
    <ol className="changes" aria-live="polite">
      {history.map((change) => (
        <li key={change.index}>
          <span>
            <StateTag alert={change} /> by{" "}
            <b>
              <Text limit={80}>{change.by}</Text>
            </b>
            {change.reason && (
              <blockquote className="reason">
                <Text>{change.reason}</Text>
              </blockquote>
            )}
          </span>
          <span className="event-side">
            <Ago time={change.at} />
            <OpenEntry index={change.index} onOpen={onOpen} />
          </span>
        </li>
      ))}
    </ol>
  );
}

interface BodyProps {
  alert: FullAlert;
  entry: number | undefined;
  onOpenEntry: (index: number) => void;
  onDecided: () => void;
}

function Body({ alert, entry, onOpenEntry, onDecided }: BodyProps) {
  const causes = useCauses(alert.indices);
  const newest = causes.data?.[0];
  const group = alert.group.length === 0 && newest ? groupOf(newest.actor, newest.entityId) : alert.group;
  return (
    <>
      <div>
        <p className="row alert-marks">
          <LevelTag level={alert.level} /> <StateTag alert={alert} /> <DrillTag alert={alert} />
        </p>
        <p className="panel-sentence">
          <b>
            <Text>{alert.title || alert.rule_id}</Text>
          </b>
          <Common group={group} />
        </p>
        {alert.drill && <p className="quiet small">A drill: it proves that alerts arrive. Nothing has happened.</p>}
      </div>
      <Why alert={alert} />
      <Facts alert={alert} onOpen={onOpenEntry} />
      <Causes
        indices={alert.indices}
        causes={causes}
        opened={entry}
        onOpen={onOpenEntry}
        bySearch={alert.rule_id === "saved-search"}
      />
      <Part title="What became of it">
        <Changes history={alert.history} onOpen={onOpenEntry} />
      </Part>
      <Decide alert={alert} onDecided={onDecided} />
      {newest && (
        <Part title="Related history">
          <Related entry={newest} onOpen={onOpenEntry} />
        </Part>
      )}
    </>
  );
}

interface AlertPanelProps extends Omit<BodyProps, "alert"> {
  id: string;
  onClose: () => void;
}

export function AlertPanel({ id, onClose, onDecided, ...rest }: AlertPanelProps) {
  const full = useResource(id, (signal) => readAlert(id, signal));
  const alert = full.data?.id === id ? full.data : undefined;
  const decided = () => {
    full.reload();
    onDecided();
  };
  return (
    <Panel
      label={alert ? `Alert: ${alert.title}` : "Alert"}
      title="Alert"
      closeLabel="Close the alert"
      onClose={onClose}
    >
      {full.problem && <ProblemNote problem={full.problem} onRetry={full.reload} />}
      {!full.problem && !alert && <Loading what="the alert" />}
      {alert && <Body key={alert.id} alert={alert} onDecided={decided} {...rest} />}
    </Panel>
  );
}
