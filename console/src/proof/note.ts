import { type Bytes, concat, equal, fromBase64, fromHex, utf8 } from "./bytes";
import { HASH_SIZE, sha256 } from "./hash";

/** C2SP signed-note: a text and the lines that sign it. */
export interface Note {
  text: string;
  signatures: { name: string; keyId: Bytes; signature: Bytes }[];
}

/** C2SP tlog-checkpoint. */
export interface Checkpoint extends Note {
  raw: string;
  origin: string;
  size: number;
  root: Bytes;
}

export interface VerifierKey {
  text: string;
  name: string;
  keyId: Bytes;
  publicKey: Bytes;
}

export type SignatureVerdict = "valid" | "invalid" | "missing" | "unsupported";

const ED25519 = 1;
const MAX_NOTE = 1_000_000;
const MAX_SIGNATURES = 100;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the specification forbids them by range
const CONTROL = /[\u0000-\u0009\u000b-\u001f]/;

function isName(name: string): boolean {
  return name !== "" && !/[\s+]/u.test(name);
}

export function parseNote(raw: string): Note {
  if (raw.length > MAX_NOTE) throw new Error("the note is too long");
  if (CONTROL.test(raw)) throw new Error("the note contains a control character");
  const split = raw.lastIndexOf("\n\n");
  if (split < 0) throw new Error("the note has no empty line before its signatures");
  const tail = raw.slice(split + 2);
  if (!tail.endsWith("\n")) throw new Error("the note does not end with a line feed");
  const lines = tail.slice(0, -1).split("\n");
  if (lines.length > MAX_SIGNATURES) throw new Error("the note has too many signatures");
  const signatures = lines.map((line) => {
    const parts = line.startsWith("— ") ? line.slice(2).split(" ") : [];
    const [name = "", encoded = ""] = parts;
    if (parts.length !== 2 || !isName(name)) throw new Error("a signature line of the note is malformed");
    const bytes = fromBase64(encoded);
    if (bytes.length < 5) throw new Error("a signature of the note is too short");
    return { name, keyId: bytes.slice(0, 4), signature: bytes.slice(4) };
  });
  return { text: raw.slice(0, split + 1), signatures };
}

export function parseCheckpoint(raw: string): Checkpoint {
  const note = parseNote(raw);
  const [origin = "", sizeText = "", rootText = ""] = note.text.split("\n");
  if (origin === "") throw new Error("the checkpoint has no origin");
  if (!/^(0|[1-9][0-9]*)$/.test(sizeText)) throw new Error("the checkpoint's tree size is not a decimal number");
  const size = Number(sizeText);
  if (!Number.isSafeInteger(size)) throw new Error("the checkpoint's tree size is larger than this console can count");
  const root = fromBase64(rootText);
  if (root.length !== HASH_SIZE) throw new Error("the checkpoint's root is not 32 bytes long");
  return { ...note, raw, origin, size, root };
}

export async function parseVerifierKey(text: string): Promise<VerifierKey> {
  const match = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text.trim());
  if (!match) throw new Error("not a verifier key: name+8 hexadecimal digits+base64 is expected");
  const [whole, name = "", idText = "", encoded = ""] = match;
  if (!isName(name)) throw new Error("the verifier key's name contains white space");
  const key = fromBase64(encoded);
  if (key[0] !== ED25519 || key.length !== 33) throw new Error("the verifier key is not an Ed25519 key");
  const computed = (await sha256(concat(utf8(`${name}\n`), key))).slice(0, 4);
  const keyId = fromHex(idText);
  if (!equal(computed, keyId)) throw new Error("the verifier key's id does not belong to its key");
  return { text: whole, name, keyId, publicKey: key.slice(1) };
}

async function importKey(key: VerifierKey): Promise<CryptoKey | undefined> {
  try {
    return await crypto.subtle.importKey("raw", key.publicKey, { name: "Ed25519" }, false, ["verify"]);
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotSupportedError") return undefined;
    throw error;
  }
}

/** Every signature line of this key must hold; lines of other keys say nothing. */
export async function checkSignature(note: Note, key: VerifierKey): Promise<SignatureVerdict> {
  const own = note.signatures.filter((line) => line.name === key.name && equal(line.keyId, key.keyId));
  if (own.length === 0) return "missing";
  const verifier = await importKey(key);
  if (!verifier) return "unsupported";
  for (const line of own) {
    if (line.signature.length !== 64) return "invalid";
    const good = await crypto.subtle.verify({ name: "Ed25519" }, verifier, line.signature, utf8(note.text));
    if (!good) return "invalid";
  }
  return "valid";
}
