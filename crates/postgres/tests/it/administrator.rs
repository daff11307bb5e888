//! What a database administrator with superuser can do, and `check` must find.

use counterfoil_postgres::Difference::{self, Backdated, Changed, Inserted, NotMoved, Removed, Seen, Unprotected};
use counterfoil_postgres::{Dsn, Finding, Options, Patience};
use std::sync::Arc;

use crate::server::{Follower, Server, checked, follow_once, ledger, rows, wait_for};

pub const DISABLE: &str = "ALTER TABLE counterfoil.audit_log DISABLE TRIGGER ALL";
pub const ENABLE: &str = "ALTER TABLE counterfoil.audit_log ENABLE ALWAYS TRIGGER stamp; \
     ALTER TABLE counterfoil.audit_log ENABLE ALWAYS TRIGGER append_only; \
     ALTER TABLE counterfoil.audit_log ENABLE ALWAYS TRIGGER no_truncate";
pub const CHANGE: &str = "UPDATE counterfoil.audit_log SET new_value = '{\"amount\": 1}' WHERE entity_id = 'P-2'";
const DELETE: &str = "DELETE FROM counterfoil.audit_log WHERE entity_id = 'P-3'";
const BACKDATE: &str =
    "UPDATE counterfoil.audit_log SET \"timestamp\" = \"timestamp\" - interval '30 days' WHERE entity_id = 'P-4'";
const INSERT: &str = "INSERT INTO counterfoil.audit_log \
     (\"timestamp\", event_type, actor, entity_id, recorded_txid, recorded_at, recorded_by, seal) \
     SELECT \"timestamp\", 'payment_approved', 'maria', 'P-FORGED', recorded_txid, recorded_at, recorded_by, seal \
     FROM counterfoil.audit_log WHERE entity_id = 'P-5'";

fn tamper(server: &Server) -> i64 {
    server.sql("postgres", &format!("{DISABLE}; {CHANGE}; {DELETE}; {BACKDATE}; {INSERT}; {ENABLE}"));
    id(server, "P-FORGED")
}

pub fn id(server: &Server, entity: &str) -> i64 {
    server
        .sql("postgres", &format!("SELECT id FROM counterfoil.audit_log WHERE entity_id = '{entity}'"))
        .parse()
        .unwrap()
}

pub fn named(findings: &[Finding], difference: Difference) -> Vec<i64> {
    let mut rows: Vec<_> =
        findings.iter().filter(|found| found.difference == difference).filter_map(|f| f.row).collect();
    rows.sort_unstable();
    rows
}

pub fn setting() -> Option<(Server, tempfile::TempDir, counterfoil::Ledger, Dsn, Vec<i64>)> {
    let server = Server::replicating()?;
    server.installed();
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("audit"));
    let dsn = server.dsn("follower");
    follow_once(&dsn, &ledger);
    server.record(1, 10);
    follow_once(&dsn, &ledger);
    let ids = (2..=5).map(|number| id(&server, &format!("P-{number}"))).collect();
    Some((server, folder, ledger, dsn, ids))
}

#[test]
fn one_changed_one_deleted_one_inserted_one_backdated_all_four_are_named() {
    let Some((server, _folder, ledger, dsn, ids)) = setting() else { return };
    let forged = tamper(&server);
    // The follower is not at work: only the table and the slot tell.
    let (before, findings) = checked(&dsn, &ledger);
    assert!(before.is_tampered());
    assert_eq!(named(&findings, Changed), [ids[0]]);
    assert_eq!(named(&findings, Removed), [ids[1]]);
    assert_eq!(named(&findings, Backdated), [ids[2]]);
    assert_eq!(named(&findings, Inserted), [forged]);
    let changed = findings.iter().find(|finding| finding.difference == Changed).unwrap();
    assert!(changed.message.contains(r#"new_value was {"amount":2.25}, is {"amount":1}"#), "{}", changed.message);
    // It comes back, and records what it sees.
    let followed = follow_once(&dsn, &ledger);
    assert_eq!((followed.rows, followed.notices), (1, 5), "one of them says that triggers were off");
    let (_, findings) = checked(&dsn, &ledger);
    assert_eq!(named(&findings, Changed), [ids[0]]);
    assert_eq!(named(&findings, Removed), [ids[1]]);
    assert_eq!(named(&findings, Backdated), [ids[2]]);
    assert_eq!(named(&findings, Inserted), [forged]);
    assert_eq!(named(&findings, Seen), [ids[0], ids[1], ids[2]]);
}

#[test]
fn an_insertion_with_a_plausible_stamp_is_named_before_and_after_it_was_moved() {
    let Some((server, _folder, ledger, dsn, _)) = setting() else { return };
    let plausible = INSERT.replace("SELECT \"timestamp\"", "SELECT now()").replace(
        "recorded_txid, recorded_at, recorded_by, seal FROM",
        "pg_current_xact_id(), clock_timestamp(), 'app', seal FROM",
    );
    assert!(plausible.contains("pg_current_xact_id"), "{plausible}");
    server.sql("postgres", &format!("{DISABLE}; {plausible}; {ENABLE}"));
    assert_eq!(named(&checked(&dsn, &ledger).1, Inserted), [id(&server, "P-FORGED")]);
    follow_once(&dsn, &ledger);
    assert_eq!(named(&checked(&dsn, &ledger).1, Inserted), [id(&server, "P-FORGED")]);
}

#[test]
fn an_insertion_kept_from_the_follower_is_told_from_a_row_on_its_way() {
    let Some((server, _folder, ledger, dsn, _)) = setting() else { return };
    server.sql("postgres", "ALTER PUBLICATION counterfoil DROP TABLE counterfoil.audit_log");
    server.sql("postgres", "SELECT counterfoil.audit('payment_approved', 'P-HIDDEN', 'maria')");
    server.sql("postgres", "ALTER PUBLICATION counterfoil ADD TABLE counterfoil.audit_log");
    server.record(20, 2);
    let (_, findings) = checked(&dsn, &ledger);
    assert_eq!(named(&findings, NotMoved), [id(&server, "P-20"), id(&server, "P-21")]);
    assert_eq!(named(&findings, Inserted), [id(&server, "P-HIDDEN")]);
    follow_once(&dsn, &ledger);
    let (_, findings) = checked(&dsn, &ledger);
    assert_eq!(findings.iter().filter(|finding| finding.row.is_some()).count(), 1, "{findings:?}");
    assert_eq!(named(&findings, Inserted), [id(&server, "P-HIDDEN")]);
}

#[test]
fn a_change_that_was_changed_back_and_protection_left_off_are_named() {
    let Some((server, _folder, ledger, dsn, ids)) = setting() else { return };
    server.sql("postgres", DISABLE);
    server.sql("postgres", &CHANGE.replace("'{\"amount\": 1}'", "'{\"amount\": 99}'"));
    server.sql("postgres", &CHANGE.replace("'{\"amount\": 1}'", "'{\"amount\": 2.25}'"));
    follow_once(&dsn, &ledger);
    let (_, findings) = checked(&dsn, &ledger);
    assert_eq!(named(&findings, Seen), [ids[0], ids[0]]);
    assert_eq!(findings.iter().filter(|finding| finding.difference == Unprotected).count(), 4);
    assert!(named(&findings, Changed).is_empty());
}

#[test]
fn a_table_that_was_dropped_and_made_again_does_not_hide_what_it_held() {
    let Some((server, _folder, ledger, dsn, ids)) = setting() else { return };
    server.sql("postgres", "DROP SCHEMA counterfoil CASCADE");
    counterfoil_postgres::install(
        &mut counterfoil_postgres::Connection::open(&server.dsn("postgres"), &Patience::default()).unwrap(),
    )
    .unwrap();
    server.sql("postgres", "SELECT setval('counterfoil.audit_log_id_seq', 100)");
    let (_, findings) = checked(&dsn, &ledger);
    assert_eq!(findings.len(), 11, "ten rows, and the table is another one: {findings:?}");
    assert!(named(&findings, Removed).contains(&ids[0]));
    server.record(50, 2);
    assert_eq!(follow_once(&dsn, &ledger).rows, 2, "it goes on with the new table");
    assert_eq!(checked(&dsn, &ledger).1.len(), 11);
}

#[test]
fn every_column_of_a_row_counts() {
    let Some((server, _folder, ledger, dsn, ids)) = setting() else { return };
    for (column, value) in [
        ("event_type", "'x'"),
        ("actor", "'x'"),
        ("actor_type", "'service'"),
        ("on_behalf_of", "'x'"),
        ("entity_id", "'P-2 '"),
        ("entity_type", "'x'"),
        ("old_value", "'null'"),
        ("new_value", "NULL"),
        ("outcome", "'denied'"),
        ("reason", "''"),
        ("context", "'{\"a\": 1}'"),
        ("trace_id", "'x'"),
        ("recorded_txid", "'3'"),
        ("recorded_at", "recorded_at + interval '1 microsecond'"),
        ("recorded_by", "'x'"),
    ] {
        let row = format!("WHERE id = {}", ids[0]);
        let kept = server.sql("postgres", &format!("SELECT quote_nullable({column}) FROM counterfoil.audit_log {row}"));
        let set = |value: &str| {
            let change = format!("{DISABLE}; UPDATE counterfoil.audit_log SET {column} = {value} {row}; {ENABLE}");
            server.sql("postgres", &change);
        };
        set(value);
        let (_, findings) = checked(&dsn, &ledger);
        assert_eq!(named(&findings, Changed), [ids[0]], "{column}: {findings:?}");
        set(&kept);
        let (_, findings) = checked(&dsn, &ledger);
        assert!(findings.iter().all(|finding| finding.row.is_none()), "{column} is as it was: {findings:?}");
    }
}

#[test]
fn while_the_follower_runs_check_waits_for_it_and_is_clean() {
    let Some(server) = Server::replicating() else { return };
    server.installed();
    let folder = tempfile::tempdir().unwrap();
    let ledger = Arc::new(ledger(&folder.path().join("audit")));
    let dsn = server.dsn("follower");
    let follower = Follower::start(dsn.clone(), &ledger, Options::default());
    let streams =
        "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'counterfoil' AND active AND NOT temporary";
    wait_for("it follows", || server.sql("postgres", streams) == "1");
    server.record(1, 1);
    wait_for("it moves rows", || rows(&ledger).len() == 1);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| server.record(2, 2_000));
        while !writer.is_finished() {
            let (_, findings) = checked(&dsn, &ledger);
            assert_eq!(findings, vec![], "rows on their way are no findings");
        }
    });
    follower.stop();
}
