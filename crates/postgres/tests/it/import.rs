//! Audit tables that teams have already.

use counterfoil_postgres::{ColumnMap, Connection, Patience, import};

use crate::server::{Server, ledger};

#[test]
fn an_existing_table_is_recorded_once_with_its_digits_and_moments() {
    let Some(server) = Server::replicating() else { return };
    server.sql(
        "postgres",
        "CREATE TABLE \"Audit Trail\" (id bigserial PRIMARY KEY, at timestamptz, event_type text, who text, entity_id text, \
           old_value jsonb, new_value jsonb, amount numeric, ok boolean, context jsonb); \
         INSERT INTO \"Audit Trail\" (at, event_type, who, entity_id, new_value, amount, ok, context) VALUES \
           ('2026-11-24 14:16:00.123456+01', 'kyc_check', 'bot', 'C-1', '{\"n\": 12345678901234567.89}', 10.5, true, '{\"a\": 1}'), \
           ('2026-11-23 00:00:00+00', 'kyc_check', 'bot', 'C-2', NULL, 9007199254740993, false, NULL)",
    );
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("audit"));
    let mut connection = Connection::open(&server.dsn("postgres"), &Patience::default()).unwrap();
    let map = ColumnMap::parse(["timestamp=at", "actor=who", "actor_type='service'"]).unwrap();
    let imported = import(&mut connection, "\"Audit Trail\"", &map, &ledger).unwrap();
    assert_eq!((imported.rows, imported.repeated), (2, 0));
    let size = ledger.snapshot().size();
    let entry = |back: u64| String::from_utf8(ledger.snapshot().entry(size - back).unwrap()).unwrap();
    let oldest = r#"{"actor":"bot","actor_type":"service","context":{"amount":9007199254740993,"id":2,"ok":false},"entity_id":"C-2""#;
    assert!(entry(2).starts_with(oldest), "{}", entry(2));
    assert!(entry(1).contains(r#""new_value":{"n":"12345678901234567.89"}"#), "{}", entry(1));
    assert!(entry(1).contains(r#""timestamp":"2026-11-24T13:16:00.123456Z""#) && !entry(1).contains("old_value"));
    let again = import(&mut connection, "\"Audit Trail\"", &map, &ledger).unwrap();
    assert_eq!((again.rows, again.repeated), (2, 2));
    assert_eq!(ledger.snapshot().size(), size);
}

#[test]
fn a_row_that_cannot_become_an_entry_is_named_and_nothing_is_recorded() {
    let Some(server) = Server::replicating() else { return };
    server.sql(
        "postgres",
        "CREATE TABLE trail (id int PRIMARY KEY, event_type text, actor text, entity_id text); \
         INSERT INTO trail VALUES (1, 'a', 'b', 'c'), (2, 'a', '', 'c')",
    );
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("audit"));
    let size = ledger.snapshot().size();
    let mut connection = Connection::open(&server.dsn("postgres"), &Patience::default()).unwrap();
    let error = import(&mut connection, "trail", &ColumnMap::default(), &ledger).expect_err("row 2 has no actor");
    assert!(error.message.contains("row 2") && error.message.contains("actor"), "{error}");
    assert_eq!(ledger.snapshot().size(), size);
    let missing = import(&mut connection, "nothing", &ColumnMap::default(), &ledger).expect_err("no such table");
    assert_eq!(missing.kind, counterfoil::ErrorKind::NotFound);
}
