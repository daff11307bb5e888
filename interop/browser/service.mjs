/** A service that runs: started, filled, signed in to, ended. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { canonical, makeEvents } from "../../console/dev/events.mjs";

const COUNTERFOIL = process.env.COUNTERFOIL;
if (!COUNTERFOIL) throw new Error("COUNTERFOIL is the path of the counterfoil binary");

export function counterfoil(...args) {
  return execFileSync(COUNTERFOIL, args, { encoding: "utf8" });
}

/** Serves a ledger: the one in `folder`, or a fresh one, watched by the finance rules, that goes when the service ends. */
export async function serve(folder, ...more) {
  const work = folder ? null : mkdtempSync(join(tmpdir(), "counterfoil-browser-"));
  const ledger = folder ?? join(work, "audit");
  const rules = work && join(work, "rules");
  if (work) {
    counterfoil("init", ledger, "--origin", "bank.example/audit");
    counterfoil("rules", "init", rules);
  }
  const line = ["serve", ledger, "--listen", "127.0.0.1:0", "--print-link", "--log", "error", ...(work ? ["--rules", rules] : []), ...more];
  const child = spawn(COUNTERFOIL, line, { stdio: ["ignore", "pipe", "inherit"] });
  const since = Date.now();
  const first = await new Promise((resolve) => createInterface(child.stdout).once("line", resolve));
  const link = first.trim().split(/\s+/).at(-1);
  return {
    ledger,
    link,
    base: new URL(link).origin,
    startedIn: Date.now() - since,
    token: (role) => counterfoil("token", "create", ledger, "--role", role).trim(),
    async end() {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await gone;
      if (work) rmSync(work, { recursive: true });
    },
  };
}

/** Records made-up finance workflows of the last days. */
export async function fill(service, count, days = 14) {
  const token = service.token("writer");
  const lines = makeEvents(count, days, Date.now()).map(({ at, event }, n) =>
    canonical({ ...event, timestamp: new Date(at).toISOString(), source: "workflows", sequence: n < 40 ? n : n + 2 }),
  );
  for (let at = 0; at < lines.length; at += 1000) {
    const response = await fetch(`${service.base}/api/v1/entries?partial=true`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/x-ndjson" },
      body: lines.slice(at, at + 1000).join("\n"),
    });
    if (response.status !== 201) throw new Error(await response.text());
  }
}
