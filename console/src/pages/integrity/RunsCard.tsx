import { Button, Progress } from "@mantine/core";
import { useEffect, useState } from "react";
import { request } from "../../api/client";
import { asProblem, type Problem } from "../../api/problem";
import type { Run, Verification } from "../../api/types";
import { Loading, ProblemNote } from "../../parts/Notice";
import { Card } from "../../parts/Page";
import { TableWrap } from "../../parts/TableWrap";
import { Text } from "../../parts/Text";
import { Ago, At } from "../../parts/When";
import { useSession } from "../../state/ledger";
import { grouped, percent, plural } from "../../text/number";
import { instant, lasting } from "../../text/time";
import { Findings } from "./Findings";
import { Schedule, subject } from "./Schedule";

const POLL = 1000;
const SHOWN = 20;

function took(run: Run): string {
  const seconds = (instant(run.finished_at).getTime() - instant(run.started_at).getTime()) / 1000;
  return seconds < 10 ? `${seconds.toFixed(1)} s` : lasting(seconds);
}

function RunRow({ run }: { run: Run }) {
  return (
    <tr>
      <td>
        <At time={run.started_at} />
        <div className="quiet">
          {run.extent === "scrub" ? "a round" : <Ago time={run.started_at} />}, took {took(run)}
        </div>
      </td>
      <td>
        {subject(run)}
        {run.runs > 1 && <div className="quiet">the newest of {grouped(run.runs)} alike</div>}
      </td>
      <td>
        <span className="tag" data-tone={run.verified ? "good" : "failed"}>
          {run.verified ? "verified" : run.fault ? "not finished" : plural(run.findings_total, "finding")}
        </span>
        {run.fault && (
          <p>
            It could not be run to its end: <Text>{run.fault}</Text>
          </p>
        )}
        <Findings run={run} />
      </td>
      <td className="num">{grouped(run.tree_size)}</td>
      <td>{run.anchored ? "compared" : <span className="quiet">not compared</span>}</td>
    </tr>
  );
}

function Running({ running }: { running: NonNullable<Verification["running"]> }) {
  const share = running.total > 0 ? (100 * running.checked) / running.total : 0;
  return (
    <div role="status" className="running">
      <p>
        Verifying: {grouped(running.checked)} of {grouped(running.total)} entries (
        {percent(running.checked, running.total)})
      </p>
      <Progress value={share} aria-label="Progress of the verification" />
    </div>
  );
}

export function RunsCard({ verification, onReload }: { verification: Verification | undefined; onReload: () => void }) {
  const session = useSession();
  const [problem, setProblem] = useState<Problem>();
  const running = verification?.running ?? undefined;

  useEffect(() => {
    if (!running) return;
    const timer = setTimeout(onReload, POLL);
    return () => clearTimeout(timer);
  }, [running, onReload]);

  const start = async () => {
    setProblem(undefined);
    try {
      await request("/api/v1/verification", { method: "POST" });
    } catch (error) {
      setProblem(asProblem(error));
    }
    onReload();
  };
  return (
    <Card
      wide
      title="Verifications by the server"
      aside={
        session?.role === "admin" ? (
          <Button size="compact-sm" variant="default" onClick={start} disabled={running !== undefined}>
            Run one now
          </Button>
        ) : (
          "an administrator may start one"
        )
      }
    >
      {problem && <ProblemNote problem={problem} />}
      {running && <Running running={running} />}
      {!verification && <Loading what="the verifications" />}
      {verification && <Schedule schedule={verification.schedule} />}
      {verification?.runs.length === 0 && !running && (
        <p className="quiet">
          No verification has run yet. One reads every byte of the ledger and recomputes every hash, signature and
          sequence.
        </p>
      )}
      {verification && verification.runs.length > 0 && (
        <TableWrap label="Verifications">
          <table className="table">
            <thead>
              <tr>
                <th scope="col">Begun</th>
                <th scope="col">Of</th>
                <th scope="col">Result</th>
                <th scope="col" className="num">
                  Entries
                </th>
                <th scope="col">Outside anchor</th>
              </tr>
            </thead>
            <tbody>
              {verification.runs.slice(0, SHOWN).map((run) => (
                <RunRow key={`${run.of} ${run.extent} ${run.started_at}`} run={run} />
              ))}
            </tbody>
          </table>
        </TableWrap>
      )}
      {verification && verification.runs.length > SHOWN && (
        <p className="quiet small">
          The newest {SHOWN} of {grouped(verification.runs.length)}. All are in the ledger as ledger.verified.
        </p>
      )}
    </Card>
  );
}
