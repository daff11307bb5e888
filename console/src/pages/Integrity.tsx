import { getJson } from "../api/client";
import type { Verification } from "../api/types";
import { Grades } from "../parts/Grades";
import { ProblemNote } from "../parts/Notice";
import { Card, Page } from "../parts/Page";
import { Text } from "../parts/Text";
import { WatchCard } from "../parts/WatchCard";
import { useWatch } from "../state/ledger";
import { useResource } from "../state/resource";
import { plural } from "../text/number";
import { CheckpointCard } from "./integrity/CheckpointCard";
import { GrowthCard } from "./integrity/GrowthCard";
import { KeyCard } from "./integrity/KeyCard";
import { OutsiderCard } from "./integrity/OutsiderCard";
import { RunsCard } from "./integrity/RunsCard";
import { SegmentsCard } from "./integrity/SegmentsCard";
import { ShippedCard } from "./integrity/ShippedCard";

export default function Integrity() {
  const { status } = useWatch();
  const verification = useResource("verification", (signal) => getJson<Verification>("/api/v1/verification", signal));
  return (
    <Page
      title="Integrity"
      lead={
        status
          ? `What is known about the evidence of ${status.origin}, ${plural(status.tree_size, "entry", "entries")}, and how far each word reaches.`
          : undefined
      }
    >
      {status?.fault && (
        <div className="alarm" role="alert">
          <h2>The ledger reports a fault</h2>
          <p>
            <Text>{status.fault}</Text>
          </p>
        </div>
      )}
      <div className="grid">
        <div className="stack">
          <Card title="How far the evidence reaches">
            <Grades run={verification.data?.last} />
          </Card>
          <WatchCard />
        </div>
        <div className="stack">
          <CheckpointCard />
          <KeyCard />
        </div>
        {verification.problem ? (
          <div className="grid-wide">
            <ProblemNote problem={verification.problem} onRetry={verification.reload} />
          </div>
        ) : (
          <RunsCard verification={verification.data} onReload={verification.reload} />
        )}
        <GrowthCard />
        {status && (
          <div className="stack">
            <SegmentsCard status={status} />
            {status.shipping && <ShippedCard shipping={status.shipping} />}
          </div>
        )}
        {status && <OutsiderCard status={status} />}
      </div>
    </Page>
  );
}
