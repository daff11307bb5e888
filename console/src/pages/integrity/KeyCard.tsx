import { Button, TextInput } from "@mantine/core";
import { useEffect, useState } from "react";
import { Code } from "../../parts/Copy";
import { KeyWords } from "../../parts/Judgement";
import { Card } from "../../parts/Page";
import { pinKey, recall, trustKey } from "../../proof/memory";
import { parseVerifierKey } from "../../proof/note";
import { lookNow, useWatch } from "../../state/ledger";

/** The key that this browser trusts, and the way to give it one that came from elsewhere. */
export function KeyCard() {
  const { look } = useWatch();
  const [draft, setDraft] = useState("");
  const [fault, setFault] = useState<string>();
  const [pinned, setPinned] = useState(() => recall()?.pinned ?? false);

  // biome-ignore lint/correctness/useExhaustiveDependencies: every look may have changed what is remembered
  useEffect(() => setPinned(recall()?.pinned ?? false), [look]);

  const compare = async () => {
    try {
      const key = await parseVerifierKey(draft);
      trustKey(key.text);
      setFault(undefined);
      setDraft("");
      await lookNow();
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    }
  };
  const pin = () => {
    pinKey();
    setPinned(true);
  };
  return (
    <Card title="Verifier key" aside={pinned ? "pinned in this browser" : "not pinned"}>
      {look && (
        <div className="stack">
          <p className="quiet">
            <KeyWords look={look} />
          </p>
          <Code value={look.keyText} />
          {!pinned && (
            <p className="row">
              <Button size="compact-sm" variant="default" onClick={pin}>
                I compared it: pin this key
              </Button>
            </p>
          )}
          <details>
            <summary>Use a key that I was given another way</summary>
            <form
              className="key-form"
              onSubmit={(event) => {
                event.preventDefault();
                void compare();
              }}
            >
              <TextInput
                label="Verifier key"
                description="As “counterfoil key LEDGER” prints it"
                value={draft}
                onChange={(event) => setDraft(event.currentTarget.value)}
                error={fault}
                styles={{ input: { fontFamily: "var(--mono)" } }}
              />
              <Button type="submit" variant="default" disabled={draft.trim() === ""}>
                Pin and check
              </Button>
            </form>
          </details>
        </div>
      )}
    </Card>
  );
}
