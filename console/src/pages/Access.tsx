import { Button } from "@mantine/core";
import { useState } from "react";
import { getJson, request } from "../api/client";
import { asProblem, type Problem } from "../api/problem";
import type { Role, Session, Token } from "../api/types";
import { Loading, ProblemNote } from "../parts/Notice";
import { Card, Page } from "../parts/Page";
import { Text } from "../parts/Text";
import { At } from "../parts/When";
import { useSession } from "../state/ledger";
import { useResource } from "../state/resource";
import { CreateToken } from "./access/CreateToken";
import { TokensTable } from "./access/TokensTable";

const MAY: Record<Role, string> = {
  writer: "record events, and ask for the checkpoint and for proofs",
  reader: "read entries, histories, SQL, sources and verifications",
  auditor: "read everything a reader may, and make evidence bundles; what an auditor reads is recorded",
  reviewer: "read everything a reader may, decide on alerts and sign reviews",
  admin: "do everything: record, read, review, start verifications, make and revoke tokens",
};

function Me({ session }: { session: Session }) {
  return (
    <Card title="Who you are">
      <dl className="facts">
        <dt>Name</dt>
        <dd>
          <Text>{session.name}</Text>
        </dd>
        <dt>Role</dt>
        <dd>{session.role}</dd>
        <dt>May</dt>
        <dd>{MAY[session.role] ?? "what the role allows"}</dd>
        {session.expires_at && (
          <>
            <dt>Token holds until</dt>
            <dd>
              <At time={session.expires_at} />
            </dd>
          </>
        )}
        <dt>Signed out after</dt>
        <dd>12 hours</dd>
      </dl>
    </Card>
  );
}

function Tokens() {
  const tokens = useResource("tokens", (signal) => getJson<{ tokens: Token[] }>("/api/v1/tokens", signal));
  const [creating, setCreating] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const revoke = async (token: Token) => {
    setProblem(undefined);
    try {
      await request(`/api/v1/tokens/${encodeURIComponent(token.id)}`, { method: "DELETE" });
    } catch (error) {
      setProblem(asProblem(error));
    }
    tokens.reload();
  };
  return (
    <Card
      wide
      title="Tokens"
      aside={
        <Button size="compact-sm" onClick={() => setCreating(true)}>
          Make a token
        </Button>
      }
    >
      {problem && <ProblemNote problem={problem} />}
      {tokens.problem && <ProblemNote problem={tokens.problem} onRetry={tokens.reload} />}
      {!tokens.data && tokens.loading && <Loading what="the tokens" />}
      {tokens.data && <TokensTable tokens={tokens.data.tokens} onRevoke={revoke} />}
      {creating && <CreateToken onClose={() => setCreating(false)} onCreated={tokens.reload} />}
    </Card>
  );
}

export default function Access() {
  const session = useSession();
  if (!session) return null;
  return (
    <Page
      title="Access"
      lead="Every token belongs to one named person or program, and the ledger records who recorded what."
    >
      <div className="stack">
        {session.role === "admin" && <Tokens />}
        <Me session={session} />
        {session.role !== "admin" && (
          <p className="quiet">Tokens are made and revoked by an administrator of the ledger.</p>
        )}
      </div>
    </Page>
  );
}
