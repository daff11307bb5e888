import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { type Bytes, base64, equal, utf8 } from "../src/proof/bytes";
import { examine, isAlarming, isVerified } from "../src/proof/examine";
import { isProven, proveInclusion } from "../src/proof/inclusion";
import { recall, trustKey } from "../src/proof/memory";
import { consistencyPath, inclusionPath, isConsistent, rangeHash } from "../src/proof/merkle";
import { parseCheckpoint } from "../src/proof/note";
import { type Fetcher, TileReader } from "../src/proof/tiles";
import { logOf } from "./log";

const FOLDER = new URL("../../testdata/golden/v1/", import.meta.url);
const golden = (name: string) => readFileSync(new URL(name, FOLDER), "utf8");
const KEY = golden("vkey").trim();
const OTHER_KEY = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
const OLDER = golden("checkpoint");
const NEWER = golden("proof").slice(golden("proof").indexOf("\n\n") + 2);
const ENTRIES = golden("entries.jsonl")
  .trimEnd()
  .split("\n")
  .map((line) => utf8(line));

function stubStorage(): void {
  const kept = new Map<string, string>();
  vi.stubGlobal("localStorage", {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => kept.set(name, value),
  });
}

function gate(): { promise: Promise<void>; open: () => void } {
  let open = () => {};
  const promise = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

function withEntry(index: number, text: string): Bytes[] {
  return ENTRIES.map((entry, i) => (i === index ? utf8(text) : entry));
}

let shown = NEWER;
let fetchPath: Fetcher;

beforeEach(async () => {
  stubStorage();
  shown = NEWER;
  fetchPath = await logOf(ENTRIES, () => shown);
});

describe("the golden ledger's tree, recomputed", () => {
  it("has the signed roots at both sizes", async () => {
    const reader = new TileReader(ENTRIES.length, fetchPath);
    for (const raw of [OLDER, NEWER]) {
      const { size, root } = parseCheckpoint(raw);
      expect(base64(await rangeHash(reader.subtree, 0, size))).toBe(base64(root));
    }
  });

  it("gives the inclusion proof that the Rust code wrote", async () => {
    const [head = ""] = golden("proof").split("\n\n");
    const [, index = "", ...hashes] = head.split("\n");
    const reader = new TileReader(709, fetchPath);
    const path = await inclusionPath(reader.subtree, Number(index.slice("index ".length)), 709);
    expect(path.map(base64)).toEqual(hashes);
  });

  it("gives the consistency proof that the Rust code wrote", async () => {
    const [head = ""] = golden("consistency").split("\n\n");
    const [old = "", ...hashes] = head.split("\n");
    const from = Number(old.slice("old ".length));
    const reader = new TileReader(709, fetchPath);
    const path = await consistencyPath(reader.subtree, from, 709);
    expect(path.map(base64)).toEqual(hashes);
    const older = { size: from, root: await rangeHash(reader.subtree, 0, from) };
    expect(await isConsistent(older, parseCheckpoint(NEWER), path)).toBe(true);
  });

  it.each([0, 1, 255, 256, 300, 511, 512, 708])("proves entry %i", async (index) => {
    const look = await examine(fetchPath, KEY);
    expect(isVerified(look)).toBe(true);
    expect(isProven(await proveInclusion(look, index, ENTRIES[index] as Bytes))).toBe(true);
  });
});

describe("what was tampered with", () => {
  it("an entry that differs from the log's", async () => {
    const proof = await proveInclusion(await examine(fetchPath, KEY), 300, utf8("{}"));
    expect([proof.shownMatches, isProven(proof)]).toEqual([false, false]);
  });

  it("an entry that was changed in the log and in its tiles", async () => {
    const forged = await logOf(withEntry(300, "{}"), () => NEWER);
    const proof = await proveInclusion(await examine(forged, KEY), 300, utf8("{}"));
    expect([proof.shownMatches, proof.sameLeaf, proof.sameRoot]).toEqual([true, true, false]);
  });

  it("a signature over another size", async () => {
    shown = NEWER.replace("\n709\n", "\n708\n");
    expect((await examine(fetchPath, KEY)).signature).toBe("invalid");
  });

  it("a tile of the wrong length", async () => {
    const short: Fetcher = async (path) =>
      path.startsWith("tile/0/") ? (await fetchPath(path)).slice(1) : fetchPath(path);
    await expect(proveInclusion(await examine(short, KEY), 3, ENTRIES[3] as Bytes)).rejects.toThrow("are expected");
  });
});

describe("what the browser remembers", () => {
  it("begins with the first look", async () => {
    const look = await examine(fetchPath, KEY);
    expect([look.key.kind, look.past.kind]).toEqual(["first-seen", "first-seen"]);
    expect(recall()?.key).toBe(KEY);
  });

  it("sees that the ledger only grew", async () => {
    shown = OLDER;
    await examine(fetchPath, KEY);
    shown = NEWER;
    const look = await examine(fetchPath, KEY);
    expect([look.key.kind, look.past.kind, isAlarming(look)]).toEqual(["same", "extends", false]);
    expect(recall()?.checkpoint).toBe(NEWER);
  });

  it("sees a shorter ledger, and keeps the longer one in mind", async () => {
    await examine(fetchPath, KEY);
    shown = OLDER;
    expect((await examine(fetchPath, KEY)).past.kind).toBe("rolled-back");
    expect(recall()?.checkpoint).toBe(NEWER);
  });

  it("sees a rewritten past", async () => {
    shown = OLDER;
    await examine(fetchPath, KEY);
    const forged = await logOf(withEntry(7, "{}"), () => NEWER);
    const look = await examine(forged, KEY);
    expect([look.past.kind, isAlarming(look)]).toEqual(["forked", true]);
    expect(recall()?.checkpoint).toBe(OLDER);
  });

  it("sees another key, and checks with the known one", async () => {
    await examine(fetchPath, KEY);
    const look = await examine(fetchPath, OTHER_KEY);
    expect([look.key.kind, look.signature, look.keyText]).toEqual(["changed", "valid", KEY]);
    expect(recall()?.key).toBe(KEY);
  });

  it("does not take a look that ended later for the past", async () => {
    shown = OLDER;
    await examine(fetchPath, KEY);
    const held = gate();
    const fetched = gate();
    const slow: Fetcher = async (path) => {
      const bytes = await fetchPath(path);
      fetched.open();
      if (path === "checkpoint") await held.promise;
      return bytes;
    };
    const early = examine(slow, KEY);
    await fetched.promise;
    shown = NEWER;
    await examine(fetchPath, KEY);
    held.open();
    expect((await early).past.kind).toBe("same");
    expect(recall()?.checkpoint).toBe(NEWER);
  });

  it("says when the browser has no Ed25519, and remembers no unchecked checkpoint", async () => {
    const missing = new DOMException("no such algorithm", "NotSupportedError");
    const spy = vi.spyOn(crypto.subtle, "importKey").mockRejectedValue(missing);
    const look = await examine(fetchPath, KEY);
    spy.mockRestore();
    expect([look.signature, isVerified(look), isAlarming(look)]).toEqual(["unsupported", false, false]);
    expect(recall()).toMatchObject({ key: KEY });
    expect(recall()?.checkpoint).toBeUndefined();
  });

  it("keeps the past when the known key is pinned, and forgets it under another key", async () => {
    await examine(fetchPath, KEY);
    trustKey(KEY);
    expect(recall()).toMatchObject({ pinned: true, checkpoint: NEWER });
    trustKey(OTHER_KEY);
    expect(recall()?.checkpoint).toBeUndefined();
  });
});

describe("a log of others", () => {
  const folder = new URL("vectors/tessera-log/", import.meta.url);
  const fetchFile: Fetcher = async (path) => new Uint8Array(readFileSync(new URL(path, folder)));

  it.each(Array.from({ length: 15 }, (_, i) => i + 1))("Tessera's testdata at size %i", async (size) => {
    const at: Fetcher = (path) => fetchFile(path === "checkpoint" ? `checkpoint.${size}` : path);
    const look = await examine(at, OTHER_KEY);
    expect(isVerified(look)).toBe(true);
    for (let index = 0; index < size; index += 1) {
      const proof = await proveInclusion(look, index, await look.tiles.entry(index));
      expect(proof.sameLeaf && equal(proof.computedRoot, look.checkpoint.root)).toBe(true);
    }
  });
});
