import { plural } from "../../text/number";

export const PERIODS: { minutes: number | null; name: string }[] = [
  { minutes: null, name: "when somebody asks" },
  { minutes: 5, name: "every 5 minutes" },
  { minutes: 60, name: "every hour" },
  { minutes: 1_440, name: "every day" },
  { minutes: 10_080, name: "every week" },
];

export function periodText(minutes: number | null): string {
  return PERIODS.find((period) => period.minutes === minutes)?.name ?? `every ${plural(minutes ?? 0, "minute")}`;
}
