export type Zone = "utc" | "local";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Reads RFC 3339; an answer of SQL may leave out the zone, which then is UTC. */
export function instant(text: string): Date {
  return new Date(/(?:[zZ]|[+-][0-9]{2}:?[0-9]{2})$/.test(text) ? text : `${text.replace(" ", "T")}Z`);
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}

function parts(date: Date, zone: Zone): [number, number, number, number, number, number] {
  return zone === "utc"
    ? [
        date.getUTCFullYear(),
        date.getUTCMonth() + 1,
        date.getUTCDate(),
        date.getUTCHours(),
        date.getUTCMinutes(),
        date.getUTCSeconds(),
      ]
    : [date.getFullYear(), date.getMonth() + 1, date.getDate(), date.getHours(), date.getMinutes(), date.getSeconds()];
}

export function zoneName(zone: Zone, date = new Date()): string {
  if (zone === "utc") return "UTC";
  const offset = -date.getTimezoneOffset();
  const size = Math.abs(offset);
  return `UTC${offset < 0 ? "−" : "+"}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
}

export function dateText(text: string | Date, zone: Zone): string {
  const date = typeof text === "string" ? instant(text) : text;
  if (Number.isNaN(date.getTime())) return String(text);
  const [year, month, day] = parts(date, zone);
  return `${year}-${pad(month)}-${pad(day)}`;
}

export function clockText(text: string | Date, zone: Zone, seconds = true): string {
  const date = typeof text === "string" ? instant(text) : text;
  if (Number.isNaN(date.getTime())) return String(text);
  const [, , , hour, minute, second] = parts(date, zone);
  return `${pad(hour)}:${pad(minute)}${seconds ? `:${pad(second)}` : ""}`;
}

/** A mark on an axis of time whose marks are so many seconds apart. */
export function tickText(date: Date, zone: Zone, step: number): string {
  const clock = clockText(date, zone, step < MINUTE);
  return step >= DAY || clock === "00:00" ? dateText(date, zone).slice(5) : clock;
}

export function timeText(text: string | Date, zone: Zone, seconds = true): string {
  return `${dateText(text, zone)} ${clockText(text, zone, seconds)} ${zoneName(zone, typeof text === "string" ? instant(text) : text)}`;
}

export function lasting(seconds: number): string {
  const size = Math.max(0, Math.round(seconds));
  if (size < MINUTE) return `${size} s`;
  if (size < HOUR) return `${Math.floor(size / MINUTE)} min`;
  if (size < 2 * DAY) return `${Math.floor(size / HOUR)} h`;
  return `${Math.floor(size / DAY)} days`;
}

export function ago(text: string, now: number): string {
  const seconds = (now - instant(text).getTime()) / 1000;
  if (Number.isNaN(seconds)) return text;
  if (seconds < -MINUTE) return `in ${lasting(-seconds)}`;
  return seconds < 10 ? "just now" : `${lasting(seconds)} ago`;
}

/** The value of a datetime-local field, in the zone that is shown. */
export function fieldValue(iso: string | undefined, zone: Zone): string {
  if (!iso) return "";
  const date = instant(iso);
  if (Number.isNaN(date.getTime())) return "";
  return `${dateText(date, zone)}T${clockText(date, zone)}`;
}

export function fromField(value: string, zone: Zone): string | undefined {
  if (!value) return undefined;
  const date = zone === "utc" ? new Date(`${value}${value.length === 16 ? ":00" : ""}Z`) : new Date(value);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
