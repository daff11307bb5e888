//! Following by queries.

use counterfoil::ErrorKind;
use counterfoil_postgres::Difference::{Inserted, NotMoved, Unprotected};
use counterfoil_postgres::{Options, Way};

use crate::server::{Server, checked, follow_once, ledger, rows, try_follow_once};

#[test]
fn a_row_of_a_transaction_that_is_still_open_is_not_passed_over() {
    let Some(server) = Server::start("wal_level = replica") else { return };
    server.installed();
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("audit"));
    let dsn = server.dsn("follower");
    server.record(1, 3);
    assert_eq!(follow_once(&dsn, &ledger).rows, 3, "it polls where replication is not allowed");
    std::thread::scope(|scope| {
        let slow = scope
            .spawn(|| server.sql("app", "BEGIN; SELECT counterfoil.audit('slow', 'SLOW'); SELECT pg_sleep(2); COMMIT"));
        std::thread::sleep(std::time::Duration::from_millis(700));
        server.record(4, 2);
        assert_eq!(follow_once(&dsn, &ledger).rows, 0, "an older transaction is open");
        let (_, findings) = checked(&dsn, &ledger);
        assert!(findings.len() == 2 && findings.iter().all(|found| found.difference == NotMoved), "{findings:?}");
        slow.join().unwrap();
    });
    assert_eq!(follow_once(&dsn, &ledger).rows, 3);
    let order: Vec<_> = rows(&ledger).into_iter().skip(3).collect();
    assert!(order[0].contains("SLOW") && order[2].contains("P-5"), "in the order of transactions");
    assert_eq!(checked(&dsn, &ledger).1, vec![]);
    let replicating = Options { way: Some(Way::Replication), ..Options::default() };
    let error = try_follow_once(&dsn, &ledger, replicating).expect_err("the server does not allow it");
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.message.contains("wal_level = logical"), "{error}");
}

#[test]
fn a_row_with_a_forged_transaction_never_comes_and_is_named() {
    let Some(server) = Server::start("wal_level = replica") else { return };
    server.installed();
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("audit"));
    server.record(1, 3);
    follow_once(&server.dsn("follower"), &ledger);
    server.sql(
        "postgres",
        "ALTER TABLE counterfoil.audit_log DISABLE TRIGGER ALL; INSERT INTO counterfoil.audit_log (\"timestamp\", event_type, \
         actor, entity_id, recorded_txid, recorded_at, recorded_by, seal) VALUES (now(), 'a', 'b', 'FORGED', '5', now(), 'app', ''); \
         ALTER TABLE counterfoil.audit_log ENABLE ALWAYS TRIGGER stamp; \
         ALTER TABLE counterfoil.audit_log ENABLE ALWAYS TRIGGER append_only; \
         ALTER TABLE counterfoil.audit_log ENABLE ALWAYS TRIGGER no_truncate",
    );
    follow_once(&server.dsn("follower"), &ledger);
    let (_, findings) = checked(&server.dsn("follower"), &ledger);
    let differences: Vec<_> = findings.iter().map(|found| found.difference).collect();
    assert_eq!(differences, [Unprotected, Inserted], "{findings:?}");
}
