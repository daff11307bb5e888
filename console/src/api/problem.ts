export interface ProblemBody {
  kind: string;
  title: string;
  status: number;
  detail: string;
  position?: number;
  retryAfter?: number;
}

export class Problem extends Error implements ProblemBody {
  readonly kind: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly retryAfter?: number;

  constructor(body: ProblemBody) {
    super(body.detail);
    this.kind = body.kind;
    this.title = body.title;
    this.status = body.status;
    this.detail = body.detail;
    if (body.retryAfter !== undefined) this.retryAfter = body.retryAfter;
  }
}

/** RFC 9457; whatever else answers is described by its status. */
export async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text().catch(() => "");
  let body: Partial<ProblemBody> = {};
  try {
    body = JSON.parse(text) as Partial<ProblemBody>;
  } catch {
    body = {};
  }
  const retry = Number(response.headers.get("retry-after"));
  return new Problem({
    kind: body.kind ?? "internal",
    title: body.title ?? (response.statusText || "Error"),
    status: response.status,
    detail: body.detail ?? `The server answered ${response.status} without saying why.`,
    ...(retry > 0 ? { retryAfter: retry } : {}),
  });
}

export function unreachable(): Problem {
  return new Problem({
    kind: "unreachable",
    title: "No answer",
    status: 0,
    detail: "The ledger server does not answer.",
  });
}

const ADVICE: Record<string, string> = {
  invalid: "Correct what the message names and try again.",
  denied: "Your role does not allow this. Ask an administrator of the ledger for the right.",
  "not-found": "Check the address: nothing in the ledger has this name or number.",
  conflict: "Somebody was faster, or it was so already. Load it again and look.",
  busy: "Wait a moment and try again.",
  unavailable: "Try again later. If a limit was reached, narrow the question.",
  closed: "The ledger was closed. Start the server again.",
  poisoned: "A write may not have reached the disk. Have the disk checked and the server started again.",
  damaged: "Bytes are missing or unreadable. Restore the ledger from a copy; keep the damaged one.",
  tampered: "Raise the alarm and keep the evidence: copy the ledger's folder before anybody changes it.",
  unreachable: "Check that counterfoil serve is running and that the network reaches it.",
};

export function adviceFor(problem: Problem): string {
  return ADVICE[problem.kind] ?? "Report this to whoever runs the ledger, with the message above.";
}

export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new Problem({ kind: "internal", title: "Unexpected", status: 0, detail });
}
