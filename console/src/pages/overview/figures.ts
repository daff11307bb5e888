import { numberOf, textOf } from "../../api/entry";
import { wholeAnswer } from "../../api/query";
import { instant } from "../../text/time";
import { type Period, periodOf, stepFor } from "./period";

export interface TypeVolume {
  eventType: string;
  values: number[];
  total: number;
}

export interface Volume {
  times: number[];
  types: TypeVolume[];
  total: number;
  denied: number;
  failed: number;
  overrides: number;
  period: Period;
}

export interface ModelRate {
  model: string;
  decisions: number;
  overridden: number;
}

const SHOWN_TYPES = 7;

async function extent(signal: AbortSignal): Promise<Period> {
  const answer = await wholeAnswer(
    "SELECT min(timestamp) AS first, max(timestamp) AS last, count(*) AS n FROM audit_log",
    signal,
  );
  const [first, last] = (answer.rows[0] ?? []).map((value) => instant(textOf(value)).getTime());
  const seconds = first && last ? (last - first) / 1000 : 3600;
  const [step, interval] = stepFor(seconds);
  return { step, interval };
}

function condition(period: Period): string {
  return period.from ? ` WHERE timestamp >= '${period.from.toISOString()}'` : "";
}

function filledTimes(seen: number[], { from, step }: Period, now: number): number[] {
  if (seen.length === 0) return [];
  const first = from ? from.getTime() / 1000 : Math.min(...seen);
  const last = from ? Math.max(now / 1000, ...seen) : Math.max(...seen);
  return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, i) => first + i * step);
}

function named(types: TypeVolume[]): TypeVolume[] {
  const sorted = types.sort((a, b) => b.total - a.total);
  const rest = sorted.slice(SHOWN_TYPES);
  if (rest.length === 0) return sorted;
  const values = (sorted[0]?.values ?? []).map((_, i) => rest.reduce((sum, type) => sum + (type.values[i] ?? 0), 0));
  return [...sorted.slice(0, SHOWN_TYPES), { eventType: "", values, total: values.reduce((a, b) => a + b, 0) }];
}

export async function loadVolume(hours: number, now: number, signal: AbortSignal): Promise<Volume> {
  const period = hours > 0 ? periodOf(hours, now) : await extent(signal);
  const bin = `date_bin(interval '${period.interval}', timestamp)`;
  const sql = `SELECT ${bin} AS t, event_type, outcome, count(*) AS n FROM audit_log${condition(period)} GROUP BY ${bin}, event_type, outcome`;
  const { rows } = await wholeAnswer(sql, signal);
  const cells = rows.map(([t, type, outcome, n]) => ({
    time: instant(textOf(t)).getTime() / 1000,
    type: textOf(type),
    outcome: textOf(outcome),
    count: numberOf(n),
  }));
  const times = filledTimes([...new Set(cells.map(({ time }) => time))], period, now);
  const placeOf = new Map(times.map((time, i) => [time, i]));
  const types = new Map<string, TypeVolume>();
  for (const { time, type, count } of cells) {
    const volume = types.get(type) ?? { eventType: type, values: times.map(() => 0), total: 0 };
    const place = placeOf.get(time);
    if (place !== undefined) volume.values[place] = (volume.values[place] ?? 0) + count;
    volume.total += count;
    types.set(type, volume);
  }
  const sum = (wanted: (cell: (typeof cells)[number]) => boolean) =>
    cells.reduce((total, cell) => total + (wanted(cell) ? cell.count : 0), 0);
  return {
    times,
    types: named([...types.values()]),
    total: sum(() => true),
    denied: sum(({ outcome }) => outcome === "denied"),
    failed: sum(({ outcome }) => outcome === "failure"),
    overrides: sum(({ type }) => type === "manual_override"),
    period,
  };
}

/** An override counts for the model that it names, or else for the one that acted last on the same entity. */
export async function loadModels(hours: number, now: number, signal: AbortSignal): Promise<ModelRate[]> {
  const since = hours > 0 ? ` AND timestamp >= '${periodOf(hours, now).from?.toISOString()}'` : "";
  const overridden = `event_type = 'manual_override'${since}`;
  const [decided, overrode] = await Promise.all([
    wholeAnswer(
      `SELECT context->>'model_version' AS model, count(*) AS decisions FROM audit_log WHERE event_type <> 'manual_override'${since} GROUP BY 1`,
      signal,
    ),
    wholeAnswer(
      "SELECT model, count(*) AS overridden FROM (SELECT event_type, timestamp, last_value(context->>'model_version') IGNORE NULLS " +
        "OVER (PARTITION BY entity_id ORDER BY index) AS model FROM audit_log " +
        `WHERE entity_id IN (SELECT entity_id FROM audit_log WHERE ${overridden})) WHERE ${overridden} GROUP BY 1`,
      signal,
    ),
  ]);
  const rates = new Map<string, ModelRate>();
  const rateOf = (model: string) => {
    const rate = rates.get(model) ?? { model, decisions: 0, overridden: 0 };
    rates.set(model, rate);
    return rate;
  };
  for (const [model, count] of decided.rows) rateOf(textOf(model)).decisions = numberOf(count);
  for (const [model, count] of overrode.rows) rateOf(textOf(model)).overridden = numberOf(count);
  rates.delete("");
  const share = ({ decisions, overridden: over }: ModelRate) => over / (decisions || 1);
  return [...rates.values()].sort((a, b) => share(b) - share(a) || b.decisions - a.decisions);
}
