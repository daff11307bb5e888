export interface Period {
  from?: Date;
  /** Seconds a bar stands for, and the same as SQL says it. */
  step: number;
  interval: string;
}

export const PERIODS = [
  { value: "24h", label: "24 hours", hours: 24, words: "the last 24 hours" },
  { value: "7d", label: "7 days", hours: 168, words: "the last 7 days" },
  { value: "30d", label: "30 days", hours: 720, words: "the last 30 days" },
  { value: "90d", label: "90 days", hours: 2160, words: "the last 90 days" },
  { value: "all", label: "All time", hours: 0, words: "all time" },
] as const;

const STEPS: [number, string][] = [
  [60, "1 minute"],
  [300, "5 minute"],
  [1800, "30 minute"],
  [3600, "1 hour"],
  [3 * 3600, "3 hour"],
  [12 * 3600, "12 hour"],
  [86_400, "1 day"],
  [7 * 86_400, "7 day"],
  [30 * 86_400, "30 day"],
  [365 * 86_400, "365 day"],
];

const MOST_BARS = 64;

export function stepFor(seconds: number): [number, string] {
  return STEPS.find(([step]) => seconds / step <= MOST_BARS) ?? (STEPS.at(-1) as [number, string]);
}

/** The period begins where a bar begins, so that the first bar is whole. */
export function periodOf(hours: number, now: number): Period {
  const [step, interval] = stepFor(hours * 3600);
  const from = new Date(Math.floor((now - hours * 3_600_000) / (step * 1000)) * step * 1000);
  return { from, step, interval };
}
