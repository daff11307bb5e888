import { Button, PasswordInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { asProblem, type Problem } from "../api/problem";
import { Code } from "../parts/Copy";
import { Mark } from "../parts/Icon";
import { ProblemNote } from "../parts/Notice";
import { signIn } from "../state/ledger";
import { navigate, useParams } from "../state/router";

function safeNext(next: string | null): string {
  return next?.startsWith("/") && !next.startsWith("//") && !next.startsWith("/\\") ? next : "/";
}

export function SignIn() {
  const params = useParams();
  const [token, setToken] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();

  const submit = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    signIn(token.trim())
      .then(() => navigate(safeNext(params.get("next")), { replace: true }))
      .catch((error: unknown) => setProblem(asProblem(error)))
      .finally(() => setBusy(false));
  };

  return (
    <main className="sign-in stack">
      <div className="wordmark" style={{ padding: 0 }}>
        <Mark />
        Counterfoil
      </div>
      <div>
        <h1>Sign in to the ledger</h1>
        <p className="quiet">Every look at the ledger belongs to a named person or program.</p>
      </div>
      {params.get("link") === "used" && (
        <div className="note" data-tone="denied" role="status">
          <strong>This link was used already or is too old</strong>
          <p className="quiet">
            A sign-in link works once, within an hour. Start <code>counterfoil serve</code> again for a new one, or sign
            in with a token.
          </p>
        </div>
      )}
      <form className="stack" onSubmit={submit}>
        <PasswordInput
          label="Token"
          description="It begins with cf_ and was shown once, when it was made."
          value={token}
          onChange={(event) => setToken(event.currentTarget.value)}
          autoComplete="current-password"
          required
          withAsterisk={false}
        />
        <Button type="submit" loading={busy} disabled={token.trim() === ""}>
          Sign in
        </Button>
      </form>
      {problem?.status === 401 ? (
        <div className="note" data-tone="failed" role="alert">
          <strong>This token is not valid</strong>
          <p className="quiet">
            It may have been revoked or have expired. Check that it was copied whole, or ask for a new one.
          </p>
        </div>
      ) : (
        problem && <ProblemNote problem={problem} />
      )}
      <div className="stack small">
        <p>
          <b>No token?</b> When <code>counterfoil serve</code> starts in a terminal, it prints a link that signs in
          once. Or whoever runs the ledger makes a token for you on its machine:
        </p>
        <Code value="counterfoil token create LEDGER --role auditor" />
      </div>
    </main>
  );
}
