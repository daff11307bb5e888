import { equal } from "./bytes";
import { type Memory, recall, remember } from "./memory";
import { consistencyPath, isConsistent } from "./merkle";
import { type Checkpoint, checkSignature, parseCheckpoint, parseVerifierKey, type SignatureVerdict } from "./note";
import { type Fetcher, TileReader } from "./tiles";

export type KeyVerdict =
  | { kind: "first-seen" }
  | { kind: "same"; since: string }
  | { kind: "changed"; known: string; since: string };

export type PastVerdict =
  | { kind: "first-seen" }
  | { kind: "same"; size: number; at: string }
  | { kind: "extends"; size: number; at: string; hashes: number }
  | { kind: "rolled-back" | "forked"; size: number; at: string; older: string };

/** One look at the newest checkpoint, judged against what this browser remembers. */
export interface Examination {
  at: string;
  checkpoint: Checkpoint;
  keyText: string;
  key: KeyVerdict;
  signature: SignatureVerdict;
  past: PastVerdict;
  tiles: TileReader;
}

export function isAlarming(look: Examination): boolean {
  return (
    look.key.kind === "changed" ||
    look.signature === "invalid" ||
    look.signature === "missing" ||
    look.past.kind === "forked" ||
    look.past.kind === "rolled-back"
  );
}

export function isVerified(look: Examination): boolean {
  return !isAlarming(look) && look.signature === "valid";
}

async function comparePast(
  memory: Memory | undefined,
  checkpoint: Checkpoint,
  tiles: TileReader,
): Promise<PastVerdict> {
  if (!memory?.checkpoint || !memory.checkpointAt) return { kind: "first-seen" };
  const older = parseCheckpoint(memory.checkpoint);
  const seen = { size: older.size, at: memory.checkpointAt };
  if (older.origin !== checkpoint.origin) return { kind: "forked", ...seen, older: memory.checkpoint };
  if (older.size > checkpoint.size) return { kind: "rolled-back", ...seen, older: memory.checkpoint };
  if (older.size === checkpoint.size) {
    return equal(older.root, checkpoint.root)
      ? { kind: "same", ...seen }
      : { kind: "forked", ...seen, older: memory.checkpoint };
  }
  if (older.size === 0) return { kind: "extends", ...seen, hashes: 0 };
  const path = await consistencyPath(tiles.subtree, older.size, checkpoint.size);
  return (await isConsistent(older, checkpoint, path))
    ? { kind: "extends", ...seen, hashes: path.length }
    : { kind: "forked", ...seen, older: memory.checkpoint };
}

function compareKey(memory: Memory | undefined, offered: string): KeyVerdict {
  if (!memory) return { kind: "first-seen" };
  if (memory.key !== offered) return { kind: "changed", known: memory.key, since: memory.keySince };
  return { kind: "same", since: memory.keySince };
}

function keep(look: Examination): void {
  if (isAlarming(look)) return;
  const memory = recall();
  const { keyText: key, at, checkpoint } = look;
  const known = { key, keySince: memory?.keySince ?? at, pinned: memory?.pinned ?? false };
  const isNewer = !memory?.checkpoint || parseCheckpoint(memory.checkpoint).size <= checkpoint.size;
  if (isVerified(look) && isNewer) remember({ ...known, checkpoint: checkpoint.raw, checkpointAt: at });
  else if (!memory) remember(known);
}

/**
 * Checks the checkpoint with the remembered key, or with the offered one when none is known yet. What is remembered is
 * read before the checkpoint is fetched: two looks at a time must not take each other's for the past.
 */
export async function examine(fetchPath: Fetcher, offeredKey: string): Promise<Examination> {
  const at = new Date().toISOString();
  const memory = recall();
  const key = compareKey(memory, offeredKey);
  const keyText = memory?.key ?? offeredKey;
  const verifier = await parseVerifierKey(keyText);
  const checkpoint = parseCheckpoint(new TextDecoder("utf-8", { fatal: true }).decode(await fetchPath("checkpoint")));
  const tiles = new TileReader(checkpoint.size, fetchPath);
  const signature = checkpoint.origin === verifier.name ? await checkSignature(checkpoint, verifier) : "missing";
  const past = await comparePast(memory, checkpoint, tiles);
  const look: Examination = { at, checkpoint, keyText, key, signature, past, tiles };
  keep(look);
  return look;
}
