/** A number as it was written: no digit is lost. */
export class Digits {
  constructor(readonly text: string) {}
}

export type JsonObject = Map<string, Json>;
export type Json = null | boolean | string | Digits | Json[] | JsonObject;

class JsonError extends Error {}

const MAX_DEPTH = 512;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 8259 forbids them by range
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPES: Record<string, string> = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

class Reader {
  private at = 0;

  constructor(private readonly text: string) {}

  private fail(what: string): never {
    throw new JsonError(`${what} at character ${this.at}`);
  }

  private space(): void {
    while (" \n\r\t".includes(this.text[this.at] ?? "x")) this.at += 1;
  }

  private word<T>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) this.fail("an unknown word");
    this.at += word.length;
    return value;
  }

  private string(): string {
    let result = "";
    this.at += 1;
    for (;;) {
      PLAIN.lastIndex = this.at;
      const plain = PLAIN.exec(this.text)?.[0] ?? "";
      result += plain;
      this.at += plain.length;
      const mark = this.text[this.at];
      if (mark === '"') {
        this.at += 1;
        return result;
      }
      if (mark !== "\\") this.fail("a text that does not end");
      result += this.escape();
    }
  }

  private escape(): string {
    const letter = this.text[this.at + 1] ?? "";
    if (letter === "u") {
      const digits = this.text.slice(this.at + 2, this.at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.fail("a malformed escape");
      this.at += 6;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const char = ESCAPES[letter];
    if (char === undefined) this.fail("a malformed escape");
    this.at += 2;
    return char;
  }

  private number(): Digits {
    NUMBER.lastIndex = this.at;
    const literal = NUMBER.exec(this.text)?.[0];
    if (!literal) this.fail("not a JSON value");
    this.at += literal.length;
    return new Digits(literal);
  }

  private elements(close: string, depth: number, element: () => void): void {
    if (depth > MAX_DEPTH) this.fail("too deep a nesting");
    this.at += 1;
    this.space();
    if (this.text[this.at] === close) {
      this.at += 1;
      return;
    }
    for (;;) {
      element();
      this.space();
      const mark = this.text[this.at];
      this.at += 1;
      if (mark === close) return;
      if (mark !== ",") this.fail(`"," or "${close}" is missing`);
      this.space();
    }
  }

  private member(object: JsonObject, depth: number): void {
    if (this.text[this.at] !== '"') this.fail("a member's name is missing");
    const name = this.string();
    this.space();
    if (this.text[this.at] !== ":") this.fail('":" is missing');
    this.at += 1;
    object.set(name, this.value(depth));
  }

  private value(depth: number): Json {
    this.space();
    switch (this.text[this.at]) {
      case "{": {
        const object: JsonObject = new Map();
        this.elements("}", depth, () => this.member(object, depth + 1));
        return object;
      }
      case "[": {
        const list: Json[] = [];
        this.elements("]", depth, () => {
          list.push(this.value(depth + 1));
        });
        return list;
      }
      case '"':
        return this.string();
      case "t":
        return this.word("true", true);
      case "f":
        return this.word("false", false);
      case "n":
        return this.word("null", null);
      default:
        return this.number();
    }
  }

  whole(): Json {
    const value = this.value(0);
    this.space();
    if (this.at < this.text.length) this.fail("something stands after the value");
    return value;
  }
}

export function parseJson(text: string): Json {
  return new Reader(text).whole();
}

/** Reads the complete rows of a query's answer `{…,"rows":[[…],[…` that was cut off. */
export function parseCutRows(text: string): Json {
  let end = text.length;
  for (let tries = 0; tries < 100; tries += 1) {
    end = text.lastIndexOf("],[", end - 1);
    if (end < 0) break;
    try {
      return parseJson(`${text.slice(0, end)}]]}`);
    } catch {
      // The mark stood inside a text: the row before it ends earlier.
    }
  }
  throw new JsonError("no row is complete");
}

export function isObject(value: Json | undefined): value is JsonObject {
  return value instanceof Map;
}

export function sameJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a instanceof Digits && b instanceof Digits) return a.text === b.text;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => sameJson(item, b[i]));
  if (isObject(a) && isObject(b)) {
    return a.size === b.size && [...a].every(([name, value]) => b.has(name) && sameJson(value, b.get(name)));
  }
  return a === b;
}

export function writeJson(value: Json, indent = 0, level = 0): string {
  const gap = indent ? `\n${" ".repeat(indent * (level + 1))}` : "";
  const end = indent ? `\n${" ".repeat(indent * level)}` : "";
  const wrap = (open: string, close: string, items: string[]) =>
    items.length === 0 ? open + close : `${open}${gap}${items.join(`,${gap}`)}${end}${close}`;
  if (value instanceof Digits) return value.text;
  if (Array.isArray(value))
    return wrap(
      "[",
      "]",
      value.map((item) => writeJson(item, indent, level + 1)),
    );
  if (isObject(value)) {
    const colon = indent ? ": " : ":";
    return wrap(
      "{",
      "}",
      [...value].map(([name, item]) => JSON.stringify(name) + colon + writeJson(item, indent, level + 1)),
    );
  }
  return JSON.stringify(value);
}
