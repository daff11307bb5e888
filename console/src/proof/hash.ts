import { type Bytes, concat } from "./bytes";

export const HASH_SIZE = 32;

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export async function sha256(bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

export function leafHash(entry: Uint8Array): Promise<Bytes> {
  return sha256(concat(LEAF, entry));
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Promise<Bytes> {
  return sha256(concat(NODE, left, right));
}

/** Folds a power of two of neighbouring hashes into the one above them. */
export async function foldHashes(hashes: Bytes[]): Promise<Bytes> {
  let row = hashes;
  while (row.length > 1) {
    row = await Promise.all(
      Array.from({ length: row.length / 2 }, (_, i) => nodeHash(row[2 * i] as Bytes, row[2 * i + 1] as Bytes)),
    );
  }
  return row[0] as Bytes;
}
