#!/usr/bin/env python3
"""Recompute a ledger's roots from its Parquet segments: recompute_root.py LEDGER EXPORT.jsonl

Reads nothing of Counterfoil's code: rebuilds the canonical bytes of every entry from the columns as docs/formats/segment.md
says, hashes them, and compares the RFC 6962 roots with the segments' metadata and with the ledger's checkpoint.
EXPORT.jsonl is `counterfoil export LEDGER --format jsonl`; its last lines stand in for entries in no segment yet.
"""
import base64
import hashlib
import json
import re
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

US = pa.timestamp("us", tz="UTC")
TEXT, OPTIONAL = (pa.string(), False), (pa.string(), True)
COLUMNS = {
    "index": (pa.int64(), False), "timestamp": (US, False), "recorded_at": (US, False), "timestamp_nanos": (pa.int32(), False),
    "event_type": TEXT, "actor": TEXT, "actor_type": OPTIONAL, "on_behalf_of": OPTIONAL, "entity_id": TEXT, "entity_type": OPTIONAL,
    "outcome": OPTIONAL, "reason": OPTIONAL, "trace_id": OPTIONAL, "id": OPTIONAL, "source": OPTIONAL, "recorder": OPTIONAL,
    "sequence": (pa.int64(), True), "old_value": OPTIONAL, "new_value": OPTIONAL, "old_value_type": OPTIONAL,
    "new_value_type": OPTIONAL, "context": OPTIONAL, "signature_key_id": OPTIONAL, "signature_algorithm": OPTIONAL,
    "signature": (pa.binary(), True), "salt": (pa.binary(), True),
}
KINDS = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null", dict: "object", list: "array"}
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
SEALED_REASON = re.compile(r'\{"\$sealed":\{"ciphertext":"[^"]+","key_id":"[^"]+","nonce":"[^"]+"\}\}')
MEMBERS = (
    "actor", "actor_type", "context", "entity_id", "entity_type", "event_type", "id", "new_value", "old_value", "on_behalf_of",
    "outcome", "reason", "recorded_at", "recorder", "salt", "sequence", "signature", "source", "timestamp", "trace_id",
)


class Disagreement(Exception):
    """The files do not say what they should."""


def expect(holds, otherwise):
    if not holds:
        raise Disagreement(otherwise)


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def leaf_of(entry):
    return sha(b"\x00", entry)


def text(value):
    # Python escapes exactly what RFC 8785 does.
    return json.dumps(value, ensure_ascii=False)


def instant(micros, nanos=0):
    seconds, below = divmod(micros, 1_000_000)
    whole = (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{below:06d}{nanos:03d}".rstrip("0")
    return f'"{whole}.{fraction}Z"' if fraction else f'"{whole}Z"'


def kind_of(cell):
    """The kind of the one JSON value that a cell must be."""
    value, end = json.JSONDecoder().raw_decode(cell)
    expect(end == len(cell), f"a cell holds more than one JSON value: {cell!r}")
    return KINDS[type(value)]


def value_of(cell, kind):
    expect((cell is None) == (kind is None), "a value stands without its type, or a type without its value")
    if kind is None or kind == "string":
        return None if kind is None else text(cell)
    expect(kind_of(cell) == kind, f"the type column says {kind}, the cell is {cell!r}")
    return cell


def canonical(row):
    """The canonical bytes of the entry in a row of cells."""
    expect(0 <= row["timestamp_nanos"] <= 999, "timestamp_nanos is out of range")
    if row["context"] is not None:
        expect(kind_of(row["context"]) == "object", "the context is no object")
    signature = [row["signature_key_id"], row["signature_algorithm"], row["signature"]]
    expect(all(signature) or signature == [None] * 3, "a signature is there in part")
    made = dict(row)
    for name in ("actor", "actor_type", "on_behalf_of", "entity_id", "entity_type", "event_type", "outcome", "reason", "trace_id",
                 "id", "source", "recorder"):
        made[name] = None if row[name] is None else text(row[name])
    if row["reason"] and SEALED_REASON.fullmatch(row["reason"]):
        made["reason"] = row["reason"]
    made["old_value"] = value_of(row["old_value"], row["old_value_type"])
    made["new_value"] = value_of(row["new_value"], row["new_value_type"])
    made["timestamp"] = instant(row["timestamp"], row["timestamp_nanos"])
    made["recorded_at"] = instant(row["recorded_at"])
    made["sequence"] = None if row["sequence"] is None else str(row["sequence"])
    made["salt"] = row["salt"] and f'"{base64.b64encode(row["salt"]).decode()}"'
    made["signature"] = row["signature"] and '{"algorithm":%s,"key_id":%s,"value":"%s"}' % (
        text(row["signature_algorithm"]), text(row["signature_key_id"]), base64.b64encode(row["signature"]).decode())
    return ("{" + ",".join(f'"{name}":{made[name]}' for name in MEMBERS if made[name] is not None) + "}").encode()


def rows_of(table):
    columns = {}
    for name in table.column_names:
        column = table.column(name)
        columns[name] = (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
    return [dict(zip(columns, cells)) for cells in zip(*columns.values())]


class Tree:
    """A growing RFC 6962 tree: its leaves, and its complete subtrees, largest first."""

    def __init__(self):
        self.leaves, self.subtrees = [], []

    def append(self, leaf):
        node, size = leaf, len(self.leaves)
        while size & 1:
            node = sha(b"\x01", self.subtrees.pop(), node)
            size >>= 1
        self.subtrees.append(node)
        self.leaves.append(leaf)

    def root(self):
        *larger, root = self.subtrees
        for left in reversed(larger):
            root = sha(b"\x01", left, root)
        return root

    def root_at(self, size):
        """The root when the tree had this size."""
        return tree_of(self.leaves[:size]).root()

    def subtrees_in_hex(self):
        return " ".join(node.hex() for node in self.subtrees)


def tree_of(leaves):
    tree = Tree()
    for leaf in leaves:
        tree.append(leaf)
    return tree


def head_of(checkpoint):
    """Size and root of a checkpoint; its signature is checked by the Go program."""
    _, size, root = checkpoint.split("\n")[:3]
    return int(size), base64.b64decode(root, validate=True)


def read_segment(path, table, tree):
    """Appends a segment's entries to the tree; checks its columns and metadata. Returns the entries, its own root, and the
    head that its metadata signs."""
    file = pq.ParquetFile(path)
    declared = {field.name: (field.type, field.nullable) for field in file.schema_arrow}
    expect(list(declared) == list(COLUMNS) and declared == COLUMNS, "the columns are not those of the format")
    metadata = {key.decode(): value.decode() for key, value in file.metadata.metadata.items()}
    first = len(tree.leaves)
    expect(metadata["counterfoil.format_version"] == "1", "another format version")
    expect(int(metadata["counterfoil.first"]) == first == int(path.stem), "it does not start where the one before ended")
    expect(metadata["counterfoil.before"] == tree.subtrees_in_hex(), "the subtrees before it are others")
    entries = []
    for row in rows_of(table):
        expect(row["index"] == len(tree.leaves), f"a row has index {row['index']} where {len(tree.leaves)} belongs")
        entries.append(canonical(row))
        tree.append(leaf_of(entries[-1]))
    root = tree_of(tree.leaves[first:]).root().hex()
    expect(int(metadata["counterfoil.count"]) == len(entries), "the number of rows is another")
    expect(metadata["counterfoil.root"] == root, "the root in its metadata is another")
    expect(metadata["counterfoil.after"] == tree.subtrees_in_hex(), "the subtrees after it are others")
    return entries, root, head_of(metadata["counterfoil.checkpoint"])


def sealed_roots(entries):
    """What the `ledger.sealed` entries say of the segments' roots, by first index."""
    sealed = (json.loads(entry) for entry in entries if b'"event_type":"ledger.sealed"' in entry)
    return {entry["context"]["first"]: entry["context"]["root"] for entry in sealed}


def compare_roots(ledger, exported, changed=lambda _, table: table):
    """Recomputes everything and compares; returns what was compared. `changed` stands between file and check."""
    tree, heads, roots = Tree(), [], {}
    paths = sorted((ledger / "segments").glob("*.parquet"))
    expect(paths, "there are no segments")
    for path in paths:
        first = len(tree.leaves)
        try:
            entries, roots[first], head = read_segment(path, changed(path, pq.read_table(path)), tree)
        except (Disagreement, ValueError) as error:
            raise Disagreement(f"{path.name}: {error}") from error
        expect(entries == exported[first:len(tree.leaves)], f"{path.name}: an entry is not the one that was exported")
        heads.append(head)
    sealed = len(tree.leaves)
    expect(roots == sealed_roots(exported), "the `ledger.sealed` entries name other segments or roots")
    for entry in exported[sealed:]:
        tree.append(leaf_of(entry))
    size, root = head_of((ledger / "checkpoint").read_text())
    expect(size == len(tree.leaves), f"the checkpoint has {size} entries, segments and tail have {len(tree.leaves)}")
    expect(root == tree.root(), "the checkpoint's root is another")
    for size, root in heads:
        expect(root == tree.root_at(size), f"the checkpoint of {size} entries in a segment has another root")
    return [
        f"{len(paths)} segments have the format's columns; their metadata and `ledger.sealed` name their roots",
        f"the {sealed} entries rebuilt from columns are the exported ones, byte for byte",
        f"the root over {sealed} sealed entries and a tail of {len(tree.leaves) - sealed} is the checkpoint's: {tree.root().hex()}",
    ]


def with_cell(table, name, row, cell):
    """A table in which one cell is another."""
    column = table.column(name).to_pylist()
    column[row] = cell(column[row])
    at = table.column_names.index(name)
    return table.set_column(at, table.schema.field(at), pa.array(column, table.schema.field(at).type))


TAMPERINGS = {
    "an actor renamed in one cell": ("actor", lambda cell: cell + "x"),
    "a timestamp moved by a microsecond": ("timestamp", lambda cell: cell + timedelta(microseconds=1)),
    "a context with a member more": ("context", lambda cell: '{"x":1}' if cell is None else cell[:-1] + ',"x":1}'),
    "an entity moved out of its column into the context": ("context", lambda cell: (cell or "{}") + ',"entity_id":"X"'),
    "a row that claims another index": ("index", lambda cell: cell + 1),
}


def main():
    ledger = Path(sys.argv[1])
    exported = Path(sys.argv[2]).read_bytes().removesuffix(b"\n").split(b"\n")
    failed = False
    try:
        for line in compare_roots(ledger, exported):
            print(f"ok    recompute_root: {line}")
    except Disagreement as error:
        print(f"FAIL  recompute_root: {error}")
        failed = True
    first = min((ledger / "segments").glob("*.parquet"))
    for name, (column, cell) in TAMPERINGS.items():
        try:
            compare_roots(ledger, exported, lambda path, table: with_cell(table, column, 100, cell) if path == first else table)
            print(f"FAIL  recompute_root: {name} is not found")
            failed = True
        except Disagreement:
            print(f"ok    recompute_root: {name} is found")
    sys.exit(failed)


main()
