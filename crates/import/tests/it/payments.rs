//! The real event logs of a bank and a university.

use std::collections::HashMap;

use counterfoil_import::Map;

use crate::fixtures::{entries, file, json, shared, unzipped};

fn count(rows: &[String], part: &str) -> usize {
    rows.iter().filter(|row| row.contains(part)).count()
}

#[test]
fn every_loan_event_becomes_an_entry() {
    let Some(path) = shared("datasets/bpic2012-loan/events.csv.gz") else { return };
    let source = unzipped(&path);
    let map = Map::shipped("bpic2012-loan").unwrap();
    let (rows, totals) = entries(file(&path), &map);
    assert_eq!(rows.len(), source.lines().count() - 1);
    assert_eq!(rows.len(), 262_200);
    assert_eq!(totals.rows, 262_200);
    assert_eq!(totals.refused, 0);
    assert_eq!(totals.filled, [("actor".to_owned(), 18_010)].into());

    let rows: Vec<String> = rows.iter().map(json).collect();
    assert_eq!(count(&rows, r#""actor":"unassigned""#), 18_010);
    assert_eq!(count(&rows, r#""actor_type":"service""#), 45_687);
    assert_eq!(count(&rows, r#""actor_type":"user""#), 262_200 - 45_687 - 18_010);
    assert_eq!(count(&rows, r#""event_type":"loan_application_submitted""#), 13_087);
    assert_eq!(count(&rows, r#""event_type":"loan_work_assess_fraud_started""#), 270);
    assert_eq!(count(&rows, r#""outcome":"denied""#), 7_635 + 802);
    assert_eq!(count(&rows, r#""amount_requested_eur":"#), 262_200);
    assert_eq!(
        rows[0],
        concat!(
            r#"{"timestamp":"2011-09-30T22:38:44.546Z","event_type":"loan_application_submitted","actor":"112","#,
            r#""actor_type":"service","entity_id":"173688","entity_type":"loan_application","source":"bpic2012-loan","#,
            r#""new_value":"submitted","sequence":1,"context":{"activity":"A_SUBMITTED","#,
            r#""amount_requested_eur":20000,"application_registered":"2011-10-01T00:38:44.546+02:00","#,
            r#""position_in_case":0,"transition":"COMPLETE"}}"#
        )
    );
}

/// Clocks went back on 2011-10-30 at 01:00 UTC: both offsets must become the same time line.
#[test]
fn the_clock_change_leaves_times_in_order() {
    let Some(path) = shared("datasets/bpic2012-loan/events.csv.gz") else { return };
    let source = unzipped(&path);
    let lines: Vec<&str> = source.lines().skip(1).collect();
    let winter = lines.iter().position(|line| line.ends_with("+01:00")).unwrap();
    let map = Map::shipped("bpic2012-loan.toml").unwrap();
    let (rows, _) = entries(file(&path), &map);
    let time = |row: usize| json(&rows[row])[14..].split('"').next().unwrap().to_owned();
    let local = |row: usize| lines[row].rsplit(',').next().unwrap().to_owned();
    assert_eq!(local(winter - 1), "2011-10-30T00:23:52.306+02:00");
    assert_eq!(time(winter - 1), "2011-10-29T22:23:52.306Z");
    assert_eq!(local(winter), "2011-10-30T02:45:45.333+01:00");
    assert_eq!(time(winter), "2011-10-30T01:45:45.333Z");
    assert_eq!(lines.iter().filter(|line| line.ends_with("+02:00")).count(), 35_750);
    let moment = |text: String| text.parse::<jiff::Timestamp>().unwrap();
    for row in (0..rows.len()).step_by(997) {
        assert_eq!(moment(time(row)), moment(local(row)), "row {}", row + 1);
    }
}

#[test]
fn every_payment_request_becomes_an_entry() {
    let Some(path) = shared("datasets/bpic2020-payments/RequestForPayment.csv.gz") else { return };
    let map = Map::shipped("bpic2020-payments").unwrap();
    let (rows, totals) = entries(file(&path), &map);
    assert_eq!(rows.len(), unzipped(&path).lines().count() - 1);
    assert_eq!(rows.len(), 36_072);
    assert_eq!((totals.filled.len(), totals.numbers_as_text), (0, 0));
    let rows: Vec<String> = rows.iter().map(json).collect();
    assert_eq!(count(&rows, r#""actor":"SYSTEM","actor_type":"service""#), 12_374);
    assert_eq!(count(&rows, r#""actor_type":"user""#), 23_698);
    assert_eq!(count(&rows, r#""outcome":"denied""#), 1_074 + 822 + 174 + 66 + 51 + 47);
    assert_eq!(count(&rows, r#""event_type":"payment_request_final_approved""#), 6_226 + 37);
    assert_eq!(count(&rows, r#""event_type":"payment_handled""#), 6_187);
    for part in [
        r#""amount":34.33634285099345,"#,
        r#""timestamp":"2017-01-09T08:17:18Z""#,
        r#""event_type":"payment_request_submitted","actor":"EMPLOYEE","actor_type":"user""#,
        r#""entity_id":"requestforpayment148214""#,
        r#""project":"project 148216""#,
        r#""step":"st_step 148220_0""#,
        r#""case:variant-index":34,"#,
    ] {
        assert!(rows[0].contains(part), "{part} in {}", rows[0]);
    }
}

#[test]
fn every_expense_claim_becomes_an_entry() {
    let Some(path) = shared("datasets/bpic2020-payments/DomesticDeclarations.csv.gz") else { return };
    let map = Map::shipped("bpic2020-declarations").unwrap();
    let (rows, _) = entries(file(&path), &map);
    assert_eq!(rows.len(), unzipped(&path).lines().count() - 1);
    assert_eq!(rows.len(), 55_628);
    let rows: Vec<String> = rows.iter().map(json).collect();
    assert_eq!(count(&rows, r#""actor_type":"service""#), 19_826);
    assert_eq!(count(&rows, r#""event_type":"expense_claim_rejected""#), 1_350 + 936 + 286 + 89 + 86 + 57);
    assert!(rows[0].contains(r#""amount":26.85120450862128,"#), "{}", rows[0]);
}

/// Amounts reach the entry with the digits of the file, all 36,072 of them.
#[test]
fn amounts_keep_their_digits() {
    let Some(path) = shared("datasets/bpic2020-payments/RequestForPayment.csv.gz") else { return };
    let source = unzipped(&path);
    let map = Map::shipped("bpic2020-payments").unwrap();
    let mut csv = csv::Reader::from_reader(source.as_bytes());
    let column: HashMap<_, _> =
        csv.headers().unwrap().iter().zip(0..).map(|(name, at)| (name.to_owned(), at)).collect();
    let (rows, _) = entries(file(&path), &map);
    for (row, record) in rows.iter().zip(csv.records()) {
        let amount = format!(r#""amount":{},"#, &record.unwrap()[column["(case)_RequestedAmount"]]);
        assert!(json(row).contains(&amount), "row {}: {amount}", row.number);
    }
}
