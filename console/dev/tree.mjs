import { createHash, createPrivateKey, createPublicKey, sign } from "node:crypto";

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();
const node = (left, right) => sha256(Buffer.of(1), left, right);

function splitPoint(count) {
  let k = 1;
  while (k * 2 < count) k *= 2;
  return k;
}

/** A growing RFC 6962 tree over entries, with the tiles, bundles and checkpoints of tlog-tiles. */
export class Tree {
  entries = [];
  leaves = [];
  complete = new Map();

  constructor(origin, seed) {
    this.origin = origin;
    const pkcs8 = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
    this.key = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
    const raw = createPublicKey(this.key).export({ format: "der", type: "spki" }).subarray(-32);
    const typed = Buffer.concat([Buffer.of(1), raw]);
    this.keyId = sha256(`${origin}\n`, typed).subarray(0, 4);
    this.vkey = `${origin}+${this.keyId.toString("hex")}+${typed.toString("base64")}`;
  }

  get size() {
    return this.entries.length;
  }

  append(text) {
    const bytes = Buffer.from(text);
    this.entries.push(bytes);
    this.leaves.push(sha256(Buffer.of(0), bytes));
  }

  range(first, end) {
    const count = end - first;
    if (count === 1) return this.leaves[first];
    const k = splitPoint(count);
    const whole = k * 2 === count && first % count === 0;
    const slot = `${first}+${count}`;
    if (whole && this.complete.has(slot)) return this.complete.get(slot);
    const hash = node(this.range(first, first + k), this.range(first + k, end));
    if (whole) this.complete.set(slot, hash);
    return hash;
  }

  root(size = this.size) {
    return size === 0 ? sha256("") : this.range(0, size);
  }

  checkpoint(size = this.size) {
    const text = `${this.origin}\n${size}\n${this.root(size).toString("base64")}\n`;
    const signature = Buffer.concat([this.keyId, sign(null, Buffer.from(text), this.key)]);
    return `${text}\n— ${this.origin} ${signature.toString("base64")}\n`;
  }

  tile(level, tile, width) {
    const span = 256 ** level;
    return Buffer.concat(
      Array.from({ length: width }, (_, i) => this.range((tile * 256 + i) * span, (tile * 256 + i + 1) * span)),
    );
  }

  bundle(tile, width) {
    return Buffer.concat(
      this.entries.slice(tile * 256, tile * 256 + width).flatMap((bytes) => {
        const length = Buffer.alloc(2);
        length.writeUInt16BE(bytes.length);
        return [length, bytes];
      }),
    );
  }
}
