import { Button } from "@mantine/core";
import { useState } from "react";
import { Code } from "../../parts/Copy";
import { Loading } from "../../parts/Notice";
import { Card } from "../../parts/Page";
import { At } from "../../parts/When";
import { lookNow, useWatch } from "../../state/ledger";
import { grouped } from "../../text/number";

export function CheckpointCard() {
  const { look, problem } = useWatch();
  const [busy, setBusy] = useState(false);
  const check = () => {
    setBusy(true);
    void lookNow().finally(() => setBusy(false));
  };
  return (
    <Card
      title="Newest checkpoint"
      aside={
        <Button size="compact-xs" variant="default" onClick={check} loading={busy}>
          Check again
        </Button>
      }
    >
      {problem && <p>{problem.detail}</p>}
      {!look && !problem && <Loading what="the checkpoint" />}
      {look && (
        <div className="stack">
          <p className="quiet">
            It signs the hash of all {grouped(look.checkpoint.size)} entries. Read at <At time={look.at} />.
          </p>
          <Code value={look.checkpoint.raw} />
        </div>
      )}
    </Card>
  );
}
