import { Button, Modal, Select, TagsInput, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { request } from "../../api/client";
import { asProblem, type Problem } from "../../api/problem";
import type { Role, Token } from "../../api/types";
import { Code } from "../../parts/Copy";
import { ProblemNote } from "../../parts/Notice";
import { useZone } from "../../state/settings";
import { fromField, zoneName } from "../../text/time";

const ROLES: { value: Role; label: string }[] = [
  { value: "writer", label: "writer: records events" },
  { value: "reader", label: "reader: reads" },
  { value: "auditor", label: "auditor: reads, makes evidence bundles" },
  { value: "reviewer", label: "reviewer: reads, decides on alerts, signs reviews" },
  { value: "admin", label: "admin: everything" },
];

function Made({ token, onClose }: { token: Token; onClose: () => void }) {
  return (
    <div className="stack">
      <p>
        <b>Copy the token now.</b> It is shown once; the ledger keeps only its hash.
      </p>
      <Code value={token.token ?? ""} label="Copy the token" />
      <div className="row end">
        <Button onClick={onClose}>I have copied it</Button>
      </div>
    </div>
  );
}

export function CreateToken({ onClose, onCreated }: { onClose: () => void; onCreated: () => void }) {
  const zone = useZone();
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("auditor");
  const [prefixes, setPrefixes] = useState<string[]>([]);
  const [expires, setExpires] = useState("");
  const [made, setMade] = useState<Token>();
  const [problem, setProblem] = useState<Problem>();

  const create = async (event: FormEvent) => {
    event.preventDefault();
    setProblem(undefined);
    try {
      const body = {
        name: name.trim(),
        role,
        prefixes: role === "writer" ? prefixes : [],
        expires_at: fromField(expires, zone) ?? null,
      };
      setMade((await (await request("/api/v1/tokens", { method: "POST", body })).json()) as Token);
      onCreated();
    } catch (error) {
      setProblem(asProblem(error));
    }
  };
  return (
    <Modal
      opened
      onClose={onClose}
      title="Make a token"
      closeOnClickOutside={!made}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {made ? (
        <Made token={made} onClose={onClose} />
      ) : (
        <form className="stack" onSubmit={create}>
          <TextInput
            label="Name"
            description="The person or program it belongs to; it stands beside everything recorded with it"
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            required
            withAsterisk={false}
            data-autofocus
          />
          <Select
            label="Role"
            data={ROLES}
            value={role}
            allowDeselect={false}
            onChange={(value) => value && setRole(value as Role)}
          />
          {role === "writer" && (
            <TagsInput
              label="Only event types that begin with"
              placeholder="Any"
              value={prefixes}
              onChange={setPrefixes}
            />
          )}
          <TextInput
            type="datetime-local"
            label={`Expires (${zoneName(zone)})`}
            description="Empty: never"
            value={expires}
            onChange={(event) => setExpires(event.currentTarget.value)}
          />
          {problem && <ProblemNote problem={problem} />}
          <div className="row end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" disabled={name.trim() === ""}>
              Make the token
            </Button>
          </div>
        </form>
      )}
    </Modal>
  );
}
