import { describe, expect, it } from "vitest";
import type { Alert, Rules } from "../src/api/alerts";
import { apiParams } from "../src/pages/alerts/filter";
import { overrideOf, samePersonOf } from "../src/pages/overrides/rows";
import { fourEyesSql, overridesSql } from "../src/pages/overrides/statements";
import { bySeriousness, firstSentence, isReason, joinedBy, knownLevel, levelTone, webAddress } from "../src/text/alert";
import { dayOf, daysUntil, instantsOf, isDay, shifted, weekday } from "../src/text/day";
import { Digits, type Json, parseJson } from "../src/text/json";
import { watchWords } from "../src/text/watch";

describe("references of rules", () => {
  it.each(["https://intranet.example/policy/12", "http://a.example/?q=1#x", "HTTPS://A.example/"])(
    "links %s",
    (text) => {
      expect(webAddress(text)).toMatch(/^https?:\/\/[a-z]/);
    },
  );

  it.each([
    "javascript:alert(1)",
    "java\nscript:alert(1)",
    " https://a.example",
    "data:text/html,<script>alert(1)</script>",
    "//a.example/",
    "https://bank.example@evil.example/",
    "https:\\\\a.example",
    "https://a.example/\u0000 x",
    "policy 12, page 3",
    "",
  ])("does not link %j", (text) => {
    expect(webAddress(text)).toBeUndefined();
  });
});

describe("alerts", () => {
  it("takes a level that nobody knows for the gravest", () => {
    expect([knownLevel("low"), knownLevel("fatal"), levelTone(knownLevel("fatal"))]).toEqual([
      "low",
      "critical",
      "failed",
    ]);
  });

  it("leads from the title to what the entries have in common", () => {
    expect(["actor", "entity_id", "context.model_version", "limit"].map(joinedBy)).toEqual([
      "by",
      "on",
      "model version",
      "limit",
    ]);
  });

  it("puts what is not closed before what is, and the gravest first", () => {
    const made = (id: string, level: string, state: string) => ({ id, level, state }) as Alert;
    const sorted = bySeriousness([
      made("a", "low", "open"),
      made("b", "critical", "resolved"),
      made("c", "high", "acknowledged"),
      made("d", "low", "open"),
      made("e", "fatal", "open"),
    ]);
    expect(sorted.map(({ id }) => id).join("")).toBe("ecadb");
  });

  it("shows a rule's first sentence", () => {
    expect(firstSentence("More than 1.5 times the rate. Why it matters: much.")).toBe("More than 1.5 times the rate.");
    expect([firstSentence("No full stop"), firstSentence("")]).toEqual(["No full stop", ""]);
  });

  it.each([
    ["passport seen", true],
    ["неверный счёт", true],
    ["-", false],
    ["n/a", false],
    ["  ", false],
    [null, false],
  ])("%j as a reason: %j", (text, is) => {
    expect(isReason(text)).toBe(is);
  });

  it("asks for what the address says, and for nothing that it does not know", () => {
    const ask = (address: string) => apiParams(new URLSearchParams(address)).toString();
    expect(ask("")).toBe("state=active&limit=50");
    expect(ask("state=closed&level=high&cursor=before-123&alert=alert-1&entry=4")).toBe(
      "state=closed&limit=50&level=high&cursor=before-123",
    );
    expect(ask("state=gone&level=fatal")).toBe("state=active&limit=50");
  });
});

describe("the watch in words", () => {
  const rules: Rules = { folder: "rules", loaded: 14, skipped: [], cursor: 812, behind: 0, fault: null };
  const skipped = [{ file: "a.yml", document: 0, reason: "no title" }];

  it.each<[Partial<Rules>, string]>([
    [{}, "14 rules watch, up to № 811."],
    [{ loaded: 1, skipped }, "1 rule watches, 1 left out, up to № 811."],
    [{ behind: 3 }, "14 rules watch, 3 entries behind."],
    [{ cursor: 0 }, "14 rules watch, from the first entry on."],
    [{ fault: "disk" }, "The rules do not watch: something is wrong."],
  ])("%j", (change, words) => {
    expect(watchWords({ ...rules, ...change })).toBe(words);
  });
});

describe("days", () => {
  it("knows a day from what is none", () => {
    expect(["2026-11-27", "2028-02-29"].every(isDay)).toBe(true);
    for (const text of ["2026-02-29", "2026-11-31", "27.11.2026", "2026-11-27T00:00:00Z", "", null])
      expect(isDay(text), String(text)).toBe(false);
  });

  it("counts over months and leap days, in UTC", () => {
    expect(dayOf(Date.parse("2026-11-27T23:59:59.999Z"))).toBe("2026-11-27");
    expect([shifted("2026-03-01", -1), shifted("2028-02-28", 1), shifted("2026-12-31", 1)]).toEqual([
      "2026-02-28",
      "2028-02-29",
      "2027-01-01",
    ]);
    expect(daysUntil("2026-11-01", 3)).toEqual(["2026-11-01", "2026-10-31", "2026-10-30"]);
    expect(weekday("2026-11-27")).toBe("Friday");
  });

  it("covers the whole of the last day", () => {
    expect(instantsOf("2026-11-21", "2026-11-27")).toEqual({
      from: "2026-11-21T00:00:00Z",
      to: "2026-11-28T00:00:00Z",
    });
  });
});

describe("overrides", () => {
  const row = (...values: unknown[]) => values.map((value) => (value instanceof Digits ? value : (value as Json)));
  const head = [new Digits("41"), "2026-11-27T10:00:00", "eva", "manual_override", "INV-1", "m-1", "seen"];

  it("puts amounts first and keeps their digits", () => {
    const before = '{"status":"approved","amount":9007199254740993}';
    const after = '{"status":"held","amount":9007199254740995}';
    const { changes, reason, model } = overrideOf(row(...head, before, after, "object", "object"));
    expect(changes.map(({ path, after: value }) => [path, value])).toEqual([
      ["amount", parseJson("9007199254740995")],
      ["status", "held"],
    ]);
    expect([reason, model]).toEqual(["seen", "m-1"]);
  });

  it("reads a text that looks like JSON as a text, and nothing as nothing", () => {
    const [change] = overrideOf(row(...head, "{not json", "12", "string", "string")).changes;
    expect([change?.before, change?.after]).toEqual(["{not json", "12"]);
    expect(overrideOf(row(...head, null, null, null, null)).changes).toEqual([]);
  });

  it("tells an asked approval from one that names its requester", () => {
    const approval = [new Digits("9"), "2026-11-27T10:00:00", "eva", "payment_released", "PAY-1"];
    expect(samePersonOf(row(...approval, new Digits("5"), "payment_initiated")).request?.index).toBe(5);
    expect(samePersonOf(row(...approval, null, null)).request).toBeUndefined();
  });

  it("asks for whole days", () => {
    const range = { from: "2026-11-21", to: "2026-11-27" };
    for (const sql of [overridesSql(range, true), fourEyesSql(range)])
      expect(sql).toMatch(/>= '2026-11-21T00:00:00Z' AND \S+ < '2026-11-28T00:00:00Z'/);
    expect(overridesSql(range, true)).toContain("reason IS NULL");
    expect(overridesSql(range, false)).not.toContain("reason IS NULL");
  });
});
