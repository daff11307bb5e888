//! A row of the audit table, and the entry that it becomes.

use counterfoil::{Error, ErrorKind, Result};
use counterfoil_entry::canonical::{canonicalise, write_string};
use counterfoil_entry::{Draft, Fields, Timestamp};
use sha2::{Digest, Sha256};

use crate::wire::{Texts, identifier};

/// The columns of the audit table, in the order of a [`Row`].
pub(crate) const COLUMNS: [&str; 18] = [
    "id",
    "timestamp",
    "event_type",
    "actor",
    "actor_type",
    "on_behalf_of",
    "entity_id",
    "entity_type",
    "old_value",
    "new_value",
    "outcome",
    "reason",
    "context",
    "trace_id",
    "recorded_txid",
    "recorded_at",
    "recorded_by",
    "seal",
];
const TIMESTAMP: usize = 1;
const CONTEXT: usize = 12;
const RECORDED_TXID: usize = 14;
const RECORDED_AT: usize = 15;
const RECORDED_BY: usize = 16;
const SEAL: usize = 17;

/// The most canonical bytes of all that a row says: what is left of an entry when the widest place is in it.
const MAX_BYTES: usize = Draft::MAX_BYTES - 1_024;

/// The event type of a row that no entry can hold as it is.
pub(crate) const UNFIT: &str = "postgres.row_unfit";

/// The primary key of a row.
pub type RowId = i64;

/// A row of the audit table: the texts of its columns as PostgreSQL prints them (in UTC), none for NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its primary key.
    pub id: RowId,
    texts: Texts,
}

impl Row {
    /// The columns as a query names them.
    pub(crate) fn select_list() -> String {
        COLUMNS.map(identifier).join(", ")
    }

    /// A row from the texts of [`COLUMNS`].
    pub(crate) fn new(texts: Texts) -> Result<Self> {
        let id = texts.first().and_then(|id| id.as_deref()?.parse().ok());
        match id {
            Some(id) if texts.len() == COLUMNS.len() => Ok(Self { id, texts }),
            _ => {
                Err(Error::new(ErrorKind::Invalid, "counterfoil.audit_log does not have the columns that install made"))
            }
        }
    }

    /// What it holds of memory.
    pub(crate) fn bytes(&self) -> usize {
        let texts = self.texts.iter().flatten().map(String::len).sum::<usize>();
        size_of::<Self>() + size_of_val(&self.texts[..]) + texts
    }

    fn text(&self, column: usize) -> Option<&str> {
        self.texts[column].as_deref()
    }

    /// The transaction that the row says wrote it.
    pub(crate) fn recorded_txid(&self) -> Option<u64> {
        self.text(RECORDED_TXID)?.parse().ok()
    }

    /// When the row says it was written.
    pub(crate) fn recorded_at(&self) -> Option<String> {
        self.text(RECORDED_AT).map(instant)
    }

    /// When the row says it happened.
    pub(crate) fn timestamp(&self) -> Option<String> {
        self.text(TIMESTAMP).map(instant)
    }

    /// Whether the row is as the trigger that stamps it left it: the seal of install.sql over all other columns.
    pub(crate) fn is_sealed(&self) -> bool {
        let mut digest = Sha256::new();
        for (column, text) in self.texts[..SEAL].iter().enumerate() {
            if column > 0 {
                digest.update("\u{1f}");
            }
            match text.as_deref() {
                None => digest.update("\u{1e}"),
                Some(text) if matches!(column, TIMESTAMP | RECORDED_AT) => match Timestamp::parse(&instant(text)) {
                    Ok(at) => digest.update(at.micros().to_string()),
                    Err(_) => return false,
                },
                Some(text) => digest.update(text),
            }
        }
        let sealed = self.text(SEAL).and_then(|seal| seal.strip_prefix("\\x"));
        sealed == Some(&hex::encode(digest.finalize()))
    }

    /// The entry of this row at a place, if it is given one. Every row has exactly one: a row that no entry can hold (its
    /// numbers, nesting or length are beyond the format) becomes an entry that says so and holds the digest of its texts. The
    /// place has no part in that: with and without it a row is the same.
    pub(crate) fn draft(&self, place: Option<&Place<'_>>) -> Result<Draft> {
        let room = place.map_or(0, Place::bytes);
        match Draft::parse(&self.json(place)) {
            Ok(draft) if draft.client_bytes().len() <= MAX_BYTES + room => Ok(draft),
            _ => Ok(Draft::parse(&self.unfit(place))?),
        }
    }

    /// SHA-256 of the canonical bytes of all that the row says: equal to [`content_of`] its entry.
    pub(crate) fn digest(&self) -> Result<[u8; 32]> {
        Ok(self.draft(None)?.content_digest())
    }

    fn json(&self, place: Option<&Place<'_>>) -> Vec<u8> {
        let mut json = Vec::with_capacity(512);
        json.push(b'{');
        for (column, name) in COLUMNS.iter().enumerate().take(RECORDED_TXID).skip(1) {
            let Some(text) = self.text(column) else { continue };
            match *name {
                "context" => continue,
                "timestamp" => member(&mut json, name, |json| write_string(&instant(text), json)),
                "old_value" | "new_value" => member(&mut json, name, |json| write_exact(text, json)),
                _ => member(&mut json, name, |json| write_string(text, json)),
            }
        }
        member(&mut json, "context", |json| self.write_context(json));
        if let Some(place) = place {
            place.write(&mut json);
        }
        json.push(b'}');
        json
    }

    /// The row's own context, and what the table knows beyond the entry's members.
    fn write_context(&self, json: &mut Vec<u8>) {
        json.extend_from_slice(b"{\"postgres\":");
        self.write_stamp(json, None);
        let own = self.text(CONTEXT).and_then(|text| text.strip_prefix('{')).unwrap_or("}");
        if own != "}" {
            json.push(b',');
        }
        write_exact(own, json);
    }

    fn write_stamp(&self, json: &mut Vec<u8>, problem: Option<&str>) {
        json.extend_from_slice(format!("{{\"id\":{}", self.id).as_bytes());
        for (name, column) in [("recorded_at", RECORDED_AT), ("recorded_by", RECORDED_BY), ("txid", RECORDED_TXID)] {
            if let Some(text) = self.text(column) {
                let text = if column == RECORDED_AT { instant(text) } else { text.to_owned() };
                member(json, name, |json| write_string(&text, json));
            }
        }
        if let Some(problem) = problem {
            member(json, "problem", |json| write_string(problem, json));
            member(json, "sha256", |json| write_string(&self.text_digest(), json));
        }
        json.push(b'}');
    }

    fn unfit(&self, place: Option<&Place<'_>>) -> Vec<u8> {
        let problem = match Draft::parse(&self.json(None)) {
            Err(error) => error.to_string(),
            Ok(_) => format!("it has more than {MAX_BYTES} bytes"),
        };
        let mut json = Vec::with_capacity(512);
        let entity = format!("counterfoil.audit_log/{}", self.id);
        json.extend_from_slice(b"{\"actor\":\"counterfoil-postgres\"");
        member(&mut json, "event_type", |json| write_string(UNFIT, json));
        member(&mut json, "entity_id", |json| write_string(&entity, json));
        let at = Timestamp::parse(&self.recorded_at().unwrap_or_default()).unwrap_or(Timestamp::from_micros(0));
        member(&mut json, "timestamp", |json| write_string(&at.to_string(), json));
        let problem: String = problem.chars().take(500).collect();
        member(&mut json, "context", |json| {
            json.extend_from_slice(b"{\"postgres\":");
            self.write_stamp(json, Some(&problem));
            json.push(b'}');
        });
        if let Some(place) = place {
            place.write(&mut json);
        }
        json.push(b'}');
        json
    }

    /// SHA-256 over the texts, each with its length (and a length beyond any for NULL) before it.
    fn text_digest(&self) -> String {
        let mut digest = Sha256::new();
        for text in &self.texts {
            let length = text.as_ref().map_or(u64::MAX, |text| text.len() as u64);
            digest.update(length.to_be_bytes());
            digest.update(text.as_deref().unwrap_or("").as_bytes());
        }
        hex::encode(digest.finalize())
    }
}

/// What only the follower knows of a row: where it stands in the order of commits. Left out of the comparison.
#[derive(Debug, Clone)]
pub(crate) struct Place<'a> {
    pub source: &'a str,
    pub sequence: u64,
    /// The idempotency key, made from the position in the database's own order.
    pub id: String,
}

impl Place<'_> {
    /// What it adds to an entry.
    fn bytes(&self) -> usize {
        let mut json = Vec::new();
        self.write(&mut json);
        json.len()
    }

    pub fn write(&self, json: &mut Vec<u8>) {
        member(json, "id", |json| write_string(&self.id, json));
        member(json, "source", |json| write_string(self.source, json));
        member(json, "sequence", |json| json.extend_from_slice(self.sequence.to_string().as_bytes()));
    }
}

/// The id of the row that an entry holds, and SHA-256 of all that it says of the row.
pub(crate) fn content_of(mut fields: Fields<'_>) -> Option<(RowId, [u8; 32])> {
    let id = row_id_of(&fields)?;
    (fields.id, fields.source, fields.sequence) = (None, None, None);
    (fields.recorder, fields.signature) = (None, None);
    Some((id, fields.content_digest()))
}

fn row_id_of(fields: &Fields<'_>) -> Option<RowId> {
    #[derive(serde::Deserialize)]
    struct Context {
        postgres: Stamp,
    }
    #[derive(serde::Deserialize)]
    struct Stamp {
        id: RowId,
    }
    serde_json::from_str::<Context>(fields.context?).ok().map(|context| context.postgres.id)
}

/// PostgreSQL's `2026-11-24 13:16:00.25+00` as RFC 3339.
pub(crate) fn instant(text: &str) -> String {
    match text.split_once(' ') {
        Some((date, time)) => format!("{date}T{}Z", time.strip_suffix("+00").unwrap_or(time)),
        None => text.to_owned(),
    }
}

fn member(json: &mut Vec<u8>, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
    if !matches!(json.last(), Some(b'{')) {
        json.push(b',');
    }
    write_string(name, json);
    json.push(b':');
    value(json);
}

/// Appends JSON with every number that canonical JSON would not keep exactly written as the text of its digits.
pub(crate) fn write_exact(text: &str, json: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let (mut at, mut in_string) = (0, false);
    while at < bytes.len() {
        let byte = bytes[at];
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => {
                json.push(byte);
                at += 1;
            }
            b'-' | b'0'..=b'9' if !in_string => {
                let rest = &bytes[at..];
                let length = rest.iter().take_while(|byte| b"+-.eE0123456789".contains(byte)).count();
                write_number(&rest[..length], json);
                at += length;
                continue;
            }
            _ => {}
        }
        json.extend(bytes.get(at));
        at += 1;
    }
}

fn write_number(literal: &[u8], json: &mut Vec<u8>) {
    let whole = literal.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-') && literal.len() <= 64;
    if whole || canonicalise(literal, &mut Vec::new()).is_ok() {
        json.extend_from_slice(literal);
    } else {
        json.push(b'"');
        json.extend_from_slice(literal);
        json.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(changes: &[(&str, Option<&str>)]) -> Row {
        let mut texts: Texts = vec![None; COLUMNS.len()];
        let usual = [
            ("id", Some("42")),
            ("timestamp", Some("2026-11-24 13:16:00.25+00")),
            ("event_type", Some("payment_approved")),
            ("actor", Some("maria")),
            ("entity_id", Some("P-1")),
            ("recorded_txid", Some("731")),
            ("recorded_at", Some("2026-11-24 13:16:00.250001+00")),
            ("recorded_by", Some("app")),
        ];
        for (name, value) in usual.iter().chain(changes) {
            let column = COLUMNS.iter().position(|column| column == name).expect("a column");
            texts[column] = value.map(str::to_owned);
        }
        Row::new(texts).expect("a row")
    }

    fn entry(row: &Row) -> String {
        String::from_utf8(row.draft(None).expect("a draft").client_bytes().to_vec()).expect("UTF-8")
    }

    #[test]
    fn a_row_becomes_an_entry_with_its_digits_and_microseconds() {
        let row = row(&[
            ("new_value", Some(r#"{"amount": 12345678901234567.89, "minor": 9223372036854775808, "rate": 1.5}"#)),
            ("context", Some(r#"{"note": "say \"1.0000000000000000001\""}"#)),
        ]);
        let text = entry(&row);
        assert!(
            text.contains(r#""new_value":{"amount":"12345678901234567.89","minor":9223372036854775808,"rate":1.5}"#)
        );
        assert!(text.contains(r#""note":"say \"1.0000000000000000001\"""#), "texts are left alone: {text}");
        assert!(text.contains(r#""timestamp":"2026-11-24T13:16:00.25Z""#), "{text}");
        assert!(text.contains(r#""recorded_at":"2026-11-24T13:16:00.250001Z""#), "{text}");
        assert!(!text.contains("old_value"), "NULL is absent");
    }

    #[test]
    fn a_row_that_no_entry_can_hold_becomes_one_that_says_so() {
        let deep = format!("{}1{}", "[".repeat(80), "]".repeat(80));
        let unfit = row(&[("new_value", Some(&deep))]);
        let text = entry(&unfit);
        assert!(text.contains(UNFIT) && text.contains("sha256"), "{text}");
        let other = row(&[("new_value", Some(&deep.replace('1', "2")))]);
        assert_ne!(unfit.digest().unwrap(), other.digest().unwrap(), "what it held is still compared");
    }

    #[test]
    fn a_row_near_the_longest_is_one_thing_with_and_without_its_place() {
        let place = Place { source: "postgres:1/bank/counterfoil.audit_log", sequence: 7, id: "x".repeat(60) };
        for length in [60_000, MAX_BYTES - 500, MAX_BYTES, MAX_BYTES + 500, 200_000, 2_000_000] {
            let long = row(&[("reason", Some(&"x".repeat(length)))]);
            let mut bytes = Vec::new();
            let at = Timestamp::parse("2026-11-25T00:00:00Z").unwrap();
            long.draft(Some(&place)).unwrap().write_entry(at, Some("someone"), &mut bytes);
            let fields = Fields::split(&bytes).unwrap();
            assert_eq!(content_of(fields), Some((42, long.digest().unwrap())), "{length}");
        }
    }

    #[test]
    fn a_row_and_its_entry_have_one_digest_and_every_column_counts() {
        let before = row(&[("context", Some(r#"{"a": 1}"#))]);
        let place = Place { source: "postgres", sequence: 7, id: "x".to_owned() };
        let mut bytes = Vec::new();
        let at = Timestamp::parse("2026-11-25T00:00:00Z").unwrap();
        before.draft(Some(&place)).unwrap().write_entry(at, Some("someone"), &mut bytes);
        let fields = Fields::split(&bytes).unwrap();
        assert_eq!(content_of(fields), Some((42, before.digest().unwrap())));
        for (column, name) in COLUMNS[..SEAL].iter().enumerate().skip(1) {
            let changed = match *name {
                "timestamp" | "recorded_at" => "2025-11-24 13:16:00.25+00",
                "old_value" | "new_value" => "2",
                "context" => r#"{"a": 2}"#,
                "actor_type" => "service",
                "outcome" => "denied",
                _ => "9",
            };
            assert_ne!(row(&[(name, Some(changed))]).digest().unwrap(), before.digest().unwrap(), "{column} {name}");
        }
    }
}
