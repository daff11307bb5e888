import { Button } from "@mantine/core";
import type { ReactNode } from "react";
import type { Examination } from "../proof/examine";
import { trustKey } from "../proof/memory";
import { lookNow, useWatch } from "../state/ledger";
import { grouped } from "../text/number";
import { Copy } from "./Copy";
import { At } from "./When";

function Evidence({ title, text }: { title: string; text: string }) {
  return (
    <>
      <p className="row">
        <b>{title}</b> <Copy value={text} />
      </p>
      <pre>{text}</pre>
    </>
  );
}

function Notice({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="alarm" role="alert">
      <h2>{title}</h2>
      {children}
      <p>
        What to do: stop relying on what this console shows, keep a copy of the ledger's folder and of the texts above,
        and tell whoever is responsible for the ledger.
      </p>
    </section>
  );
}

function acceptKey(key: string): void {
  trustKey(key);
  void lookNow();
}

function KeyChanged({ look, offered }: { look: Examination; offered: string }) {
  if (look.key.kind !== "changed") return null;
  return (
    <Notice title="The ledger's verifier key has changed">
      <p>
        Since <At time={look.key.since} /> this browser has known another key for this ledger. An honest ledger keeps
        its key. Checks go on with the known key.
      </p>
      <Evidence title="Known key" text={look.key.known} />
      <Evidence title="Key offered now" text={offered} />
      <p>
        Only if the responsible person confirms the new key by another way:{" "}
        <Button size="compact-xs" variant="default" onClick={() => acceptKey(offered)}>
          Trust the new key and forget what was seen
        </Button>
      </p>
    </Notice>
  );
}

function PastBroken({ look }: { look: Examination }) {
  const { past, checkpoint } = look;
  if (past.kind !== "forked" && past.kind !== "rolled-back") return null;
  return (
    <Notice title={past.kind === "forked" ? "The ledger's history was rewritten" : "The ledger has become shorter"}>
      <p>
        {past.kind === "forked"
          ? `The ledger of ${grouped(checkpoint.size)} entries does not contain the ${grouped(past.size)} entries that this browser saw signed at `
          : `The newest checkpoint covers ${grouped(checkpoint.size)} entries, but this browser saw ${grouped(past.size)} signed at `}
        <At time={past.at} />. Both checkpoints together are evidence.
      </p>
      <Evidence title="Seen earlier" text={past.older} />
      <Evidence title="Shown now" text={checkpoint.raw} />
    </Notice>
  );
}

function BadSignature({ look }: { look: Examination }) {
  if (look.signature !== "invalid" && look.signature !== "missing") return null;
  return (
    <Notice
      title={
        look.signature === "invalid"
          ? "The checkpoint's signature is wrong"
          : "The checkpoint is not signed by the known key"
      }
    >
      <p>
        {look.signature === "invalid"
          ? "The newest checkpoint carries a signature that does not belong to its text."
          : "None of the newest checkpoint's signatures was made by the key that this browser knows for this ledger."}
      </p>
      <Evidence title="Checkpoint" text={look.checkpoint.raw} />
      <Evidence title="Known key" text={look.keyText} />
    </Notice>
  );
}

/** What must not be overlooked, above every page. */
export function Alarm() {
  const { look, status } = useWatch();
  if (!look || !status) return null;
  return (
    <>
      {look.key.kind === "changed" && <KeyChanged look={look} offered={status.verifier_key} />}
      <BadSignature look={look} />
      <PastBroken look={look} />
    </>
  );
}
