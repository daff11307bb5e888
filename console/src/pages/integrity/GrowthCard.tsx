import { useMemo } from "react";
import { numberOf, textOf } from "../../api/entry";
import { query } from "../../api/query";
import { Chart } from "../../parts/Chart";
import { Loading, ProblemNote } from "../../parts/Notice";
import { Card } from "../../parts/Page";
import { useResource } from "../../state/resource";
import { plural } from "../../text/number";
import { instant } from "../../text/time";

const SQL =
  "SELECT date_bin(interval '1 day', recorded_at) AS t, count(*) AS n FROM audit_log GROUP BY date_bin(interval '1 day', recorded_at) ORDER BY 1";
const DAY = 86_400;

export function GrowthCard() {
  const growth = useResource("growth", async (signal) => (await query(SQL, signal)).rows);
  const { times, series, total } = useMemo(() => {
    let size = 0;
    const points: [number, number][] = [];
    for (const [time, count] of growth.data ?? []) {
      const day = instant(textOf(time)).getTime() / 1000;
      if (points.length === 0) points.push([day, 0]);
      size += numberOf(count);
      points.push([day + DAY, size]);
    }
    return {
      times: points.map(([time]) => time),
      series: [{ name: "entries", colour: "series-1", values: points.map(([, count]) => count) }],
      total: size,
    };
  }, [growth.data]);
  return (
    <Card title="Tree size over time" aside="at the end of each UTC day, by time of recording">
      {growth.problem && <ProblemNote problem={growth.problem} onRetry={growth.reload} />}
      {!growth.data && growth.loading && <Loading what="the growth" />}
      {growth.data && times.length > 1 && (
        <Chart
          label={`The ledger grew to ${plural(total, "entry", "entries")}.`}
          times={times}
          series={series}
          kind="area"
          height={200}
        />
      )}
      {growth.data?.length === 0 && <p className="quiet">Nothing has been recorded yet.</p>}
    </Card>
  );
}
