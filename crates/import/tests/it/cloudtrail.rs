//! CloudTrail in its three shapes.

use std::collections::BTreeSet;
use std::fs;

use counterfoil_import::Map;
use serde_json::Value;

use crate::fixtures::{entries, file, json, shared, testdata, text, unzipped};

fn rows(map: &str, path: &std::path::Path) -> Vec<String> {
    let map = Map::shipped(map).unwrap();
    entries(file(path), &map).0.iter().map(json).collect()
}

fn count(rows: &[String], part: &str) -> usize {
    rows.iter().filter(|row| row.contains(part)).count()
}

#[test]
fn every_invictus_record_becomes_an_entry() {
    let Some(path) = shared("datasets/cloudtrail-invictus/events.jsonl.gz") else { return };
    let rows = rows("cloudtrail-invictus", &path);
    assert_eq!(rows.len(), unzipped(&path).lines().count());
    assert_eq!(rows.len(), 2_900);
    assert_eq!(count(&rows, r#""outcome":"denied""#), 44 + 16);
    assert_eq!(count(&rows, r#""outcome":"failure""#), 300 - 60);
    // 42 records have no userIdentity.type; the service that acted stands in invokedBy.
    let untyped: Vec<_> =
        rows.iter().filter(|row| row.contains(r#""userIdentity":{"accountId":"123837392027","invokedBy":"#)).collect();
    assert_eq!(untyped.len(), 42);
    assert!(untyped[0].contains(r#""actor":"ec2.amazonaws.com","actor_type":"service""#), "{}", untyped[0]);
    assert_eq!(count(&rows, r#""actor_type":"user""#), 2_748);
    assert_eq!(count(&rows, r#""actor_type":"service""#), 76 + 42 + 34);
    assert_eq!(count(&rows, r#""event_type":"aws.ec2."#), 892);
    assert_eq!(count(&rows, r#""actor":"unknown""#), 0);
    assert_eq!(count(&rows, r#""entity_id":"unknown""#), 0);
}

#[test]
fn the_record_stays_whole_in_the_context() {
    let Some(path) = shared("datasets/cloudtrail-invictus/events.jsonl.gz") else { return };
    let rows = rows("cloudtrail-invictus", &path);
    for (row, line) in rows.iter().zip(unzipped(&path).lines()) {
        let entry: Value = serde_json::from_str(row).unwrap();
        let record: Value = serde_json::from_str(line).unwrap();
        assert_eq!(entry["context"], record);
    }
}

#[test]
fn the_bank_breach_came_through_logstash() {
    let path = "datasets/cloudtrail-otrf-bank-breach/ec2_proxy_s3_exfiltration_2020-09-14011940.jsonl.gz";
    let Some(path) = shared(path) else { return };
    let rows = rows("cloudtrail-otrf-bank-breach", &path);
    assert_eq!(rows.len(), unzipped(&path).lines().count());
    assert_eq!(rows.len(), 103);
    assert!(rows[0].starts_with(r#"{"timestamp":"2020-09-14T00:44:23Z","#), "{}", rows[0]);
    assert_eq!(count(&rows, r#""@version":"#), 103);
    assert_eq!(count(&rows, r#""event_type":"aws.s3.GetObject""#), 2);
}

#[test]
fn every_labelled_file_is_one_array() {
    let Some(folder) = shared("datasets/cloudtrail-stratus-labelled") else { return };
    let mut ids = BTreeSet::new();
    let mut total = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let source = fs::read_to_string(&path).unwrap();
            let rows = rows("cloudtrail-stratus-labelled", &path);
            assert_eq!(rows.len(), source.matches("\"eventID\": ").count(), "{}", path.display());
            total += rows.len();
            ids.extend(rows.iter().map(|row| row.split(r#""id":""#).nth(1).unwrap()[..36].to_owned()));
        }
    }
    assert_eq!(total, 142);
    assert_eq!(ids.len(), 142);
}

/// The general map takes lines, an array and {"Records": […]}, and finds the same entries.
#[test]
fn three_shapes_give_the_same_entries() {
    let array = fs::read_to_string(testdata("cloudtrail/aws.persistence.iam-create-admin-user.json")).unwrap();
    let map = Map::shipped("cloudtrail").unwrap();
    let of = |source: &str| -> Vec<String> { entries(text(source), &map).0.iter().map(json).collect() };
    let expected = of(&array);
    assert_eq!(expected.len(), 3);
    assert!(expected[0].contains(r#""event_type":"aws.iam.AttachUserPolicy""#), "{}", expected[0]);
    assert_eq!(of(&format!("\u{feff} {{ \"Records\" : {array}\n}}\n")), expected);
    let records: Vec<Value> = serde_json::from_str(&array).unwrap();
    let lines: String = records.iter().map(|record| format!("{record}\n\n")).collect();
    let sorted =
        |rows: Vec<String>| -> Vec<Value> { rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect() };
    assert_eq!(sorted(of(&lines)), sorted(expected));
}
