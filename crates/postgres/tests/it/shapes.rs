//! Rows and transactions of every shape, found, streamed and polled: each committed row once, and the check is clean.

use counterfoil::Ledger;
use counterfoil_postgres::Difference::{NotMoved, Seen, Unprotected};
use counterfoil_postgres::{Options, Way};

use crate::server::{Server, checked, follow_once, ledger, rows, try_follow_once};

const REPLICATING: &str =
    "wal_level = logical\nmax_replication_slots = 8\nmax_wal_senders = 8\nmax_prepared_transactions = 4";

/// One act with every column at its widest, strangest or longest.
const FULL: &str = "SELECT counterfoil.audit(repeat('e', 128), repeat('ü', 128), repeat('a', 256), \
    old => '{\"zero\": 0.10, \"big\": 123456789012345678901234567890, \"e\": 1e300, \"text\": \"\\u0001\\\"\\\\ 😀\"}', \
    new => '[null, true, -0.0, 1e-7, 9007199254740993, {}]', \
    context => '{\"list\": [[[]]], \"amount\": 12345678901234567.89}', actor_type => 'ai_agent', on_behalf_of => 'ma''ria', \
    entity_type => 'x', outcome => 'denied', reason => repeat('because\tof\nthis ', 900), trace_id => repeat('0', 256), \
    happened => '1678-01-01T00:00:00.000001Z')";

fn entities(ledger: &Ledger) -> Vec<String> {
    let entity = |row: &String| row.split("\"entity_id\":\"").nth(1)?.split('"').next().map(str::to_owned);
    rows(ledger).iter().filter_map(entity).collect()
}

#[test]
fn every_column_and_the_widest_values_come_through_by_each_way() {
    let Some(server) = Server::start(REPLICATING) else { return };
    server.installed();
    let folder = tempfile::tempdir().unwrap();
    let (streamed, polled) = (ledger(&folder.path().join("streamed")), ledger(&folder.path().join("polled")));
    let dsn = server.dsn("follower");
    let polling = || Options { way: Some(Way::Polling), ..Options::default() };
    for round in 0..2 {
        server.sql("app", FULL);
        server.sql("app", "SELECT counterfoil.audit('least', 'x')");
        server.sql(
            "app",
            "SELECT counterfoil.audit('infinite', 'x', happened => '2261-12-31T23:59:59.999999Z', new => 'null')",
        );
        assert_eq!(follow_once(&dsn, &streamed).rows, 3, "round {round}");
        assert_eq!(try_follow_once(&dsn, &polled, polling()).unwrap().rows, 3, "round {round}");
    }
    assert_eq!(checked(&dsn, &streamed).1, vec![]);
    assert_eq!(checked(&dsn, &polled).1, vec![]);
}

#[test]
fn what_was_rolled_back_never_comes_and_what_was_prepared_comes_when_it_commits() {
    let Some(server) = Server::start(REPLICATING) else { return };
    server.installed();
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("audit"));
    let dsn = server.dsn("follower");
    follow_once(&dsn, &ledger);
    let act = |name: &str| format!("SELECT counterfoil.audit('act', '{name}');");
    let (one, two, three, four) = (act("one"), act("two"), act("three"), act("four"));
    server.sql(
        "app",
        &format!("BEGIN; {one} SAVEPOINT a; {two} ROLLBACK TO a; SAVEPOINT b; {three} RELEASE b; {four} COMMIT"),
    );
    server.sql("app", &format!("BEGIN; {} ROLLBACK", act("never")));
    server.sql("app", &format!("BEGIN; {} PREPARE TRANSACTION 'kept'", act("prepared")));
    server.sql("app", &format!("BEGIN; {} PREPARE TRANSACTION 'lost'", act("abandoned")));
    server.sql("app", &act("between"));
    follow_once(&dsn, &ledger);
    assert_eq!(entities(&ledger), ["one", "three", "four", "between"]);
    server.down("fast");
    server.up();
    server.sql("app", "COMMIT PREPARED 'kept'");
    server.sql("app", "ROLLBACK PREPARED 'lost'");
    follow_once(&dsn, &ledger);
    assert_eq!(entities(&ledger)[4..], ["prepared"]);
    assert_eq!(checked(&dsn, &ledger).1, vec![]);
}

#[test]
fn a_column_added_while_it_is_followed_loses_no_row_and_is_named() {
    let Some(server) = Server::start(REPLICATING) else { return };
    server.installed();
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("audit"));
    let dsn = server.dsn("follower");
    follow_once(&dsn, &ledger);
    server.record(1, 2);
    server.sql("postgres", "ALTER TABLE counterfoil.audit_log ADD COLUMN note text DEFAULT 'more'");
    server.record(3, 2);
    assert_eq!(follow_once(&dsn, &ledger).rows, 4);
    assert_eq!(entities(&ledger), ["P-1", "P-2", "P-3", "P-4"]);
    let (_, findings) = checked(&dsn, &ledger);
    assert!(findings.iter().all(|found| found.difference == Unprotected), "{findings:?}");
    assert!(findings.iter().any(|found| found.message.contains("columns are not those")), "{findings:?}");
}

#[test]
fn a_truncate_by_a_superuser_and_rows_beyond_every_size_are_told_of() {
    let Some(server) = Server::start(REPLICATING) else { return };
    server.installed();
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("audit"));
    let dsn = server.dsn("follower");
    follow_once(&dsn, &ledger);
    server.record(1, 2);
    server.sql("postgres", "ALTER TABLE counterfoil.audit_log DROP CONSTRAINT size_limit");
    server.sql(
        "app",
        "SELECT counterfoil.audit('big', 'B', reason => repeat('x', 10000000)); SELECT counterfoil.audit('after', 'A')",
    );
    assert_eq!(follow_once(&dsn, &ledger).rows, 4);
    assert!(rows(&ledger)[2].contains("postgres.row_unfit"), "a row of 10 MB has its entry");
    let named = |ledger: &Ledger| checked(&dsn, ledger).1.iter().map(|found| found.difference).collect::<Vec<_>>();
    assert!(named(&ledger).iter().all(|difference| *difference == Unprotected), "{:?}", named(&ledger));
    server.sql(
        "postgres",
        "ALTER TABLE counterfoil.audit_log DISABLE TRIGGER no_truncate; TRUNCATE counterfoil.audit_log; \
         ALTER TABLE counterfoil.audit_log ENABLE ALWAYS TRIGGER no_truncate",
    );
    server.record(5, 1);
    assert_eq!(follow_once(&dsn, &ledger).rows, 1);
    assert!(named(&ledger).contains(&Seen));
    assert!(!named(&ledger).contains(&NotMoved));
}
