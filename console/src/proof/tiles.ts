import type { Bytes } from "./bytes";
import { foldHashes, HASH_SIZE } from "./hash";
import type { SubtreeReader } from "./merkle";

const TILE_HEIGHT = 8;
const TILE_WIDTH = 256;

export type Fetcher = (path: string) => Promise<Bytes>;

/** C2SP tlog-tiles: 1234067 is x001/x234/067. */
export function tilePath(kind: string, index: number, width: number): string {
  const digits = String(index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, "0");
  const groups = padded.match(/.{3}/g) ?? [];
  const name = groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join("/");
  return `tile/${kind}/${name}${width < TILE_WIDTH ? `.p/${width}` : ""}`;
}

function parseBundle(bytes: Bytes): Bytes[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: Bytes[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + 2 > bytes.length) throw new Error("the entry bundle ends inside a length");
    const length = view.getUint16(at);
    if (at + 2 + length > bytes.length) throw new Error("the entry bundle ends inside an entry");
    entries.push(bytes.slice(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return entries;
}

/** The tiles of the tree of one size; each is fetched once. */
export class TileReader {
  readonly fetched: string[] = [];
  private readonly pending = new Map<string, Promise<Bytes>>();

  constructor(
    private readonly size: number,
    private readonly fetchPath: Fetcher,
  ) {}

  private get(path: string): Promise<Bytes> {
    let pending = this.pending.get(path);
    if (!pending) {
      pending = this.fetchPath(path);
      this.pending.set(path, pending);
      this.fetched.push(path);
    }
    return pending;
  }

  private widthOf(level: number, tile: number): number {
    const hashes = Math.floor(this.size / TILE_WIDTH ** level);
    return Math.min(TILE_WIDTH, hashes - tile * TILE_WIDTH);
  }

  private async hashes(level: number, tile: number): Promise<Bytes[]> {
    const width = this.widthOf(level, tile);
    const path = tilePath(String(level), tile, width);
    const bytes = await this.get(path);
    if (bytes.length !== width * HASH_SIZE) {
      throw new Error(`${path} has ${bytes.length} bytes, ${width * HASH_SIZE} are expected`);
    }
    return Array.from({ length: width }, (_, i) => bytes.slice(i * HASH_SIZE, (i + 1) * HASH_SIZE));
  }

  readonly subtree: SubtreeReader = async ({ height, index }) => {
    const level = Math.floor(height / TILE_HEIGHT);
    const count = 2 ** (height % TILE_HEIGHT);
    const first = index * count;
    const tile = await this.hashes(level, Math.floor(first / TILE_WIDTH));
    const hashes = tile.slice(first % TILE_WIDTH, (first % TILE_WIDTH) + count);
    if (hashes.length !== count) throw new Error(`subtree ${index} of height ${height} is not complete`);
    return foldHashes(hashes);
  };

  async storedLeaf(index: number): Promise<Bytes> {
    return (await this.hashes(0, Math.floor(index / TILE_WIDTH)))[index % TILE_WIDTH] as Bytes;
  }

  async entry(index: number): Promise<Bytes> {
    const tile = Math.floor(index / TILE_WIDTH);
    const width = this.widthOf(0, tile);
    const path = tilePath("entries", tile, width);
    const entries = parseBundle(await this.get(path));
    if (entries.length !== width) throw new Error(`${path} has ${entries.length} entries, ${width} are expected`);
    return entries[index % TILE_WIDTH] as Bytes;
  }
}
