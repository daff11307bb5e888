//! Differential tests against real Python: whatever it writes and hashes must verify, and nothing else.

use std::fs;

use counterfoil_import::logdir::{FindingKind, Kind, verify};

use crate::fixtures::python;

/// Writes `lines` random documents, each with the hash that Python computes, as a chain.
const RANDOM_LOG: &str = r#"
import hashlib, json, random, struct, sys
random.seed(int(sys.argv[1]))
def digest(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
def text():
    ranges = [(0, 0x20), (0x20, 0x7f), (0x7f, 0x100), (0x100, 0xd800), (0xd800, 0xe000), (0xe000, 0x10000), (0x10000, 0x110000)]
    return "".join(chr(random.randrange(*random.choice(ranges))) for _ in range(random.randrange(8)))
def number():
    return random.choice([
        lambda: random.randrange(-10**random.randrange(1, 60), 10**random.randrange(1, 60)),
        lambda: struct.unpack("<d", random.randbytes(8))[0],
        lambda: random.choice([1, -1]) * 10.0 ** random.randrange(-8, 25),
        lambda: random.randrange(10**17) / 10**random.randrange(18),
        lambda: random.randrange(2**50, 2**53) / 2**random.randrange(1, 10),
        lambda: random.choice([0.0, -0.0, float("inf"), float("-inf"), float("nan"), 5e-324, 1.7976931348623157e308, 1e16, 9999999999999998.0, 1e-4, 0.00009999]),
    ])()
def value(depth):
    kind = random.randrange(8 if depth else 5)
    if kind == 0: return None
    if kind == 1: return random.random() < 0.5
    if kind == 2: return text()
    if kind < 5: return number()
    if kind < 6: return [value(depth - 1) for _ in range(random.randrange(4))]
    return {text(): value(depth - 1) for _ in range(random.randrange(6))}
prev = None
for _ in range(int(sys.argv[2])):
    entry = {text(): value(4) for _ in range(random.randrange(8))}
    entry.pop("hash", None)
    # Neighbouring halves of a surrogate pair become one character on the way through JSON.
    entry = json.loads(json.dumps(entry))
    entry["prev_hash"] = prev
    entry["hash"] = prev = digest(entry)
    style = random.choice([{}, {"separators": (",", ":")}, {"sort_keys": True}])
    sys.stdout.write(json.dumps(entry, **style) + "\n")
"#;

#[test]
fn random_documents_verify() {
    for seed in ["1", "2", "3"] {
        let Some(log) = python(RANDOM_LOG, &[seed, "4000"]) else { return };
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.log"), log).unwrap();
        let report = verify(folder.path(), &mut |_| {}).unwrap();
        assert_eq!(report.findings, [], "seed {seed}");
        assert_eq!(report.files[0].lines, 4_000);
        assert_eq!(report.files[0].kind, Some(Kind::Chained));
    }
}

/// Texts that Python reads and writes otherwise than they stand: the hash is of what it writes.
const SPELLINGS: &str = r#"
import hashlib, json, sys
for text in ['1.0', '1.00', '1E5', '100000.0', '1e16', '1e22', '1e400', '-1e400', '1e-400', '-0', '-0.0', '0.0001', '1e-5', '1.5E-7',
             '123456789012345678', '1234567890123456789012345678901234567890', '0.1', '0.1000000000000000055511151231257827', '9007199254740993.0',
             '2.2250738585072011e-308', '4.9e-324', '2.4703282292062328e-324', 'NaN', '-Infinity', '"\\/"', '"\\u00e9"', '"\\ud83d\\ude00"', '"\\ud83d"',
             '"\\ude00\\ud83d"', '"\\ud83d\\ud83d\\ude00"', '"\u007f\u2028é😀"', '{"b": 1, "a": {"\\uffff": 1, "\\ud83d\\ude00": 2, "\\ud83d": 3}}', '{"a": 1, "\\u0061": 2}', ' [ 1 , 2 ] ']:
    entry = {"v": json.loads(text)}
    digest = hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()
    sys.stdout.buffer.write(('{"v":%s,"hash":"%s"}\n' % (text, digest)).encode())
"#;

#[test]
fn every_spelling_is_hashed_as_python_reads_it() {
    let Some(log) = python(SPELLINGS, &[]) else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.jsonl"), &log).unwrap();
    let report = verify(folder.path(), &mut |_| {}).unwrap();
    assert_eq!(report.files[0].lines, 34);
    let kinds: Vec<_> = report.findings.iter().map(|finding| (finding.kind, finding.line)).collect();
    assert_eq!(kinds, [(FindingKind::DuplicateMember, 33)], "{:?}", report.findings);
}
