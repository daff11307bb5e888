import type { Lake, OnlyInCopy, Run, Shipping, Status } from "../api/types";
import { isAlarming, isVerified } from "../proof/examine";
import { useWatch } from "../state/ledger";
import { bytes, grouped, percent, plural } from "../text/number";
import { lasting } from "../text/time";
import { Grade, type Tone } from "./Grade";
import { KeyWords, PastWords, SignatureWords } from "./Judgement";
import { Text } from "./Text";
import { Ago, At } from "./When";

function LastRun({ run }: { run: Run | null | undefined }) {
  if (run === undefined) return <Grade tone="none" title="Last verification: not known" />;
  if (run === null) return <Grade tone="denied" title="Every byte verified: never yet" />;
  return (
    <Grade
      tone={run.verified ? "good" : "failed"}
      title={
        <b>
          {run.verified
            ? "Every byte verified by the server"
            : `Verification failed: ${plural(run.findings_total, "finding")}`}
          , <Ago time={run.finished_at} />
        </b>
      }
    >
      {grouped(run.tree_size)} entries;{" "}
      {run.anchored ? "checked against an outside anchor" : "not compared with an outside anchor"}
    </Grade>
  );
}

/** How long the oldest entry has been waiting; what the ledger says of itself alone waits for others. */
export function waitingFor({ lag_seconds: seconds }: Shipping): string {
  return seconds > 0 ? `, the oldest recorded ${lasting(seconds)} ago` : "";
}

/** How much of the ledger lies where its operator cannot change it. */
function Shipped({ status }: { status: Status }) {
  const { shipping, read_from: place } = status;
  if (place) {
    return (
      <Grade tone={status.fault ? "denied" : "good"} title={<b>Only read here</b>}>
        from <Text>{place}</Text>; nothing is recorded through this service
      </Grade>
    );
  }
  if (!shipping) {
    return (
      <Grade tone="none" title="Shipped: nowhere">
        The only copy is on this service’s disk.
      </Grade>
    );
  }
  const { shipped_size: shipped, lag_entries: lag } = shipping;
  const tone = shipping.stopped ? "failed" : shipping.fault ? "denied" : shipped > 0 ? "good" : "none";
  return (
    <Grade tone={tone} title={<b>Shipped: {shipped === 0 ? "nothing yet" : `${grouped(shipped)} entries`}</b>}>
      {lag === 0
        ? "The copy under Object Lock holds all of them"
        : `${plural(lag, "newer entry", "newer entries")} would be lost with this disk${waitingFor(shipping)}`}
      {shipping.stopped && "; the copy holds ANOTHER history, and shipping has stopped"}
      {shipping.fault && !shipping.stopped && `; shipping fails, ${plural(shipping.failures, "attempt")}`}
    </Grade>
  );
}

/** What was pruned: of that the service's disk has proofs and indexes only. */
function Pruned({ only }: { only: OnlyInCopy }) {
  return (
    <Grade tone="good" title={<b>Pruned: {plural(only.entries, "entry", "entries")} are in the copy only</b>}>
      {plural(only.segments, "segment")}, {bytes(only.bytes)}, at <Text>{only.place}</Text>; read from there where they
      are needed
    </Grade>
  );
}

/** The table that analysts query, where the service keeps one. */
function Table({ lake }: { lake: Lake }) {
  return (
    <Grade
      tone={lake.fault ? "denied" : "good"}
      title={<b>Lake table: {lake.entries === 0 ? "nothing yet" : `${grouped(lake.entries)} entries`}</b>}
    >
      <Text>{lake.to}</Text>
      {lake.lag_entries > 0 && `; ${plural(lake.lag_entries, "sealed entry", "sealed entries")} not there yet`}
      {lake.fault && `; it fails, ${plural(lake.failures, "attempt")}`}
    </Grade>
  );
}

/** How far the ledger's evidence reaches, in graded words instead of one green tick. */
export function Grades({ run }: { run: Run | null | undefined }) {
  const { look, status, problem } = useWatch();
  const tone: Tone = !look ? "denied" : isAlarming(look) ? "failed" : isVerified(look) ? "good" : "denied";
  const sealed = status?.sealed_size ?? 0;
  const size = status?.tree_size ?? 0;
  return (
    <ul className="grades">
      <Grade
        tone={tone}
        title={
          <b>
            {tone === "good"
              ? "Checked here, in your browser"
              : tone === "failed"
                ? "The check in your browser FAILED"
                : "Not checked in your browser"}
          </b>
        }
      >
        {problem?.detail}
        {look && (
          <>
            <SignatureWords look={look} />. <KeyWords look={look} /> <PastWords look={look} />
          </>
        )}
      </Grade>
      {look && (
        <Grade tone={tone} title={<b>Covered by checkpoint {grouped(look.checkpoint.size)}</b>}>
          read at <At time={look.at} />
        </Grade>
      )}
      {status && (
        <Grade
          tone={sealed > 0 ? "good" : "none"}
          title={<b>Sealed: {sealed === 0 ? "nothing yet" : `${grouped(sealed)} entries`}</b>}
        >
          {size > 0 &&
            `${percent(sealed, size)} of the ledger; ${plural(size - sealed, "newer entry", "newer entries")} in the journal`}
        </Grade>
      )}
      {status && <Shipped status={status} />}
      {status?.only_in_copy && status.only_in_copy.segments > 0 && <Pruned only={status.only_in_copy} />}
      {status?.lake && <Table lake={status.lake} />}
      <LastRun run={run} />
    </ul>
  );
}
