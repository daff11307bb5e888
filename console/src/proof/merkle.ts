import { type Bytes, equal } from "./bytes";
import { HASH_SIZE, nodeHash } from "./hash";

/** A complete subtree: the hashes of level 0 from `index`·2^`height` on, 2^`height` of them. */
export interface Subtree {
  height: number;
  index: number;
}

export type SubtreeReader = (subtree: Subtree) => Promise<Bytes>;

export interface PathStep {
  sibling: Bytes;
  side: "left" | "right";
  result: Bytes;
}

/** The exponent when `count` is a power of two. */
function exactLog2(count: number): number | undefined {
  let [height, power] = [0, 1];
  while (power < count) {
    power *= 2;
    height += 1;
  }
  return power === count ? height : undefined;
}

function splitPoint(count: number): number {
  let k = 1;
  while (k * 2 < count) k *= 2;
  return k;
}

/** RFC 6962, 2.1: the hash of the leaves from `first` up to, not including, `end`. */
export async function rangeHash(read: SubtreeReader, first: number, end: number): Promise<Bytes> {
  const count = end - first;
  const height = exactLog2(count);
  if (height !== undefined && first % count === 0) return read({ height, index: first / count });
  const k = splitPoint(count);
  return nodeHash(await rangeHash(read, first, first + k), await rangeHash(read, first + k, end));
}

/** RFC 6962, 2.1.1: the hashes beside the way from a leaf to the root, the leaf's sibling first. */
export async function inclusionPath(read: SubtreeReader, index: number, size: number): Promise<Bytes[]> {
  const path: Bytes[] = [];
  let [first, end] = [0, size];
  while (end - first > 1) {
    const middle = first + splitPoint(end - first);
    if (index < middle) {
      path.push(await rangeHash(read, middle, end));
      end = middle;
    } else {
      path.push(await rangeHash(read, first, middle));
      first = middle;
    }
  }
  return path.reverse();
}

/** RFC 6962, 2.1.2: what shows that the tree of `to` leaves extends the one of `from`. */
export async function consistencyPath(read: SubtreeReader, from: number, to: number): Promise<Bytes[]> {
  const path: Bytes[] = [];
  let [first, end, whole] = [0, to, true];
  while (from !== end) {
    const middle = first + splitPoint(end - first);
    if (from <= middle) {
      path.push(await rangeHash(read, middle, end));
      end = middle;
    } else {
      path.push(await rangeHash(read, first, middle));
      first = middle;
      whole = false;
    }
  }
  if (!whole) path.push(await rangeHash(read, first, end));
  return path.reverse();
}

/** RFC 9162, 2.1.3.2: climbs from a leaf to the root; the last result is the root that the path leads to. */
export async function climb(leaf: Bytes, index: number, size: number, path: Bytes[]): Promise<PathStep[]> {
  if (leaf.length !== HASH_SIZE) throw new Error("the leaf's hash is not 32 bytes long");
  if (index >= size) throw new Error(`entry ${index} is not below tree size ${size}`);
  const steps: PathStep[] = [];
  let [fn, sn, result] = [index, size - 1, leaf];
  for (const sibling of path) {
    if (sibling.length !== HASH_SIZE) throw new Error("a hash of the path is not 32 bytes long");
    if (sn === 0) throw new Error("the path is longer than the tree is high");
    const left = fn % 2 === 1 || fn === sn;
    result = left ? await nodeHash(sibling, result) : await nodeHash(result, sibling);
    steps.push({ sibling, side: left ? "left" : "right", result });
    if (left && fn % 2 === 0) {
      while (fn !== 0 && fn % 2 === 0) {
        fn /= 2;
        sn = Math.floor(sn / 2);
      }
    }
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  if (sn !== 0) throw new Error("the path ends below the root");
  return steps;
}

export interface Tree {
  size: number;
  root: Bytes;
}

/** RFC 9162, 2.1.4.2: whether `path` shows that `newer` extends `older`. */
export async function isConsistent(older: Tree, newer: Tree, path: Bytes[]): Promise<boolean> {
  if (older.size === 0 || older.size > newer.size) return false;
  if (older.size === newer.size) return path.length === 0 && equal(older.root, newer.root);
  if (path.some((hash) => hash.length !== HASH_SIZE)) return false;
  const hashes = exactLog2(older.size) !== undefined ? [older.root, ...path] : [...path];
  const first = hashes.shift();
  if (!first || path.length === 0) return false;
  let [fn, sn] = [older.size - 1, newer.size - 1];
  while (fn % 2 === 1) {
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  let [old, now] = [first, first];
  for (const hash of hashes) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      old = await nodeHash(hash, old);
      now = await nodeHash(hash, now);
      while (fn !== 0 && fn % 2 === 0) {
        fn /= 2;
        sn = Math.floor(sn / 2);
      }
    } else {
      now = await nodeHash(now, hash);
    }
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  return sn === 0 && equal(old, older.root) && equal(now, newer.root);
}
