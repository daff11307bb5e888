import type { Rules } from "../api/alerts";
import { grouped, plural } from "./number";

/** How the watch stands, in one sentence. */
export function watchWords(rules: Rules): string {
  const { loaded, cursor, behind, fault, skipped } = rules;
  if (fault) return "The rules do not watch: something is wrong.";
  const left = skipped.length > 0 ? `, ${grouped(skipped.length)} left out` : "";
  const place =
    behind > 0
      ? `${plural(behind, "entry", "entries")} behind`
      : cursor > 0
        ? `up to № ${grouped(cursor - 1)}`
        : "from the first entry on";
  return `${plural(loaded, "rule")} ${loaded === 1 ? "watches" : "watch"}${left}, ${place}.`;
}
