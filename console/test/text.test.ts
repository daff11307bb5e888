import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { entryOf } from "../src/api/entry";
import { answerOf } from "../src/api/query";
import { tilePath } from "../src/proof/tiles";
import { laidOut } from "../src/text/detail";
import { compareFields } from "../src/text/diff";
import { visible } from "../src/text/escape";
import { statesOf } from "../src/text/history";
import { isObject, type Json, type JsonObject, parseCutRows, parseJson, writeJson } from "../src/text/json";
import { bytes, grouped } from "../src/text/number";
import { actOf, isWorded, verbOf } from "../src/text/sentence";
import { fromField, instant, lasting, tickText, timeText } from "../src/text/time";

function object(text: string): JsonObject {
  const value = parseJson(text);
  if (!isObject(value)) throw new Error("not an object");
  return value;
}

describe("lossless JSON", () => {
  it.each([
    '{"a":9007199254740993,"b":-0,"c":1e+23,"d":123456789012345678901234567890}',
    '[null,true,false,"",[],{}]',
    '{"10":1,"9":2,"__proto__":3,"constructor":4}',
    '"\\u0007 \\ud83d\\ude02 \\"\\\\"',
  ])("keeps %s", (text) => {
    expect(parseJson(writeJson(parseJson(text)))).toEqual(parseJson(text));
    if (!text.startsWith('"')) expect(writeJson(parseJson(text))).toBe(text);
  });

  it.each(["", "{", "[1,]", "{a:1}", "01", "1.", '"\n"', "[1] 2", "nul", '{"a":1,}', '"\\x"', "[".repeat(600)])(
    "refuses %j",
    (text) => {
      expect(() => parseJson(text)).toThrow();
    },
  );

  it("keeps the complete rows of an answer that was cut off", () => {
    const text = '{"columns":[{"name":"a","type":"Utf8"}],"rows":[["one"],["t],[wo"],["thr';
    const answer = answerOf(parseCutRows(text), true);
    expect([answer.rows, answer.complete]).toEqual([[["one"], ["t],[wo"]], false]);
  });

  it("reports an incomplete answer with its problem", () => {
    const answer = answerOf(
      parseJson(
        '{"columns":[],"rows":[],"complete":false,"problem":{"kind":"unavailable","detail":"30 seconds"},"tree_size":5}',
      ),
      false,
    );
    expect([answer.complete, answer.problem?.detail, answer.treeSize]).toEqual([false, "30 seconds", 5]);
  });
});

describe("hostile text", () => {
  it.each([
    ["a\u202eb", "a⟨U+202E⟩b"],
    ["\u0007\u0000", "⟨U+0007⟩⟨U+0000⟩"],
    ["tab\there", "tab⟨\\t⟩here"],
    ["zero\u200bwidth", "zero⟨U+200B⟩width"],
    ["lone \ud800", "lone ⟨U+D800⟩"],
    ["tag \u{e0041}", "tag ⟨U+E0041⟩"],
    ["café 😂 דּ", "café 😂 דּ"],
  ])("shows %j", (text, shown) => {
    expect(visible(text)).toBe(shown);
  });
});

describe("numbers and times", () => {
  it.each([
    ["9007199254740993", "9\u202f007\u202f199\u202f254\u202f740\u202f993"],
    ["-1234.5678", "-1\u202f234.5678"],
    ["999", "999"],
    ["1e+23", "1e+23"],
  ])("groups %s", (text, shown) => {
    expect(grouped(text)).toBe(shown);
  });

  it("reads times with and without a zone as UTC", () => {
    expect(instant("2026-11-24T10:00:00.123456Z").toISOString()).toBe(
      instant("2026-11-24 10:00:00.123456").toISOString(),
    );
    expect(timeText("2026-11-24T10:00:00Z", "utc")).toBe("2026-11-24 10:00:00 UTC");
    expect(fromField("2026-11-24T10:00", "utc")).toBe("2026-11-24T10:00:00.000Z");
    const at = new Date("2026-11-24T14:41:05Z");
    expect([tickText(at, "utc", 5), tickText(at, "utc", 60), tickText(at, "utc", 86_400)]).toEqual([
      "14:41:05",
      "14:41",
      "11-24",
    ]);
    expect([lasting(59), lasting(7200), lasting(3 * 86_400)]).toEqual(["59 s", "2 h", "3 days"]);
  });
});

describe("sentences", () => {
  it.each([
    ["invoice_approved", "approved invoice"],
    ["credit.score.computed", "computed credit score"],
    ["payment_sent", "sent payment"],
    ["consent_withdrawn", "withdrew consent"],
    ["manual_override", "overrode the decision on"],
    ["kyc_check", "recorded kyc check for"],
    ["opened", "opened"],
  ])("%s", (eventType, verb) => {
    expect(verbOf(eventType)).toBe(verb);
  });

  it.each([
    ['{"of":"ledger","extent":"whole","verified":true}', "verified the ledger"],
    ['{"of":"ledger","extent":"scrub","verified":true}', "verified old parts of the ledger"],
    ['{"of":"copy","extent":"new","verified":true}', "verified what was new in the copy of"],
    [
      '{"of":"table","extent":"whole","verified":false,"findings_total":2}',
      "found something wrong in the table in PostgreSQL of",
    ],
    ['{"of":"copy","extent":"whole","verified":false,"fault":"no answer"}', "could not verify the copy of"],
    ['{"verified":true}', "verified the ledger"],
  ])("says of a verification what was verified: %s", (context, act) => {
    const entry = `{"event_type":"ledger.verified","actor":"counterfoil","entity_id":"bank.example/audit","context":${context}}`;
    expect(actOf(entryOf(7, object(entry)))).toBe(act);
  });

  it("says of every act on the ledger who did what", () => {
    const catalog = readFileSync(new URL("../../crates/entry/src/catalog/events.json", import.meta.url), "utf8");
    const own = [...catalog.matchAll(/"(ledger\.[a-z_]+)"/g)].map((found) => found[1] ?? "");
    expect(own.length).toBeGreaterThan(20);
    // What is not worded by hand mentions the word "ledger" where the entity should be, or turns round who acts.
    for (const eventType of own) expect(isWorded(eventType), eventType).toBe(true);
    expect(`unknown ${verbOf("ledger.access_denied")} POST /api/v1/session`).toBe(
      "unknown was denied access: POST /api/v1/session",
    );
    expect(`kim ${verbOf("ledger.token_created")} etl`).toBe("kim made a token for etl");
  });
});

describe("differences", () => {
  it("names each field that was added, removed or changed", () => {
    const changes = compareFields(
      parseJson('{"a":1,"b":{"c":[1,2]},"d":true}'),
      parseJson('{"a":1,"b":{"c":[1,3]},"e":null}'),
    );
    expect(changes.map(({ path, kind }) => [path, kind])).toEqual([
      ["a", "same"],
      ["b.c.1", "same"],
      ["b.c.2", "changed"],
      ["d", "removed"],
      ["e", "added"],
    ]);
  });

  it("tells integers apart that a double would not", () => {
    expect(compareFields(parseJson("9007199254740993"), parseJson("9007199254740992"))[0]?.kind).toBe("changed");
  });

  it("says nothing of what is not there", () => {
    expect(compareFields(undefined, undefined)).toEqual([]);
  });
});

describe("an entity's states", () => {
  const entry = (text: string) => entryOf(0, object(text));
  const written = (states: (Json | undefined)[]) =>
    states.map((state) => (state === undefined ? undefined : writeJson(state)));

  it("lays objects over one another and lets other values replace", () => {
    const states = statesOf([
      entry('{"old_value":{"status":"new","amount":5}}'),
      entry('{"new_value":{"status":"approved"}}'),
      entry("{}"),
      entry('{"new_value":"held"}'),
    ]);
    expect(written(states)).toEqual([
      '{"status":"new","amount":5}',
      '{"status":"approved","amount":5}',
      '{"status":"approved","amount":5}',
      '{"status":"held","amount":5}',
    ]);
  });
});

describe("tile paths", () => {
  it.each([
    ["entries", 0, 256, "tile/entries/000"],
    ["0", 1_234_067, 256, "tile/0/x001/x234/067"],
    ["1", 1000, 7, "tile/1/x001/000.p/7"],
  ])("%s %i %i", (kind, index, width, path) => {
    expect(tilePath(kind, index, width)).toBe(path);
  });
});

describe("what went wrong with a query", () => {
  it("shows the place in the query before the columns that there are", () => {
    const detail =
      "line 1, column 8: there is no column nope. The columns here are index, actor\n  SELECT nope\n         ^";
    expect(laidOut(detail)).toEqual({
      said: "line 1, column 8: there is no column nope.",
      shown: ["  SELECT nope", "         ^"],
      more: "The columns here are index, actor",
    });
    expect(laidOut("no token. Sign in")).toEqual({ said: "no token. Sign in", shown: [], more: "" });
  });
});

it.each([
  [0, "0\u202fbytes"],
  [1023, "1\u202f023\u202fbytes"],
  [1536, "1.5\u202fKiB"],
  [250 * 1024 ** 2, "250\u202fMiB"],
  [5 * 1024 ** 4, "5.0\u202fTiB"],
])("%d bytes are %s", (count, shown) => {
  expect(bytes(count)).toBe(shown);
});
