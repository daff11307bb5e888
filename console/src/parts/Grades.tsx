import type { ReactNode } from "react";
import type { Run } from "../api/types";
import { isAlarming, isVerified } from "../proof/examine";
import { useWatch } from "../state/ledger";
import { grouped, percent, plural } from "../text/number";
import { Icon } from "./Icon";
import { KeyWords, PastWords, SignatureWords } from "./Judgement";
import { Ago, At } from "./When";

type Tone = "good" | "failed" | "denied" | "none";

const ICONS = { good: "check", failed: "cross", denied: "warn", none: "dash" } as const;
const LABELS = { good: "yes", failed: "failed", denied: "attention", none: "no" } as const;

function Grade({ tone, title, children }: { tone: Tone; title: ReactNode; children?: ReactNode }) {
  return (
    <li data-tone={tone}>
      <Icon name={ICONS[tone]} label={LABELS[tone]} />
      <div>
        {title}
        {children && <p>{children}</p>}
      </div>
    </li>
  );
}

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
      <LastRun run={run} />
    </ul>
  );
}
