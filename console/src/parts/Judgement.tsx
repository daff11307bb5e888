import type { Examination } from "../proof/examine";
import { grouped } from "../text/number";
import { At } from "./When";

/** What the browser found, in words. */
export function SignatureWords({ look }: { look: Examination }) {
  switch (look.signature) {
    case "valid":
      return <>The ledger’s key signed this root</>;
    case "invalid":
      return <>The signature under the root is WRONG</>;
    case "missing":
      return <>The known key did NOT sign this root</>;
    case "unsupported":
      return (
        <>
          Signature not checked: this browser has no Ed25519. Use a current Chrome, Edge, Firefox or Safari, or
          “counterfoil check”.
        </>
      );
  }
}

export function KeyWords({ look }: { look: Examination }) {
  switch (look.key.kind) {
    case "first-seen":
      return <>First seen in this browser now. Compare it once with a key that you were given another way.</>;
    case "same":
      return (
        <>
          The same key as on <At time={look.key.since} />.
        </>
      );
    case "changed":
      return (
        <>
          The server now offers ANOTHER key than the one known since <At time={look.key.since} />.
        </>
      );
  }
}

export function PastWords({ look }: { look: Examination }) {
  const { past } = look;
  switch (past.kind) {
    case "first-seen":
      return <>No earlier checkpoint is known in this browser. From now on this one is remembered.</>;
    case "same":
      return (
        <>
          The same tree as seen at <At time={past.at} />.
        </>
      );
    case "extends":
      return (
        <>
          Contains, unchanged, the {grouped(past.size)} entries seen at <At time={past.at} /> (recomputed from{" "}
          {past.hashes} hashes).
        </>
      );
    case "rolled-back":
      return (
        <>
          SHORTER than the {grouped(past.size)} entries seen at <At time={past.at} />.
        </>
      );
    case "forked":
      return (
        <>
          NOT an extension of the {grouped(past.size)} entries seen at <At time={past.at} />: history was rewritten.
        </>
      );
  }
}
