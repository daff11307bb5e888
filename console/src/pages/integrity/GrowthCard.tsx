import { numberOf, textOf } from "../../api/entry";
import { wholeAnswer } from "../../api/query";
import { Chart, type Series } from "../../parts/Chart";
import { Loading, ProblemNote } from "../../parts/Notice";
import { Card } from "../../parts/Page";
import { useResource } from "../../state/resource";
import { plural } from "../../text/number";
import { instant } from "../../text/time";
import { stepFor } from "../overview/period";

interface Growth {
  times: number[];
  series: Series[];
  total: number;
  interval: string;
}

/** The running number of entries at the end of each step of time; the step fits the ledger's age. */
async function loadGrowth(signal: AbortSignal): Promise<Growth> {
  const ends = await wholeAnswer("SELECT min(recorded_at) AS first, max(recorded_at) AS last FROM audit_log", signal);
  const [first = Number.NaN, last = Number.NaN] = (ends.rows[0] ?? []).map(
    (time) => instant(textOf(time)).getTime() / 1000,
  );
  if (Number.isNaN(first) || Number.isNaN(last)) return { times: [], series: [], total: 0, interval: "" };
  const [step, interval] = stepFor(last - first);
  const bin = `date_bin(interval '${interval}', recorded_at)`;
  const counts = await wholeAnswer(
    `SELECT ${bin} AS t, count(*) AS n FROM audit_log GROUP BY ${bin} ORDER BY 1`,
    signal,
  );
  let size = 0;
  const points: [number, number][] = [];
  for (const [time, count] of counts.rows) {
    const start = instant(textOf(time)).getTime() / 1000;
    const before = points.at(-1)?.[0];
    if (before === undefined || start > before) points.push([start, size]);
    size += numberOf(count);
    points.push([Math.min(start + step, Math.max(last, start + 1)), size]);
  }
  const values = points.map(([, count]) => count);
  return {
    times: points.map(([time]) => time),
    series: [{ name: "entries", colour: "series-1", values }],
    total: size,
    interval,
  };
}

export function GrowthCard() {
  const growth = useResource("growth", loadGrowth);
  return (
    <Card
      title="Tree size over time"
      aside={growth.data?.interval && `by time of recording, in steps of ${growth.data.interval}`}
    >
      {growth.problem && <ProblemNote problem={growth.problem} onRetry={growth.reload} />}
      {!growth.data && growth.loading && <Loading what="the growth" />}
      {growth.data && growth.data.total > 0 && (
        <Chart
          label={`The ledger grew to ${plural(growth.data.total, "entry", "entries")}.`}
          times={growth.data.times}
          series={growth.data.series}
          kind="area"
          height={220}
        />
      )}
      {growth.data?.total === 0 && <p className="quiet">Nothing has been recorded yet.</p>}
    </Card>
  );
}
