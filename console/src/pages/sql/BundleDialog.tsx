import { Button, Modal, Textarea } from "@mantine/core";
import { useState } from "react";
import { request, saveFile } from "../../api/client";
import { asProblem, type Problem } from "../../api/problem";
import { Code } from "../../parts/Copy";
import { ProblemNote } from "../../parts/Notice";

/** The condition of a simple query, as a first draft for the reader to correct. */
function conditionOf(sql: string): string {
  const match = /\bwhere\b([\s\S]*?)(?:\bgroup\s+by\b|\border\s+by\b|\blimit\b|\bhaving\b|;|$)/i.exec(sql);
  return match?.[1]?.trim() ?? "";
}

export function BundleDialog({ sql, onClose }: { sql: string; onClose: () => void }) {
  const [where, setWhere] = useState(() => conditionOf(sql));
  const [busy, setBusy] = useState(false);
  const [done, setDone] = useState(false);
  const [problem, setProblem] = useState<Problem>();

  const make = async () => {
    setBusy(true);
    setProblem(undefined);
    try {
      const response = await request("/api/v1/bundles", { method: "POST", body: { where } });
      saveFile("evidence.bundle.json", await response.blob());
      setDone(true);
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };

  return (
    <Modal opened onClose={onClose} title="Evidence bundle" size="lg" closeButtonProps={{ "aria-label": "Close" }}>
      <div className="stack">
        <p>
          One file with the entries that match, and everything needed to check them without this ledger: their exact
          bytes, their proofs, and the signed checkpoint. Making it is itself recorded.
        </p>
        <Textarea
          label="Which entries"
          description="One condition, as it would stand after WHERE"
          value={where}
          onChange={(event) => setWhere(event.currentTarget.value)}
          autosize
          minRows={3}
          styles={{ input: { fontFamily: "var(--mono)" } }}
        />
        {problem && <ProblemNote problem={problem} />}
        {done && (
          <div className="note" data-tone="good" role="status">
            <strong>The bundle was saved.</strong>
            <p className="quiet">Whoever receives it checks it offline, with a verifier key that came another way:</p>
            <Code value="counterfoil verify --bundle evidence.bundle.json --key audit.vkey" />
          </div>
        )}
        <div className="row end">
          <Button variant="default" onClick={onClose}>
            Close
          </Button>
          <Button onClick={make} loading={busy} disabled={where.trim() === ""}>
            Make the bundle
          </Button>
        </div>
      </div>
    </Modal>
  );
}
