import { describe, expect, it } from "vitest";
import { fromBase64 } from "../src/proof/bytes";
import { checkSignature, parseCheckpoint, parseNote, parseVerifierKey } from "../src/proof/note";
import notes from "./vectors/notes.json";
import vkeys from "./vectors/vkeys.json";

async function isAccepted(raw: Uint8Array, keys: string[]): Promise<boolean> {
  try {
    const note = parseNote(new TextDecoder("utf-8", { fatal: true }).decode(raw));
    const verdicts = await Promise.all(keys.map(async (key) => checkSignature(note, await parseVerifierKey(key))));
    return !verdicts.includes("invalid") && verdicts.includes("valid");
  } catch {
    return false;
  }
}

describe("signed notes", () => {
  it.each(notes.cases)("$id: $expect", async ({ note_b64, vkeys: keys, expect: wanted }) => {
    expect(await isAccepted(fromBase64(note_b64), keys)).toBe(wanted === "ok");
  });
});

describe("verifier keys", () => {
  it.each(vkeys.ok)("takes %s", async (text) => {
    expect((await parseVerifierKey(text)).text).toBe(text);
  });

  it.each(vkeys.bad)("refuses what has $why", async ({ vkey }) => {
    await expect(parseVerifierKey(vkey)).rejects.toThrow();
  });
});

describe("checkpoints", () => {
  const signature = `\n— example.com/a ${btoa("0123456789")}\n`;
  const root = btoa("\0".repeat(32));

  it.each([
    ["a size with a leading zero", `example.com/a\n01\n${root}\n`],
    ["a negative size", `example.com/a\n-1\n${root}\n`],
    ["a size beyond 2^53", `example.com/a\n9007199254740993\n${root}\n`],
    ["a short root", `example.com/a\n1\n${btoa("short")}\n`],
    ["no root", "example.com/a\n1\n"],
  ])("refuses %s", (_, body) => {
    expect(() => parseCheckpoint(body + signature)).toThrow();
  });

  it("takes lines after the root", () => {
    expect(parseCheckpoint(`example.com/a\n7\n${root}\nextension\n${signature}`).size).toBe(7);
  });
});
