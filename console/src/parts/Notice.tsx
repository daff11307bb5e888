import { Button, Loader } from "@mantine/core";
import type { ReactNode } from "react";
import { adviceFor, type Problem } from "../api/problem";
import { laidOut } from "../text/detail";
import { Text } from "./Text";

export function ProblemNote({ problem, onRetry }: { problem: Problem; onRetry?: () => void }) {
  const { said, shown, more } = laidOut(problem.detail);
  return (
    <div className="note" data-tone="failed" role="alert">
      <strong>
        <Text>{problem.title}</Text>
      </strong>
      <p className="problem-detail">
        <Text>{said}</Text>
      </p>
      {shown.length > 0 && (
        <pre className="problem-place">
          {shown.map((line, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the lines of a text have no other identity
            <div key={i}>
              <Text>{line}</Text>
            </div>
          ))}
        </pre>
      )}
      {more && (
        <p className="problem-detail">
          <Text>{more}</Text>
        </p>
      )}
      <p className="quiet">
        {adviceFor(problem)}
        {problem.retryAfter ? ` The server asks to wait ${problem.retryAfter} s.` : ""}
      </p>
      {onRetry && (
        <Button mt="xs" size="compact-sm" variant="default" onClick={onRetry}>
          Try again
        </Button>
      )}
    </div>
  );
}

export function Loading({ what }: { what: string }) {
  return (
    <p className="row quiet" role="status">
      <Loader size="xs" /> Loading {what} …
    </p>
  );
}

export function Empty({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="empty stack">
      <div>
        <h2>{title}</h2>
        {children}
      </div>
    </div>
  );
}
