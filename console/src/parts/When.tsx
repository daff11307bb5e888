import { useNow, useZone } from "../state/settings";
import { ago, timeText } from "../text/time";

/** A time as people say it, with the exact one in UTC on hover. */
export function Ago({ time }: { time: string }) {
  return (
    <time dateTime={time} title={`${time} (exact, UTC)`}>
      {ago(time, useNow())}
    </time>
  );
}

export function At({ time, seconds = true }: { time: string; seconds?: boolean }) {
  const zone = useZone();
  return (
    <time dateTime={time} title={`${time} (exact, UTC)`}>
      {timeText(time, zone, seconds)}
    </time>
  );
}
