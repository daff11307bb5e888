//! Valid canonical entries, arbitrary and orderly.

use counterfoil_entry::{Draft, Fields, Timestamp};
use counterfoil_segment::index::SourceState;
use counterfoil_segment::{Sealed, SegmentMeta, write};
use counterfoil_tlog::{CompactRange, Hash, LeafIndex, leaf_hash};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// The canonical bytes of a client's entry, committed at `micros`.
pub fn commit(client: &Value, micros: i64, recorder: Option<&str>, salt: Option<[u8; 16]>) -> Vec<u8> {
    let draft = Draft::parse(client.to_string().as_bytes()).unwrap_or_else(|error| panic!("{client}: {error}"));
    let mut entry = Vec::new();
    draft.write_entry(Timestamp::from_micros(micros), recorder, &mut entry);
    let mut fields = Fields::split(&entry).expect("the draft's own bytes");
    fields.salt = salt;
    let mut salted = Vec::new();
    fields.write_canonical(&mut salted);
    Fields::check(&salted).expect("a valid entry");
    salted
}

/// Text that does not compress: 64 hex digits of a generator's output.
fn digest(number: u64) -> String {
    let words = (0..4).map(|word| {
        let mut mixed = (number * 4 + word).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        format!("{:016x}", mixed ^ mixed >> 31)
    });
    words.collect()
}

/// Entry number `number` of a workload with few actors, some entities and several sources.
pub fn plain(number: u64) -> Vec<u8> {
    let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let event_types = ["invoice_approved", "kyc_check", "manual_override"];
    let mut client = json!({
        "event_type": event_types[(mixed % 3) as usize],
        "actor": format!("bot-{}", mixed % 7),
        "entity_id": format!("INV-{}", mixed % 97),
        "timestamp": format!("2026-03-01T00:{:02}:{:02}.{:03}Z", number / 60 % 60, number % 60, mixed % 1000),
        "context": {"confidence": (mixed % 100) as f64 / 128.0, "model_version": "m-1", "prompt": digest(number)},
        "old_value": {"status": "open"},
        "new_value": {"amount": format!("{}.50", mixed % 9999), "status": "closed"},
        "trace_id": format!("run-{}", number / 5),
    });
    if number.is_multiple_of(3) {
        client["id"] = json!(format!("id-{number}"));
    }
    if number.is_multiple_of(2) {
        client["source"] = json!(format!("worker-{}", number % 4));
        client["sequence"] = json!(number / 4);
    }
    let recorder = (number % 4 == 2).then_some("svc-ingest");
    commit(&client, 1_772_323_200_000_000 + number as i64 / 10 * 1_000, recorder, None)
}

/// The metadata of a segment with these entries, its tree's left part invented.
pub fn meta(first: u64, entries: &[Vec<u8>]) -> SegmentMeta {
    let before = vec![Hash([7; 32]); first.count_ones() as usize];
    let mut own = CompactRange::new(LeafIndex(0));
    entries.iter().for_each(|entry| own.push(leaf_hash(entry)));
    SegmentMeta {
        format_version: 1,
        origin: "example.com/ledger".into(),
        first,
        count: entries.len() as u64,
        root: own.root().expect("a range from 0 has a root"),
        before,
        after: vec![Hash([9; 32]); (first + entries.len() as u64).count_ones() as usize],
        checkpoint: "example.com/ledger\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— sig\n".into(),
    }
}

/// Both files of a segment.
pub fn seal(first: u64, entries: &[Vec<u8>]) -> Sealed {
    seal_with(first, entries, &[])
}

/// Both files of a segment at whose end these sources were known.
pub fn seal_with(first: u64, entries: &[Vec<u8>], sources: &[SourceState]) -> Sealed {
    write(&meta(first, entries), sources, entries).expect("valid entries")
}

/// A client's signature of nothing: its form is right, which is all that a segment looks at.
fn signature() -> impl Strategy<Value = Value> {
    ("[0-9a-f]{64}", prop::collection::vec(any::<u8>(), 64)).prop_map(|(key_id, value)| {
        use base64::Engine;
        let value = base64::engine::general_purpose::STANDARD.encode(value);
        json!({"algorithm": "ed25519", "key_id": key_id, "value": value})
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-z]{1,8}",
        "\\PC{1,12}",
        "[\"\\\\/\u{8}\u{c}\n\r\t\u{1}\u{1f}\u{7f}é€\u{2028}\u{10ffff}]{1,6}"
    ]
}

fn identifier() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z0-9-]{1,12}", "[\"\\\\ a-z€😀]{1,6}", "[a-z]{64}"]
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1_000_000_i64..1_000_000).prop_map(|n| json!(n as f64 / 64.0)),
        Just(json!(1e23)),
        Just(json!(5e-7)),
    ]
}

fn sealed() -> impl Strategy<Value = Value> {
    "[a-z]{1,6}".prop_map(|key_id| json!({"$sealed": {"ciphertext": "AAECAw==", "key_id": key_id, "nonce": "/w=="}}))
}

fn value() -> impl Strategy<Value = Value> {
    let leaf =
        prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), number(), text().prop_map(Value::from)];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn object() -> impl Strategy<Value = Value> {
    prop::collection::btree_map(text(), value(), 0..5).prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn timestamp() -> impl Strategy<Value = String> {
    (1678..2262_u32, 1..13_u32, 1..29_u32, 0..24_u32, 0..60_u32, 0..60_u32, 0..=999_999_999_u32, 0..4_u32).prop_map(
        |(year, month, day, hour, minute, second, nanos, digits)| {
            let nanos = nanos / 10_u32.pow(3 * digits.min(2)) * 10_u32.pow(3 * digits.min(2));
            format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
        },
    )
}

/// Any entry: every member absent or present, with every kind of text and value that it takes.
pub fn any_entry() -> impl Strategy<Value = Vec<u8>> {
    let some = |strategy: BoxedStrategy<Value>| prop::option::of(strategy);
    let name = || identifier().prop_map(Value::from).boxed();
    let names = (name(), name(), name());
    let optional = (
        some(prop::sample::select(vec!["user", "service", "ai_agent"]).prop_map(Value::from).boxed()),
        some(name()),
        some(name()),
        some(prop::sample::select(vec!["success", "failure", "denied"]).prop_map(Value::from).boxed()),
        some(prop_oneof![text().prop_map(Value::from), sealed()].boxed()),
        some(name()),
        some(name()),
        some(prop_oneof![value(), sealed()].boxed()),
        some(value().boxed()),
        some(object().boxed()),
    );
    let source = prop::option::of((name(), 0..=i64::MAX as u64, prop::option::of(signature())));
    let ledger = (0..4_102_444_800_000_000_i64, prop::option::of(identifier()), prop::option::of(any::<[u8; 16]>()));
    (names, optional, source, prop::option::of(timestamp()), ledger).prop_map(
        |(names, optional, source, time, ledger)| {
            let mut members = Map::new();
            members.insert("event_type".into(), names.0);
            members.insert("actor".into(), names.1);
            members.insert("entity_id".into(), names.2);
            let mut set = |name: &str, value: Option<Value>| value.map(|value| members.insert(name.into(), value));
            set("actor_type", optional.0);
            set("on_behalf_of", optional.1);
            set("entity_type", optional.2);
            set("outcome", optional.3);
            set("reason", optional.4);
            set("trace_id", optional.5);
            set("id", optional.6);
            set("old_value", optional.7);
            set("new_value", optional.8);
            set("context", optional.9);
            set("timestamp", time.clone().map(Value::from));
            if let Some((source, sequence, signature)) = source {
                set("source", Some(source));
                set("sequence", Some(sequence.into()));
                set("signature", signature.filter(|_| time.is_some()));
            }
            let (micros, recorder, salt) = ledger;
            commit(&Value::Object(members), micros, recorder.as_deref(), salt)
        },
    )
}
