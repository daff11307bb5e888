import { describe, expect, it } from "vitest";
import { type Bytes, equal, fromBase64 } from "../src/proof/bytes";
import { climb, isConsistent } from "../src/proof/merkle";
import vectors from "./vectors/merkle.json";

function bytes(text: string | null): Bytes {
  return text === null ? new Uint8Array() : fromBase64(text);
}

function path(proof: (string | null)[] | null): Bytes[] {
  return (proof ?? []).map(bytes);
}

async function leadsToRoot(one: (typeof vectors.inclusion)[number]): Promise<boolean> {
  try {
    const leaf = bytes(one.leafHash);
    const steps = await climb(leaf, one.leafIdx, one.treeSize, path(one.proof));
    return equal(steps.at(-1)?.result ?? leaf, bytes(one.root));
  } catch {
    return false;
  }
}

describe("inclusion, as transparency-dev/merkle judges it", () => {
  it.each(vectors.inclusion.map((one, i) => ({ ...one, i })))("$i $desc of $treeSize", async (one) => {
    expect(await leadsToRoot(one)).toBe(!one.wantErr);
  });
});

describe("consistency, as transparency-dev/merkle judges it", () => {
  it.each(vectors.consistency.map((one, i) => ({ ...one, i })))("$i $desc from $size1 to $size2", async (one) => {
    const older = { size: one.size1, root: bytes(one.root1) };
    const newer = { size: one.size2, root: bytes(one.root2) };
    expect(await isConsistent(older, newer, path(one.proof))).toBe(!one.wantErr);
  });
});
