//! Every mistake of whoever sets it up is answered with what to do about it.

use counterfoil::ErrorKind;
use counterfoil_postgres::{ColumnMap, Connection, Dsn, Options, Patience, Way, import};

use crate::server::{Server, follow_once, ledger, try_follow_once};

/// What following says, with the kind.
fn refused(dsn: &Dsn, ledger: &counterfoil::Ledger, options: Options) -> (ErrorKind, String) {
    let error = try_follow_once(dsn, ledger, options).expect_err("it is refused");
    (error.kind, error.message)
}

fn said((kind, message): (ErrorKind, String), wanted_kind: ErrorKind, wanted: &[&str]) {
    assert_eq!(kind, wanted_kind, "{message}");
    for words in wanted {
        assert!(message.contains(words), "{message}\nlacks {words}");
    }
}

#[test]
fn what_a_login_lacks_is_said() {
    let Some(server) = Server::replicating() else { return };
    server.installed();
    server.sql("postgres", "CREATE ROLE poller LOGIN; GRANT counterfoil_reader TO poller; CREATE ROLE sleeper");
    server.sql("postgres", "CREATE ROLE stranger LOGIN REPLICATION");
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("audit"));
    let size = ledger.snapshot().size();
    let by_log = || Options { way: Some(Way::Replication), ..Options::default() };
    let follow = |user: &str| refused(&server.dsn(user), &ledger, by_log());
    said(follow("nobody"), ErrorKind::Denied, &["role \"nobody\" does not exist", "CREATE ROLE nobody LOGIN"]);
    said(follow("sleeper"), ErrorKind::Denied, &["ALTER ROLE sleeper LOGIN"]);
    said(follow("poller"), ErrorKind::Denied, &["ALTER ROLE poller REPLICATION", "--by polling"]);
    said(follow("stranger"), ErrorKind::Denied, &["GRANT counterfoil_reader TO stranger"]);
    let nowhere = Dsn::parse(&format!("postgres://follower@127.0.0.1:{}/nowhere", server.port)).unwrap();
    said(
        refused(&nowhere, &ledger, by_log()),
        ErrorKind::NotFound,
        &["nowhere", "name the one that has the audit table"],
    );
    server.in_data("sed -i '1i host all follower 127.0.0.1/32 reject' pg_hba.conf");
    server.sql("postgres", "SELECT pg_reload_conf()");
    crate::server::wait_for("the settings are read", || server.try_sql("follower", "SELECT 1").is_err());
    said(follow("follower"), ErrorKind::Denied, &["pg_hba.conf", "hostssl"]);
    let tls =
        Dsn::parse(&format!("postgres://postgres@127.0.0.1:{}/postgres?sslmode=verify-full", server.port)).unwrap();
    said(refused(&tls, &ledger, by_log()), ErrorKind::Denied, &["does not offer TLS", "sslmode=disable"]);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let closed = Dsn::parse(&format!("postgres://a@127.0.0.1:{port}/x")).unwrap();
    said(refused(&closed, &ledger, by_log()), ErrorKind::Unavailable, &["is PostgreSQL running there"]);
    let socket = Dsn::parse("postgres://a@x/x?host=/nowhere").unwrap();
    said(refused(&socket, &ledger, by_log()), ErrorKind::Unavailable, &["unix_socket_directories"]);
    assert_eq!(ledger.snapshot().size(), size, "nothing was recorded");
}

#[test]
fn what_replication_lacks_is_said() {
    let Some(server) = Server::start(
        "wal_level = logical\nmax_replication_slots = 8\nmax_wal_senders = 2\nmax_slot_wal_keep_size = 1MB\nmin_wal_size = 32MB\nmax_wal_size = 32MB",
    ) else {
        return;
    };
    server.installed();
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("audit"));
    let dsn = server.dsn("follower");
    server.record(1, 2);
    follow_once(&dsn, &ledger);
    server.sql("postgres", "DROP PUBLICATION counterfoil");
    server.record(3, 1);
    let gone = refused(&dsn, &ledger, Options::default());
    said(
        gone,
        ErrorKind::NotFound,
        &["publication", "counterfoil postgres install", "pg_drop_replication_slot('counterfoil')"],
    );
    counterfoil_postgres::install(&mut Connection::open(&server.dsn("postgres"), &Patience::default()).unwrap())
        .unwrap();
    server.sql("postgres", "SELECT pg_drop_replication_slot('counterfoil')");
    assert_eq!(follow_once(&dsn, &ledger).rows, 1, "as advised");
    server.sql("postgres", "CREATE TABLE filler AS SELECT repeat('x', 100) AS text FROM generate_series(1, 10) n");
    for _ in 0..6 {
        server.sql("postgres", "INSERT INTO filler SELECT repeat('x', 100) FROM generate_series(1, 60000)");
        server.sql("postgres", "SELECT pg_switch_wal()");
    }
    server.sql("postgres", "CHECKPOINT");
    server.record(4, 1);
    said(
        refused(&dsn, &ledger, Options::default()),
        ErrorKind::Invalid,
        &["lost its log", "pg_drop_replication_slot('counterfoil')"],
    );
    server.sql("postgres", "SELECT pg_drop_replication_slot('counterfoil')");
    assert_eq!(follow_once(&dsn, &ledger).rows, 1, "as advised");
    if server.try_sql("postgres", "SELECT pg_create_logical_replication_slot('other', 'test_decoding')").is_err() {
        // A server without its contributed modules.
        return;
    }
    let foreign = Options { slot: "other".to_owned(), ..Options::default() };
    said(refused(&dsn, &ledger, foreign), ErrorKind::Conflict, &["test_decoding", "--slot"]);
}

#[test]
fn a_table_that_is_not_there_is_looked_for_elsewhere() {
    let Some(server) = Server::start("") else { return };
    server.sql("postgres", "CREATE SCHEMA bank; CREATE TABLE bank.trail (event_type text, actor text, entity_id text)");
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("audit"));
    let mut connection = Connection::open(&server.dsn("postgres"), &Patience::default()).unwrap();
    let error = import(&mut connection, "Trail", &ColumnMap::default(), &ledger).expect_err("it is elsewhere");
    said((error.kind, error.message), ErrorKind::NotFound, &["there is bank.trail"]);
}
