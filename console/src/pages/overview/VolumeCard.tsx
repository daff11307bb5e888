import { useState } from "react";
import { Chart } from "../../parts/Chart";
import { Link } from "../../parts/Link";
import { Card } from "../../parts/Page";
import { TableWrap } from "../../parts/TableWrap";
import { Text } from "../../parts/Text";
import { navigate } from "../../state/router";
import { useZone } from "../../state/settings";
import { grouped, plural } from "../../text/number";
import { timeText } from "../../text/time";
import type { Volume } from "./figures";

function trailHref(from: number, to: number): string {
  const iso = (seconds: number) => new Date(seconds * 1000).toISOString();
  return `/trail?${new URLSearchParams({ from: iso(from), to: iso(to), since: "custom" })}`;
}

function typeHref(eventType: string, volume: Volume): string {
  const { from } = volume.period;
  return `/trail?${new URLSearchParams({ event_type: eventType, ...(from ? { from: from.toISOString(), since: "custom" } : {}) })}`;
}

function colourAt(place: number, eventType: string): string {
  return eventType === "" ? "series-8" : `series-${(place % 7) + 1}`;
}

function AsTable({ volume }: { volume: Volume }) {
  const zone = useZone();
  const rows = volume.times
    .map((time, i) => ({ time, count: volume.types.reduce((sum, { values }) => sum + (values[i] ?? 0), 0) }))
    .filter(({ count }) => count > 0);
  return (
    <details className="as-table">
      <summary>Show as a table</summary>
      <TableWrap label="Events by time">
        <table className="table">
          <thead>
            <tr>
              <th scope="col">From</th>
              <th scope="col" className="num">
                Events
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ time, count }) => (
              <tr key={time}>
                <td>
                  <Link href={trailHref(time, time + volume.period.step)}>
                    {timeText(new Date(time * 1000), zone, false)}
                  </Link>
                </td>
                <td className="num">{grouped(count)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableWrap>
    </details>
  );
}

export function VolumeCard({ volume, words }: { volume: Volume; words: string }) {
  const [hovered, setHovered] = useState<number>();
  const zone = useZone();
  const { step } = volume.period;
  const time = hovered === undefined ? undefined : volume.times[hovered];
  const [series, setSeries] = useState(() => seriesOf(volume));
  const [drawn, setDrawn] = useState(volume);
  if (drawn !== volume) {
    setDrawn(volume);
    setSeries(seriesOf(volume));
  }
  const brush = (from: number, to: number) =>
    navigate(trailHref(Math.floor(from / step) * step, Math.ceil(to / step) * step));
  return (
    <Card
      wide
      title="Volume by event type"
      aside={
        time === undefined
          ? "Drag over the bars to open that time in the trail"
          : `${timeText(new Date(time * 1000), zone, false)}, ${volume.period.interval}${/^1 /.test(volume.period.interval) ? "" : "s"}`
      }
    >
      <Chart
        label={`${plural(volume.total, "event")} in ${words}, stacked by event type. The same numbers follow as a list and a table.`}
        times={volume.times}
        series={series}
        kind="stacked"
        step={step}
        height={230}
        onBrush={brush}
        onHover={setHovered}
      />
      <ul className="legend">
        {volume.types.map(({ eventType, total, values }, i) => (
          <li key={eventType}>
            <span className="legend-item">
              <span className="swatch" style={{ background: `var(--${colourAt(i, eventType)})` }} />
              {eventType === "" ? (
                "all others"
              ) : (
                <Link href={typeHref(eventType, volume)}>
                  <Text limit={60}>{eventType}</Text>
                </Link>
              )}
              <span className="quiet legend-count">
                {grouped(hovered === undefined ? total : (values[hovered] ?? 0))}
              </span>
            </span>
          </li>
        ))}
      </ul>
      <AsTable volume={volume} />
    </Card>
  );
}

function seriesOf(volume: Volume) {
  return volume.types.map(({ eventType, values }, i) => ({ name: eventType, colour: colourAt(i, eventType), values }));
}
