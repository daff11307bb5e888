export interface Detail {
  said: string;
  /** Lines that only make sense below one another: a piece of the query, and a mark under its place. */
  shown: string[];
  more: string;
}

/** Takes a problem's detail apart: the first sentence, the place that the lines after it show, and what else was said. */
export function laidOut(detail: string): Detail {
  const [first = "", ...shown] = detail.split("\n");
  const end = shown.length > 0 ? first.indexOf(". ") : -1;
  if (end < 0) return { said: first, shown, more: "" };
  return { said: first.slice(0, end + 1), shown, more: first.slice(end + 2) };
}
