import { Button } from "@mantine/core";
import { saveFile } from "../../api/client";
import type { Status } from "../../api/types";
import { Code } from "../../parts/Copy";
import { Card } from "../../parts/Page";
import { useWatch } from "../../state/ledger";

function text(content: string): Blob {
  return new Blob([content], { type: "text/plain;charset=utf-8" });
}

/** What somebody outside needs to check the ledger without trusting this console or this server. */
export function OutsiderCard({ status }: { status: Status }) {
  const { look } = useWatch();
  const checkpoint = look?.checkpoint;
  return (
    <Card wide title="For somebody who trusts neither this page nor this server">
      <div className="stack">
        <p>
          Keep the verifier key and today’s checkpoint outside the reach of whoever runs the ledger. With them, anybody
          can later show that nothing was changed, removed or put in between.
        </p>
        <div className="row">
          <Button
            variant="default"
            disabled={!checkpoint}
            onClick={() => checkpoint && saveFile(`checkpoint-${checkpoint.size}`, text(checkpoint.raw))}
          >
            Download the checkpoint
          </Button>
          <Button
            variant="default"
            onClick={() => saveFile("audit.vkey", text(`${look?.keyText ?? status.verifier_key}\n`))}
          >
            Download the verifier key
          </Button>
        </div>
        <div className="recipes">
          <div>
            <h3>With the ledger’s folder or a copy of it</h3>
            <Code
              value={`counterfoil verify LEDGER --key audit.vkey --checkpoint checkpoint-${checkpoint?.size ?? "SIZE"}`}
            />
          </div>
          <div>
            <h3>Over the network, believing nothing the service says</h3>
            <Code
              value={`export COUNTERFOIL_TOKEN=cf_…\ncounterfoil verify ${location.origin} --key audit.vkey --checkpoint checkpoint-${checkpoint?.size ?? "SIZE"}`}
            />
          </div>
          <div>
            <h3>One entry, offline</h3>
            <Code
              value={
                "counterfoil prove LEDGER INDEX > entry.tlog-proof\ncounterfoil entry LEDGER INDEX --canonical > entry.json\ncounterfoil check entry.tlog-proof --entry entry.json --key audit.vkey"
              }
            />
          </div>
          <div>
            <h3>With any other C2SP tlog-tiles client</h3>
            <Code
              value={`curl ${location.origin}/tlog/checkpoint\ncurl ${location.origin}/tlog/tile/entries/000 --output entries-000\ncurl ${location.origin}/tlog/tile/0/000 --output hashes-000`}
            />
            <p className="quiet small">
              Unless the tlog is public, add <code>-H "Authorization: Bearer $COUNTERFOIL_TOKEN"</code>. The formats are
              public: c2sp.org/tlog-tiles, c2sp.org/tlog-checkpoint, RFC 6962.
            </p>
          </div>
        </div>
      </div>
    </Card>
  );
}
