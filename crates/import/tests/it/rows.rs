//! Rows: what becomes of them, and what is said of those that become nothing.

use std::io::{Cursor, Write};

use counterfoil_entry::Draft;
use counterfoil_import::{Import, ImportError, Map};
use flate2::{Compression, write::GzEncoder};

use crate::fixtures::{checked, entries, imported, json, refusal, text};

const HEAD: &str = "timestamp = { from = \"t\" }\nevent_type = { from = \"e\" }\nactor = { from = \"a\" }\nentity_id = { from = \"i\" }\n";

fn csv(rest: &str) -> String {
    format!("format = \"csv\"\n{HEAD}{rest}")
}

fn jsonl(rest: &str) -> String {
    format!("format = \"jsonl\"\n{HEAD}{rest}")
}

/// One CSV row with two columns more.
fn row(x: &str, y: &str) -> String {
    format!("t,e,a,i,x,y\n2026-01-01T00:00:00Z,paid,ann,P-1,{x},{y}\n")
}

/// One JSON record with these members more.
fn record(more: &str) -> String {
    format!("{{\"t\":\"2026-01-01T00:00:00Z\",\"e\":\"paid\",\"a\":\"ann\",\"i\":\"P-1\"{more}}}\n")
}

const START: &str = r#"{"timestamp":"2026-01-01T00:00:00Z","event_type":"paid","actor":"ann","entity_id":"P-1""#;

#[test]
fn the_rest_of_a_row_goes_into_the_context() {
    assert_eq!(imported(&csv(""), &row("1.50", "")), [format!("{START},\"context\":{{\"x\":\"1.50\"}}}}")]);
    assert_eq!(imported(&csv("keep = \"mapped\"\n"), &row("1", "2")), [format!("{START}}}")]);
    assert_eq!(
        imported(&csv("keep_in = \"row\"\n"), &row("1", "2")),
        [format!("{START},\"context\":{{\"row\":{{\"x\":\"1\",\"y\":\"2\"}}}}}}")]
    );
    let all = &imported(&csv("keep = \"all\"\n"), &row("1", "2"))[0];
    assert!(all.contains(r#""context":{"t":"2026-01-01T00:00:00Z","e":"paid","#), "{all}");
}

/// A column that a value map has changed, or that `first` passed over, stays readable.
#[test]
fn nothing_is_lost_between_the_members() {
    let map = csv(
        "outcome = { from = \"x\", values = { ok = \"success\" }, otherwise = \"failure\" }\nreason = { first = [\"y\", \"x\"] }\n",
    );
    assert_eq!(
        imported(&map, &row("nok", "late")),
        [format!("{START},\"outcome\":\"failure\",\"reason\":\"late\",\"context\":{{\"x\":\"nok\"}}}}")]
    );
    assert_eq!(imported(&map, &row("ok", "")), [format!("{START},\"outcome\":\"success\",\"reason\":\"ok\"}}")]);
}

#[test]
fn columns_have_types() {
    let types = "[types]\nx = \"number\"\ny = \"boolean\"\n";
    assert_eq!(
        imported(&csv(types), &row("1.50", "TRUE")),
        [format!("{START},\"context\":{{\"x\":1.50,\"y\":true}}}}")]
    );
    let either = "[types]\nx = \"number_or_string\"\ny = \"json\"\n";
    assert_eq!(
        imported(&csv(either), &row("12345678901234567.89", "\"{\"\"k\"\": [1, 2.0]}\"")),
        [format!("{START},\"context\":{{\"x\":\"12345678901234567.89\",\"y\":{{\"k\":[1,2.0]}}}}}}")]
    );
    for (x, y, expected) in [
        ("1,5", "true", "has 7 values where the header has 6"),
        ("1.5 EUR", "true", "context.x: column \"x\" holds \"1.5 EUR\", which is no number"),
        ("007", "true", "context.x: column \"x\" holds \"007\", which is no number"),
        ("1e999", "true", "context.x: column \"x\" holds 1e999, which no entry can hold exactly"),
        (
            "12345678901234567.89",
            "true",
            "context.x: column \"x\" holds 12345678901234567.89, which no entry can hold exactly",
        ),
        ("1", "ja", "context.y: column \"y\" holds \"ja\", which is neither true nor false"),
    ] {
        let refusal = refusal(&csv(types), &row(x, y));
        assert!(refusal.starts_with(&format!("1 2 {expected}")), "{refusal}");
    }
    assert!(refusal(&csv(either), &row("1", "{")).starts_with("1 2 context.y: column \"y\" holds no JSON"));
}

/// A column of numbers takes exactly the literals that an entry takes, and number_or_string makes strings of the others.
#[test]
fn numbers_are_those_that_an_entry_takes() {
    let mut state = 1_u64;
    let mut below = move |limit: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    let mut literals: Vec<String> =
        ["-0", "0.0", "-0.0e5", "1e400", "1e-400", "0e400", "5e-324", "2e-324", "1.7976931348623159e308"]
            .map(str::to_owned)
            .into();
    literals.extend([64, 65].map(|length| "9".repeat(length)));
    for _ in 0..20_000 {
        let mut digits = |most: u64| -> String {
            let length = 1 + below(most);
            (0..length).map(|_| char::from(b'0' + (below(10) * below(2)) as u8)).collect()
        };
        let (whole, fraction) = (digits(18), digits(20));
        let whole = whole.trim_start_matches('0');
        let exponent = below(700) as i64 - 350;
        let sign = if below(2) == 0 { "-" } else { "" };
        let whole = if whole.is_empty() { "0" } else { whole };
        literals.push(match below(4) {
            0 => format!("{sign}{whole}"),
            1 => format!("{sign}{whole}e{exponent}"),
            2 => format!("{sign}{whole}.{fraction}E{exponent}"),
            _ => format!("{sign}{whole}.{fraction}"),
        });
    }
    let csv_rows: String = literals.iter().map(|x| format!("2026-01-01T00:00:00Z,paid,ann,P-1,{x}\n")).collect();
    let map = csv("[types]\nx = \"number_or_string\"\n");
    let rows = imported(&map, &format!("t,e,a,i,x\n{csv_rows}"));
    assert_eq!(rows.len(), literals.len());
    for (row, literal) in rows.iter().zip(&literals) {
        let number = format!("{START},\"context\":{{\"x\":{literal}}}}}");
        let taken = Draft::parse(number.as_bytes()).is_ok();
        assert_eq!(*row == number, taken, "{literal}");
    }
}

#[test]
fn json_keeps_its_digits_and_nulls() {
    let map = jsonl("old_value = { from = \"o\" }\nnew_value = { from = \"n\" }\n");
    let more = r#","o":null,"n":{"minor":12345678901234567890123,"rate":1.50},"z":null"#;
    assert_eq!(
        imported(&map, &record(more)),
        [format!(
            "{START},\"old_value\":null,\"new_value\":{{\"minor\":12345678901234567890123,\"rate\":1.50}},\"context\":{{\"z\":null}}}}"
        )]
    );
    let long = r#","x":0.1234567890123456789"#;
    assert!(
        refusal(&map, &record(long))
            .starts_with("1 1 context.x: it holds 0.1234567890123456789, which no entry can hold")
    );
    let kept = jsonl("inexact_numbers = \"string\"\n");
    assert!(imported(&kept, &record(long))[0].contains(r#""x":"0.1234567890123456789""#));
    assert!(imported(&kept, &record(r#","x":NaN"#))[0].contains(r#""x":"NaN""#));
}

#[test]
fn members_are_put_together() {
    let map = jsonl(concat!(
        "entity_type = { template = \"{k.\\\"l.m\\\"[1]%.com}/{$row}\" }\n",
        "new_value = { object = { state = { from = \"s\" }, gone = { from = \"q\" }, fixed = 7 } }\n",
        "[actor_type]\nrules = [{ when = \"a\", prefix = \"bot-\", is = \"ai_agent\" }, { when = \"q\", present = false, is = \"user\" }]\n",
        "[context]\n\"*\" = { from = \"c\" }\n",
    ));
    let more = r#","k":{"l.m":["x","y.com"]},"s":[1],"c":{"ip":"::1"}"#;
    assert_eq!(
        imported(&map, &record(more)),
        [format!(
            "{}{}",
            START.replace(r#","entity_id""#, r#","actor_type":"user","entity_id""#),
            r#","entity_type":"y/1","new_value":{"fixed":7,"state":[1]},"context":{"ip":"::1","k":{"l.m":["x","y.com"]}}}"#
        )]
    );
    let twins = jsonl("[context]\nz = { from = \"k\" }\n");
    assert!(refusal(&twins, &record(r#","k":1,"z":2"#)).starts_with("1 1 context.z: comes from two places"));
}

#[test]
fn rows_without_a_required_member_are_refused_or_filled() {
    let rows =
        "t,e,a,i\n2026-01-01T00:00:00Z,paid,ann,P-1\n2026-01-01T00:00:00Z,paid,,P-1\n\n2026-01-01T00:00:00Z,,,P-1\n";
    let check = checked(&csv(""), rows).unwrap();
    assert_eq!((check.totals.rows, check.totals.refused), (3, 2));
    let places: Vec<_> = check.refusals.iter().map(|refusal| (refusal.number, refusal.line)).collect();
    assert_eq!(places, [(2, 3), (3, 5)]);
    assert_eq!(check.refusals[0].reason, "actor: column \"a\" is empty (the map may declare a constant: fill = \"…\")");
    let filled = csv("")
        .replace("from = \"a\"", "from = \"a\", fill = \"nobody\"")
        .replace("from = \"e\"", "from = \"e\", fill = \"noted\"");
    let (_, totals) = entries(text(rows), &Map::parse(&filled).unwrap());
    assert_eq!(totals.filled, [("actor".to_owned(), 2), ("event_type".to_owned(), 1)].into());
}

/// Lines are those an editor shows, whatever the line ends and however many lines a value spans.
#[test]
fn line_numbers_count_line_ends() {
    let rows = "t,e,a,i\n2026-01-01T00:00:00Z,paid,\"a\nn\nn\",P-1\n\n\n2026-01-01T00:00:00Z,paid,,P-2\n2026-01-01T00:00:00Z,paid\n";
    for rows in [rows.to_owned(), rows.replace('\n', "\r\n")] {
        let check = checked(
            &csv("").replace("{ from = \"a\" }", "{ from = \"a\", values = {}, unlisted = \"refuse\" }"),
            &rows,
        )
        .unwrap();
        let places: Vec<_> = check.refusals.iter().map(|refusal| (refusal.number, refusal.line)).collect();
        assert_eq!(places, [(1, 2), (2, 7), (3, 8)]);
    }
}

#[test]
fn values_that_the_map_does_not_list() {
    let map = |unlisted: &str| csv(&format!("reason = {{ from = \"x\", values = {{ a = \"A\" }}, {unlisted} }}\n"));
    assert!(
        refusal(&map("unlisted = \"refuse\""), &row("b", ""))
            .starts_with("1 2 reason: the map lists no value for \"b\"")
    );
    assert!(!imported(&map("unlisted = \"omit\""), &row("b", ""))[0].contains("reason"));
    assert!(imported(&map("unlisted = \"keep\""), &row("b", ""))[0].contains(r#""reason":"b""#));
    assert!(imported(&map("otherwise = \"?\""), &row("b", ""))[0].contains(r#""reason":"?""#));
}

/// The same file through the same map gives the same (source, sequence), so the ledger answers with old receipts.
#[test]
fn a_second_import_is_the_same_entries() {
    let map = csv("source = \"bank\"\n");
    let rows = "t,e,a,i\n2026-01-01T00:00:00Z,paid,ann,P-1\n2026-01-01T00:00:00Z,paid,ann,P-1\n";
    let first = imported(&map, rows);
    assert_eq!(first, imported(&map, rows));
    assert!(first[0].ends_with(r#""source":"bank","sequence":1}"#));
    assert!(first[1].ends_with(r#""source":"bank","sequence":2}"#));
    let column = csv("source = \"bank\"\nsequence = { from = \"x\" }\n");
    assert!(imported(&column, &row("41", ""))[0].contains(r#""sequence":41"#));
    assert!(refusal(&column, &row("-1", "")).starts_with("1 2 sequence: \"-1\" is no whole number"));
}

#[test]
fn too_much_for_an_entry_is_refused_or_visibly_shortened() {
    let more = format!(",\"small\":1,\"big\":\"{}\"", "y".repeat(70_000));
    assert!(refusal(&jsonl(""), &record(&more)).starts_with("1 1 context: about 70"));
    let map = Map::parse(&jsonl("too_large = \"shorten\"\n")).unwrap();
    let (rows, totals) = entries(text(&record(&more)), &map);
    // sha256sum of a quote, 70,000 times y, and a quote.
    let digest = "dca7a414549bd2b6a01921ee245a54331f331dde286db4d65f9a6a439bf2428c";
    let row = json(&rows[0]);
    let marker = format!("\"small\":1,\"big\":{{\"omitted\":{{\"bytes\":70002,\"sha256\":\"{digest}\"}}}}");
    assert!(row.contains(&marker), "{row}");
    assert_eq!(totals.shortened, [("context.big".to_owned(), 1)].into());
    let named = jsonl("too_large = \"shorten\"\n[context]\nbig = { from = \"big\" }\n");
    assert!(refusal(&named, &record(&more)).starts_with("1 1 context: too large for an entry even when shortened"));
    let actor = jsonl("").replace("from = \"i\"", "from = \"x\", shorten_to = 32");
    let cut = &imported(&actor, &record(&format!(",\"x\":\"{}\"", "é".repeat(40))))[0];
    assert!(cut.contains("\"entity_id\":\"éééééé…"), "{cut}");
}

#[test]
fn bad_records_are_named_and_the_rest_is_read() {
    let good = record("");
    let rows = format!("{good}{{\"t\":\n\n[1]\n{{\"a\":1,\"a\":2}}\n{{\"e\":\"\\ud800\"}}\n{good}");
    let check = checked(&jsonl(""), &rows).unwrap();
    assert_eq!((check.totals.rows, check.totals.refused), (6, 4));
    let refusals: Vec<_> = check
        .refusals
        .iter()
        .map(|refusal| format!("{} {} {}", refusal.number, refusal.line, refusal.reason))
        .collect();
    assert!(refusals[0].starts_with("2 2 is no JSON: the text ends where a value was expected"), "{refusals:?}");
    assert_eq!(refusals[1], "3 4 is no JSON object");
    assert_eq!(refusals[2], "4 5 has \"a\" twice in one object");
    assert!(refusals[3].starts_with("5 6 timestamp: t is empty"), "{refusals:?}");
    assert!(refusal(&jsonl(""), &record(r#","x":"\ud800""#)).contains("context.x: it holds half a surrogate pair"));
    let wrong = jsonl("").replace("from = \"a\"", "from = \"x\"");
    assert!(refusal(&wrong, &record(r#","x":[1]"#)).starts_with("1 1 actor: x holds an array or object"));
}

/// What the map lets through and the entry's own rules refuse is refused with the same numbers.
#[test]
fn the_entry_has_the_last_word() {
    let rows =
        format!("t,e,a,i\n2026-01-01T00:00:00Z,paid,ann,P-1\n2026-01-01T00:00:00Z,paid,ann,{}\n", "P".repeat(300));
    let refusal = refusal(&csv(""), &rows);
    assert!(refusal.starts_with("2 3 "), "{refusal}");
    assert!(refusal.contains("entity_id"), "{refusal}");
}

#[test]
fn only_the_first_twenty_refusals_are_kept() {
    let check = checked(&jsonl(""), &"{}\n".repeat(50)).unwrap();
    assert_eq!((check.totals.refused, check.refusals.len()), (50, 20));
}

#[test]
fn files_that_end_too_early_are_noticed() {
    let whole = |map: &str, rows: &str| checked(map, rows).unwrap_err().to_string();
    let array = jsonl("").replace("jsonl", "json-array");
    let records = jsonl("").replace("jsonl", "records");
    assert_eq!(
        whole(&array, &format!("[{}", record("").trim())),
        "line 1: the file ends inside its array; it may be cut"
    );
    assert_eq!(
        whole(&array, &format!("[{},\n{{\"t\":", record("").trim())),
        "line 2: the file ends inside its array; it may be cut"
    );
    assert_eq!(whole(&array, "[] []"), "line 1: something follows the array");
    assert!(whole(&array, "{}").starts_with("line 1: this looks like JSON lines; the map says json-array"));
    assert!(whole(&records, "[]").starts_with("line 1: this looks like a JSON array; the map says records"));
    assert!(whole(&records, "{\"x\":[]}").starts_with("line 1: the map says a file of the form {\"Records\""));
    assert!(whole(&records, "{\"Records\":[],\"x\":1}").starts_with("line 1: the map says nothing but \"Records\""));
    let quote = whole(&csv(""), "t,e,a,i\n2026-01-01T00:00:00Z,paid,ann,\"P-1\n2026-01-01T00:00:00Z,paid,ann,P-2\n");
    assert!(quote.contains("odd number of quotes"), "{quote}");
    assert!(whole(&csv(""), "").contains("the file is empty"));
    assert_eq!(whole(&csv(""), "t,e,a,i,t\n"), "line 1: two columns are called \"t\"");
}

#[test]
fn gzip_and_marks_are_seen_by_their_bytes() {
    let rows = format!("\u{feff}{}", row("1", "2"));
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(rows.as_bytes()).unwrap();
    let mut packed = gzip.finish().unwrap();
    let map = Map::parse(&csv("")).unwrap();
    let read =
        |bytes: Vec<u8>| Import::open(Box::new(Cursor::new(bytes)), &map).and_then(|mut import| import.next().unwrap());
    let plain = read(rows.into_bytes()).unwrap();
    assert_eq!(read(packed.clone()).unwrap(), plain);
    packed.truncate(packed.len() - 12);
    assert!(matches!(read(packed), Err(ImportError::Io(_))));
    let utf16 = read(vec![0xff, 0xfe, b't', 0]).unwrap_err().to_string();
    assert_eq!(utf16, "the input cannot be read: it is UTF-16; convert it to UTF-8");
}

/// Memory stays with one row: a stream of a million rows is never held, and a row without end is refused.
#[test]
fn rows_without_end_are_refused() {
    let map = csv("");
    let endless = format!("t,e,a,i\n2026-01-01T00:00:00Z,paid,ann,\"{}", "x".repeat(17 << 20));
    let error = checked(&map, &endless).unwrap_err().to_string();
    assert!(error.contains("a row is longer than 16 MiB"), "{error}");
    let error = checked(&jsonl(""), &"x".repeat(17 << 20)).unwrap_err().to_string();
    assert_eq!(error, "line 1: a line is longer than 16 MiB");
}

#[test]
fn structlog_lines_become_entries() {
    let line = r#"{"user_id": "u-7", "invoice_id": "INV-3", "event": "invoice.approved", "level": "error", "timestamp": "2026-03-02T08:00:00.690459Z", "attempt": 2}"#;
    let (rows, totals) = entries(text(line), &Map::shipped("structlog").unwrap());
    assert_eq!(
        json(&rows[0]),
        concat!(
            r#"{"timestamp":"2026-03-02T08:00:00.690459Z","event_type":"invoice.approved","actor":"u-7","#,
            r#""entity_id":"INV-3","outcome":"failure","context":{"level":"error","attempt":2}}"#
        )
    );
    assert!(totals.filled.is_empty());
}
