import { type Bytes, equal } from "./bytes";
import type { Examination } from "./examine";
import { leafHash } from "./hash";
import { climb, inclusionPath, type PathStep } from "./merkle";

/** Everything the way from one entry's bytes to the checkpoint's root goes through. */
export interface Inclusion {
  index: number;
  bytes: Bytes;
  shownMatches: boolean;
  leaf: Bytes;
  storedLeaf: Bytes;
  steps: PathStep[];
  computedRoot: Bytes;
  sameLeaf: boolean;
  sameRoot: boolean;
}

export async function proveInclusion(look: Examination, index: number, shown: Bytes): Promise<Inclusion> {
  const { size, root } = look.checkpoint;
  if (index >= size) throw new Error(`entry ${index} is newer than the checkpoint of ${size} entries`);
  const bytes = await look.tiles.entry(index);
  const leaf = await leafHash(bytes);
  const storedLeaf = await look.tiles.storedLeaf(index);
  const path = await inclusionPath(look.tiles.subtree, index, size);
  const steps = await climb(leaf, index, size, path);
  const computedRoot = steps.at(-1)?.result ?? leaf;
  return {
    index,
    bytes,
    shownMatches: equal(bytes, shown),
    leaf,
    storedLeaf,
    steps,
    computedRoot,
    sameLeaf: equal(leaf, storedLeaf),
    sameRoot: equal(computedRoot, root),
  };
}

export function isProven(proof: Inclusion): boolean {
  return proof.shownMatches && proof.sameLeaf && proof.sameRoot;
}
