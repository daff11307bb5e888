//! The day is recorded as a client does it, attempts are refused, and all of it is read back and proven.

use std::collections::BTreeMap;
use std::time::Duration;

use counterfoil::{ErrorKind, Reader, Receipt, VerifyOptions, verify};
use counterfoil_server::Role;
use counterfoil_tlog::leaf_hash;
use counterfoil_watch::Turnout;
use hyper::Method;
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::remote::{Call, Remote};
use crate::text::{Counted, entries};
use crate::writer;

use super::checks::{Checks, DETECTION, RECORDING};
use super::plan::Plan;
use super::scenario::{ATTEMPTS, INTRUDER};
use super::scratch::{Scratch, Service, Stop};

/// Entries of one request.
const MAX_BATCH: usize = 200;
/// How long an entry of the ledger itself may take to be there.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was recorded, and the receipt of each.
pub type Recorded = Vec<(Value, Receipt)>;

/// Records the day and the rules' examples, and tries what must be refused.
pub fn record(service: &Service, plan: &Plan, stop: &Stop, checks: &mut Checks) -> Result<Recorded, Failure> {
    let mut recorded = Recorded::new();
    let client = service.client("drill-writer", Role::Writer)?;
    for rule in plan.rules.iter().filter(|rule| !rule.entries.is_empty()) {
        stop.check()?;
        if let Err(error) = send(service, &client, &rule.entries, &mut recorded)
            && rule.turnout == Turnout::Fires
        {
            checks.failed(DETECTION, format!("the example of the rule “{}” can be recorded", rule.title), error);
        }
    }
    let day = send(service, &client, &plan.day, &mut recorded);
    checks.result(RECORDING, "decisions of programs and people are recorded, with a proof each", day);
    refused(service, &client, checks)?;
    noted(service, stop, checks)?;
    Ok(recorded)
}

/// Sends entries through the API and checks each receipt's proof with the ledger's key.
fn send(service: &Service, client: &Remote, list: &[Value], recorded: &mut Recorded) -> Result<String, String> {
    for batch in list.chunks(MAX_BATCH) {
        let lines: Vec<String> = batch.iter().map(|entry| format!("{entry}\n")).collect();
        let receipts = writer::record(client, Some(&service.ledger), lines.concat().into_bytes(), batch.len());
        recorded.extend(batch.iter().cloned().zip(receipts.map_err(|error| error.message)?));
    }
    Ok(format!("{} in batches, each receipt proven with the ledger's key", entries(list.len() as u64)))
}

/// What must be refused: strangers, roles without the right, entries in the ledger's own name, the same id with other content.
fn refused(service: &Service, writer: &Remote, checks: &mut Checks) -> Result<(), Failure> {
    let entry =
        json!({"event_type": "payment_released", "actor": INTRUDER, "entity_id": "DRILL-PAY-9", "id": "drill-9"});
    let record = |client: &Remote, entry: &Value| client.send(Call::post("/api/v1/entries", entry)).map(drop);
    let stranger = service.client_with("cf_drill0000000000000000000000000000000000000000".to_owned())?;
    let reader = service.client(INTRUDER, Role::Reader)?;
    let mut tried = BTreeMap::new();
    tried.insert("a token that nobody made", record(&stranger, &entry));
    for _ in 0..ATTEMPTS {
        tried.insert("recording with the role of a reader", record(&reader, &entry));
    }
    let token = json!({"name": INTRUDER, "role": "admin"});
    let made = reader.send(Call::post("/api/v1/tokens", &token)).map(drop);
    tried.insert("making a token without being an administrator", made);
    for (what, answer) in tried {
        checks.result(RECORDING, format!("refused: {what}"), refusal(answer, &[ErrorKind::Denied]));
    }
    let own = json!({"event_type": "ledger.alert_resolved", "actor": "counterfoil", "entity_id": "alert-1"});
    let own = refusal(record(writer, &own), &[ErrorKind::Invalid, ErrorKind::Denied]);
    checks.result(RECORDING, "refused: an entry in the ledger's own name", own);
    let mut twin = entry.clone();
    twin["actor"] = "somebody-else".into();
    let told = record(writer, &entry).and_then(|()| record(writer, &twin));
    checks.result(RECORDING, "refused: the same id with other content", refusal(told, &[ErrorKind::Conflict]));
    Ok(())
}

fn refusal(answer: counterfoil::Result<()>, kinds: &[ErrorKind]) -> Result<String, String> {
    match answer {
        Ok(()) => Err("it was done".to_owned()),
        Err(error) if kinds.contains(&error.kind) => Ok(format!("{}: {}", error.kind, error.message)),
        Err(error) => Err(format!("{}: {}", error.kind, error.message)),
    }
}

/// The refused attempts are in the ledger, under the name of whoever tried.
fn noted(service: &Service, stop: &Stop, checks: &mut Checks) -> Result<(), Failure> {
    let count = || {
        let snapshot = Reader::open(&service.ledger).ok()?.snapshot().ok()?;
        let all: Vec<u64> = (0..snapshot.size()).collect();
        let of_intruder = |bytes: &&Vec<u8>| {
            let entry: Value = serde_json::from_slice(bytes).unwrap_or_default();
            entry["event_type"] == "ledger.access_denied" && entry["actor"] == INTRUDER
        };
        let found = snapshot.entries(&all).ok()?.iter().filter(of_intruder).count();
        (found >= ATTEMPTS).then_some(found)
    };
    let found = stop.wait(PATIENCE, count)?;
    let found = found.map(|found| format!("{} of {INTRUDER}", Counted(found as u64, "attempt", "attempts")));
    let name = "refused attempts are entries, with who tried";
    checks.result(RECORDING, name, found.ok_or_else(|| "the ledger does not hold them".to_owned()));
    Ok(())
}

/// Reads everything back from the closed ledger, and verifies the ledger against the newest checkpoint.
pub fn read_back(scratch: &Scratch, recorded: &Recorded, checks: &mut Checks) {
    checks.result(RECORDING, "every entry is there as it was sent", stored(scratch, recorded));
    let checkpoint = std::fs::read(scratch.ledger().join("checkpoint")).unwrap_or_default();
    let options = VerifyOptions { checkpoint: Some(checkpoint), keys: vec![scratch.key.clone()], ..Default::default() };
    let verified = match verify(scratch.ledger(), &options) {
        Ok(report) if report.is_clean() && report.anchored => Ok(format!(
            "{}, {} segments, against the remembered key",
            entries(report.entries_checked),
            report.segments_checked
        )),
        Ok(report) => Err(report.findings.first().map_or_else(|| "not anchored".to_owned(), ToString::to_string)),
        Err(error) => Err(error.message),
    };
    checks.result(RECORDING, "the untouched ledger verifies", verified);
}

fn stored(scratch: &Scratch, recorded: &Recorded) -> Result<String, String> {
    let snapshot = Reader::open(scratch.ledger()).and_then(|reader| reader.snapshot());
    let snapshot = snapshot.map_err(|error| error.message)?;
    for (sent, receipt) in recorded {
        let bytes =
            snapshot.entry(receipt.index).map_err(|error| format!("entry {}: {}", receipt.index, error.message))?;
        let there: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let same = sent
            .as_object()
            .is_some_and(|sent| sent.iter().all(|(member, value)| is_same(member, value, &there[member])));
        if !same || leaf_hash(&bytes) != receipt.leaf_hash {
            return Err(format!("entry {} is not what was sent", receipt.index));
        }
    }
    Ok(format!("{} read and compared", entries(recorded.len() as u64)))
}

/// Times may be written in another way; everything else is what it was.
fn is_same(member: &str, sent: &Value, stored: &Value) -> bool {
    use counterfoil_entry::Timestamp;
    let time = |value: &Value| value.as_str().and_then(|text| Timestamp::parse(text).ok()).map(Timestamp::micros);
    match member {
        "timestamp" => time(sent) == time(stored),
        _ => sent == stored || sent.is_number() && sent.as_f64() == stored.as_f64(),
    }
}

/// Asks the service for something that has no answer to read.
pub fn ask(service: &Service, path: &str) -> Result<(), String> {
    let call = Call { method: Method::POST, ..Call::get(path) };
    service.owner.send(call).map(drop).map_err(|error| error.message)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use counterfoil::{Error, Ledger, OpenOptions};
    use counterfoil_entry::Draft;

    use super::*;

    #[test]
    fn what_is_not_refused_or_for_another_reason_fails() {
        let denied = |kind| Err(Error::new(kind, "no"));
        assert_eq!(refusal(Ok(()), &[ErrorKind::Denied]), Err("it was done".to_owned()));
        assert!(refusal(denied(ErrorKind::Unavailable), &[ErrorKind::Denied]).is_err());
        assert!(refusal(denied(ErrorKind::Denied), &[ErrorKind::Denied]).is_ok());
    }

    #[test]
    fn what_is_stored_otherwise_than_it_was_sent_fails() {
        let scratch = Scratch::create(None, "bank.example/audit/drill/test").expect("a scratch ledger");
        let sent = json!({"event_type": "note", "actor": "drill", "entity_id": "1"});
        let ledger = Ledger::open(scratch.ledger(), OpenOptions::default()).expect("it opens");
        let draft = Draft::builder("note", "drill", "1").build().expect("an entry");
        let receipt = ledger.append(draft).expect("it is recorded");
        ledger.close().expect("it closes");
        let recorded = |sent: &Value, receipt: &Receipt| vec![(sent.clone(), receipt.clone())];
        assert_eq!(stored(&scratch, &recorded(&sent, &receipt)), Ok("1 entry read and compared".to_owned()));
        let mut other = sent.clone();
        other["actor"] = "mallory".into();
        assert!(stored(&scratch, &recorded(&other, &receipt)).is_err(), "another member");
        let elsewhere = Receipt { index: receipt.index - 1, ..receipt.clone() };
        assert!(stored(&scratch, &recorded(&sent, &elsewhere)).is_err(), "another place");
        let unlike = Receipt { leaf_hash: leaf_hash(b"another"), ..receipt };
        assert!(stored(&scratch, &recorded(&sent, &unlike)).is_err(), "another leaf");
    }

    #[test]
    fn a_receipt_that_the_ledgers_key_does_not_prove_fails() {
        let scratch = Scratch::create(None, "bank.example/audit/drill/test").expect("a scratch ledger");
        let listener = TcpListener::bind("127.0.0.1:0").expect("an address");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a caller");
            let _ = stream.read(&mut [0; 1 << 16]);
            let receipt = json!({"index": 0, "leaf_hash": "00".repeat(32), "tree_size": 1, "recorded_at": "2026-11-24T09:00:00Z"});
            let body = json!({"receipts": [receipt]}).to_string();
            let _ = write!(stream, "HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        });
        let client = || Remote::with_token(&url, "cf_any".to_owned()).expect("a client");
        let service = Service::at(&scratch, client(), &url);
        let told = send(&service, &client(), &[json!({"event_type": "note"})], &mut Recorded::new());
        answering.join().expect("it answers");
        assert!(told.is_err_and(|told| told.contains("does not prove")));
    }
}
