import type { Bytes } from "../src/proof/bytes";
import { concat } from "../src/proof/bytes";
import { leafHash, nodeHash } from "../src/proof/hash";
import type { Fetcher } from "../src/proof/tiles";

async function perfect(leaves: Bytes[], first: number, count: number): Promise<Bytes> {
  if (count === 1) return leaves[first] as Bytes;
  return nodeHash(await perfect(leaves, first, count / 2), await perfect(leaves, first + count / 2, count / 2));
}

function framed(entry: Bytes): Bytes {
  return concat(Uint8Array.of(entry.length >> 8, entry.length & 255), entry);
}

/** A tlog over entries in memory: what a server would answer. */
export async function logOf(entries: Bytes[], checkpoint: () => string): Promise<Fetcher> {
  const leaves = await Promise.all(entries.map(leafHash));
  return async (path) => {
    if (path === "checkpoint") return new TextEncoder().encode(checkpoint()) as Bytes;
    const [, kind = "", name = "", partial] = /^tile\/([^/]+)\/(.+?)(?:\.p\/([0-9]+))?$/.exec(path) ?? [];
    const tile = Number(name.replaceAll(/[x/]/g, ""));
    const width = Number(partial ?? 256);
    if (kind === "entries") return concat(...entries.slice(tile * 256, tile * 256 + width).map(framed));
    const span = 256 ** Number(kind);
    const hashes = Array.from({ length: width }, (_, i) => perfect(leaves, (tile * 256 + i) * span, span));
    return concat(...(await Promise.all(hashes)));
  };
}
