import { Button } from "@mantine/core";
import type { ReactNode } from "react";
import { fetchTlog } from "../../api/client";
import type { FullEntry } from "../../api/entry";
import { Code } from "../../parts/Copy";
import { Icon } from "../../parts/Icon";
import { KeyWords, PastWords, SignatureWords } from "../../parts/Judgement";
import { Loading } from "../../parts/Notice";
import { At } from "../../parts/When";
import { hex, utf8 } from "../../proof/bytes";
import { type Examination, examine, isAlarming, isVerified } from "../../proof/examine";
import { type Inclusion, isProven, proveInclusion } from "../../proof/inclusion";
import { useWatch } from "../../state/ledger";
import { useResource } from "../../state/resource";
import { grouped } from "../../text/number";

type Verdict = "good" | "failed" | "denied" | "none";

const ICONS = { good: "check", failed: "cross", denied: "warn", none: "dash" } as const;

function Step({ verdict, title, children }: { verdict: Verdict; title: ReactNode; children?: ReactNode }) {
  return (
    <li data-tone={verdict}>
      <Icon
        name={ICONS[verdict]}
        label={{ good: "holds", failed: "fails", denied: "open", none: "for information" }[verdict]}
      />
      <div>
        <b>{title}</b>
        {children}
      </div>
    </li>
  );
}

function Path({ proof }: { proof: Inclusion }) {
  return (
    <details>
      <summary>Show the {proof.steps.length} hashes of the way</summary>
      <ol className="path">
        {proof.steps.map((step) => (
          <li key={hex(step.result)}>
            <span className="quiet">joined on the {step.side} with</span> <code>{hex(step.sibling)}</code>
            <br />
            <span className="quiet">gives</span> <code>{hex(step.result)}</code>
          </li>
        ))}
      </ol>
    </details>
  );
}

function HashSteps({ proof, look }: { proof: Inclusion; look: Examination }) {
  return (
    <>
      <Step
        verdict={proof.shownMatches ? "good" : "failed"}
        title={
          proof.shownMatches ? "The entry shown is the entry in the log" : "The entry shown is NOT the entry in the log"
        }
      >
        <p>
          {proof.shownMatches
            ? `${grouped(proof.bytes.length)} bytes, the same in the answer of the API and in the log's entry bundle.`
            : `The log holds ${grouped(proof.bytes.length)} bytes at this place that differ from what the API answered. Do not rely on the text above.`}
        </p>
        {!proof.shownMatches && (
          <Code value={new TextDecoder().decode(proof.bytes)} hostile label="Copy what the log holds" />
        )}
      </Step>
      <Step
        verdict={proof.sameLeaf ? "good" : "failed"}
        title={proof.sameLeaf ? "Its hash was computed here" : "Its hash is not the one in the log's tree"}
      >
        <p>SHA-256 of a zero byte and the entry:</p>
        <code className="hash">{hex(proof.leaf)}</code>
        {!proof.sameLeaf && (
          <>
            <p>The tree holds at this place:</p>
            <code className="hash">{hex(proof.storedLeaf)}</code>
          </>
        )}
      </Step>
      <Step
        verdict={proof.sameRoot ? "good" : "failed"}
        title={
          proof.sameRoot
            ? `The way up leads to the root of all ${grouped(look.checkpoint.size)} entries`
            : "The way up does NOT lead to the checkpoint's root"
        }
      >
        <p>
          {proof.steps.length === 0
            ? "The tree has one entry: its hash is the root."
            : `From the entry's hash over ${proof.steps.length} neighbouring hashes, read from the log's tiles, to`}
        </p>
        <code className="hash">{hex(proof.computedRoot)}</code>
        {!proof.sameRoot && (
          <>
            <p>The checkpoint names the root:</p>
            <code className="hash">{hex(look.checkpoint.root)}</code>
          </>
        )}
        {proof.steps.length > 0 && <Path proof={proof} />}
      </Step>
    </>
  );
}

function signatureTone(look: Examination): Verdict {
  if (look.signature === "valid") return "good";
  return look.signature === "unsupported" ? "denied" : "failed";
}

function pastTone(look: Examination): Verdict {
  if (look.past.kind === "first-seen") return "none";
  return look.past.kind === "forked" || look.past.kind === "rolled-back" ? "failed" : "good";
}

function Summary({ proof, look }: { proof: Inclusion; look: Examination }) {
  if (!isProven(proof) || isAlarming(look)) {
    return (
      <div className="verdict" data-tone="failed" role="alert">
        <b>This entry is not proven.</b> A step below fails. Keep the evidence: copy the ledger’s folder, and tell
        whoever is responsible for the ledger.
      </div>
    );
  }
  if (!isVerified(look)) {
    return (
      <div className="verdict" data-tone="denied">
        <b>The hashes hold; the signature was not checked.</b> This browser cannot check Ed25519 signatures.
      </div>
    );
  }
  return (
    <div className="verdict" data-tone="good">
      <b>Proven here, in your browser.</b> Covered by checkpoint {grouped(look.checkpoint.size)}, read at{" "}
      <At time={look.at} />.
    </div>
  );
}

async function prove(full: FullEntry, key: string): Promise<{ look: Examination; proof: Inclusion }> {
  const look = await examine(fetchTlog, key);
  return { look, proof: await proveInclusion(look, full.entry.index, utf8(full.canonical)) };
}

export function ProofPanel({ full }: { full: FullEntry }) {
  const { status, problem: unreached } = useWatch();
  const { index } = full.entry;
  const proof = useResource(status ? `proof ${index}` : undefined, () => prove(full, status?.verifier_key ?? ""));
  const sealed = status !== undefined && index < status.sealed_size;
  return (
    <section className="stub" aria-label="Proof">
      <div className="row spread">
        <h3>Proof</h3>
        <Button size="compact-xs" variant="default" onClick={proof.reload} loading={proof.loading}>
          Check again
        </Button>
      </div>
      {(proof.problem ?? (status ? undefined : unreached)) && (
        <div className="verdict" data-tone="failed" role="alert">
          <b>The proof could not be made.</b> {(proof.problem ?? unreached)?.detail}
        </div>
      )}
      {!proof.data && !proof.problem && <Loading what="the log's tiles" />}
      {proof.data && (
        <>
          <Summary {...proof.data} />
          <ol className="grades">
            <HashSteps {...proof.data} />
            <Step verdict={signatureTone(proof.data.look)} title={<SignatureWords look={proof.data.look} />}>
              <details>
                <summary>Show the checkpoint</summary>
                <Code value={proof.data.look.checkpoint.raw} />
              </details>
            </Step>
            <Step verdict={proof.data.look.key.kind === "changed" ? "failed" : "good"} title="Whose key it is">
              <p>
                <KeyWords look={proof.data.look} />
              </p>
            </Step>
            <Step verdict={pastTone(proof.data.look)} title="Compared with the past">
              <p>
                <PastWords look={proof.data.look} />
              </p>
            </Step>
            <Step verdict={sealed ? "good" : "none"} title={sealed ? "Sealed" : "Not sealed yet"}>
              <p>
                {sealed
                  ? "The server says that the entry lies in a sealed segment."
                  : "The entry is in the journal; the next sealing takes it into a segment."}
              </p>
            </Step>
            <Step verdict="none" title="Witnessed by others: not set up" />
          </ol>
          <p className="quiet small">
            Computed from /tlog alone: checkpoint, {proof.data.look.tiles.fetched.length} tiles and bundles, with this
            browser’s own SHA-256 and Ed25519.
          </p>
        </>
      )}
    </section>
  );
}
