const DAY = 86_400_000;
const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** The UTC day of a moment, as 2026-11-27. */
export function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

function beginOf(day: string): number {
  return Date.parse(`${day}T00:00:00Z`);
}

export function isDay(text: string | null): text is string {
  if (!text || !/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(text)) return false;
  const begin = beginOf(text);
  return !Number.isNaN(begin) && dayOf(begin) === text;
}

export function shifted(day: string, days: number): string {
  return dayOf(beginOf(day) + days * DAY);
}

export function weekday(day: string): string {
  return WEEKDAYS[new Date(beginOf(day)).getUTCDay()] ?? "";
}

/** So many days, the newest first. */
export function daysUntil(day: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => shifted(day, -i));
}

/** The day as the trail's filter says it: from its first moment to before the next day's. */
export function instantsOf(first: string, last = first): { from: string; to: string } {
  return { from: `${first}T00:00:00Z`, to: `${shifted(last, 1)}T00:00:00Z` };
}
