/** Text from the ledger is hostile: what would be invisible, or turn the direction of reading, is shown as its code. */
const HIDDEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must be shown
  // biome-ignore lint/suspicious/noMisleadingCharacterClass: they are single code points
  /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|\udb40[\udc00-\udfff]/g;

const NAMED: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

export interface Piece {
  text: string;
  hidden: boolean;
}

function codeOf(char: string): string {
  return NAMED[char] ?? `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}

export function pieces(text: string): Piece[] {
  const result: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (match.index > at) result.push({ text: text.slice(at, match.index), hidden: false });
    result.push({ text: codeOf(match[0]), hidden: true });
    at = match.index + match[0].length;
  }
  if (at < text.length) result.push({ text: text.slice(at), hidden: false });
  return result;
}

export function visible(text: string): string {
  return pieces(text)
    .map((piece) => (piece.hidden ? `⟨${piece.text}⟩` : piece.text))
    .join("");
}
