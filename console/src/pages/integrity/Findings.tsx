import type { Finding, Run } from "../../api/types";
import { Link } from "../../parts/Link";
import { Text } from "../../parts/Text";
import { grouped, plural } from "../../text/number";

const ADVICE: Record<string, string> = {
  tampered:
    "Raise the alarm. Keep the ledger’s folder as it is, compare it with a copy, and find out who could write to it.",
  damaged: "Restore this file from a copy, and keep the damaged one.",
  incomplete: "Ask whoever runs the source why events are missing; the numbers say which.",
};

function adviceOf(finding: Finding): string {
  return (
    ADVICE[finding.class] ?? "Keep the ledger’s folder as it is and report this finding to whoever runs the ledger."
  );
}

function Place({ finding }: { finding: Finding }) {
  const parts = [
    finding.file !== null && finding.file !== undefined && (
      <span key="file">
        file <Text>{finding.file}</Text>
        {finding.offset !== null && finding.offset !== undefined && `, byte ${grouped(finding.offset)}`}
      </span>
    ),
    finding.index !== null && finding.index !== undefined && (
      <span key="index">
        <Link href={`/trail?entry=${finding.index}`}>entry {grouped(finding.index)}</Link>
      </span>
    ),
  ].filter(Boolean);
  return parts.length === 0 ? null : <p className="quiet row">{parts}</p>;
}

export function Findings({ run }: { run: Run }) {
  if (run.findings.length === 0) return null;
  const hidden = run.findings_total - run.findings.length;
  return (
    <ul className="findings">
      {run.findings.map((finding) => (
        <li key={`${finding.kind} ${finding.file} ${finding.offset} ${finding.index} ${finding.message}`}>
          <b>
            <Text>{finding.message}</Text>
          </b>{" "}
          <span className="tag">
            <Text>{finding.kind}</Text>
          </span>
          <Place finding={finding} />
          <p>{adviceOf(finding)}</p>
        </li>
      ))}
      {hidden > 0 && (
        <li className="quiet">{plural(hidden, "more finding")} not listed here; “counterfoil verify” prints all.</li>
      )}
    </ul>
  );
}
