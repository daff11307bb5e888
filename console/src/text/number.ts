const THIN = "\u202f";

/** Groups the digits of a whole number of any size. */
export function grouped(value: number | string): string {
  const match = /^(-?)([0-9]+)(.*)$/.exec(String(value));
  if (!match) return String(value);
  const [, sign = "", whole = "", rest = ""] = match;
  return sign + (whole.length > 3 ? whole.replace(/\B(?=(?:[0-9]{3})+$)/g, THIN) : whole) + rest;
}

export function percent(part: number, whole: number): string {
  if (whole === 0) return "–";
  const share = (100 * part) / whole;
  const isExact = share === 0 || share >= 100;
  const text =
    isExact || (share >= 10 && share < 99)
      ? String(Math.round(share))
      : Math.min(99.9, Math.max(0.1, share)).toFixed(1);
  return `${text}${THIN}%`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${grouped(count)} ${count === 1 ? one : many}`;
}

/** A length of files in the unit that fits. */
export function bytes(count: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let [value, unit] = [count, 0];
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${unit === 0 || value >= 100 ? grouped(Math.round(value)) : value.toFixed(1)}${THIN}${units[unit]}`;
}
