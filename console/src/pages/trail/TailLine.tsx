import { grouped, plural } from "../../text/number";
import type { Tail } from "./tail";

function wordsFor(tail: Tail, since: number, waiting: number, paused: boolean): string {
  if (tail.broken) return "The live stream broke off with an error; asking again. Report it if that goes on.";
  if (paused)
    return waiting > 0
      ? `Paused. ${plural(waiting, "newer event")} wait to be shown.`
      : "Paused. Nothing newer has come.";
  if (!tail.connected) return "Connecting to the live stream …";
  return `Following live. ${plural(tail.entries.length + tail.dropped, "new event")} since ${grouped(since)} entries.`;
}

interface TailLineProps {
  tail: Tail;
  since: number;
  waiting: number;
  paused: boolean;
}

export function TailLine({ tail, since, waiting, paused }: TailLineProps) {
  return (
    <p className="quiet small live-line" role="status">
      {wordsFor(tail, since, waiting, paused)}
      {tail.dropped > 0 &&
        ` ${plural(tail.dropped, "older one")} left the list; load the newest page to see everything.`}
    </p>
  );
}
