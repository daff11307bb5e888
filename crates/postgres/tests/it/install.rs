//! What is refused, and what commits with its transaction.

use counterfoil::ErrorKind;
use counterfoil_postgres::{Connection, Patience, install};

use crate::server::Server;

#[test]
fn the_table_refuses_change_whoever_asks_and_installing_again_changes_nothing() {
    let Some(server) = Server::replicating() else { return };
    server.installed();
    server.record(1, 1);
    for statement in [
        "UPDATE counterfoil.audit_log SET actor = 'mallory'",
        "DELETE FROM counterfoil.audit_log",
        "TRUNCATE counterfoil.audit_log",
    ] {
        let superuser = server.try_sql("postgres", statement).expect_err(statement);
        assert!(superuser.contains("append-only"), "{superuser}");
        let replica = format!("SET session_replication_role = replica; {statement}");
        assert!(server.try_sql("postgres", &replica).is_err(), "{replica}");
        let app = server.try_sql("app", statement).expect_err(statement);
        assert!(app.contains("permission denied"), "{app}");
    }
    let direct = "INSERT INTO counterfoil.audit_log (event_type, actor, entity_id) VALUES ('a', 'b', 'c')";
    assert!(server.try_sql("app", direct).expect_err("no right").contains("permission denied"));
    assert_eq!(server.sql("postgres", "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'counterfoil_owner'"), "f");
    let again = install(&mut Connection::open(&server.socket("postgres"), &Patience::default()).unwrap()).unwrap();
    assert!(again.replaced == Some(again.version) && again.replication);
    let kept = server
        .sql("postgres", "SELECT event_type, entity_id, actor, recorded_by, new_value FROM counterfoil.audit_log");
    assert_eq!(kept, r#"payment_approved|P-1|maria|app|{"amount": 1.25}"#);
}

#[test]
fn an_audit_row_commits_with_the_change_or_not_at_all() {
    let Some(server) = Server::replicating() else { return };
    server.installed();
    let rolled_back = "BEGIN; SELECT counterfoil.audit('refund', 'R-1'); ROLLBACK";
    server.sql("app", rolled_back);
    let too_long = format!("SELECT counterfoil.audit('{}', 'R-1')", "x".repeat(129));
    assert!(server.try_sql("app", &too_long).is_err(), "what the ledger would refuse is refused here");
    assert_eq!(server.sql("postgres", "SELECT count(*) FROM counterfoil.audit_log"), "0");
    server
        .sql("app", "BEGIN; SET LOCAL counterfoil.actor = 'maria'; SELECT counterfoil.audit('refund', 'R-1'); COMMIT");
    assert_eq!(server.sql("postgres", "SELECT actor, recorded_by FROM counterfoil.audit_log"), "maria|app");
}

#[test]
fn a_business_table_records_its_changes_by_allow_list() {
    let Some(server) = Server::replicating() else { return };
    server.installed();
    server.sql(
        "postgres",
        "CREATE TABLE payments (id int, part int, amount numeric, status text, iban text, PRIMARY KEY (id, part)); \
         GRANT ALL ON payments TO app; \
         CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON payments FOR EACH ROW \
           EXECUTE FUNCTION counterfoil.audit_rows('amount', 'status'); \
         CREATE TRIGGER audited_truncate AFTER TRUNCATE ON payments FOR EACH STATEMENT \
           EXECUTE FUNCTION counterfoil.audit_rows()",
    );
    for statement in [
        "INSERT INTO payments VALUES (7, 1, 9007199254740993.10, 'new', 'DE00')",
        "UPDATE payments SET iban = 'DE99'",
        "UPDATE payments SET status = 'paid'",
        "DELETE FROM payments",
        "TRUNCATE payments",
    ] {
        server.sql("app", statement);
    }
    let recorded = server
        .sql("postgres", "SELECT event_type, entity_id, old_value, new_value FROM counterfoil.audit_log ORDER BY id");
    let expected = "payments_inserted|7/1||{\"amount\": 9007199254740993.10, \"status\": \"new\"}\n\
         payments_updated|7/1|{\"amount\": 9007199254740993.10, \"status\": \"new\"}|{\"amount\": 9007199254740993.10, \"status\": \"paid\"}\n\
         payments_deleted|7/1|{\"amount\": 9007199254740993.10, \"status\": \"paid\"}|\n\
         payments_truncated|public.payments||";
    assert_eq!(recorded, expected);
}

#[test]
fn a_role_that_may_make_roles_and_schemas_installs() {
    let Some(server) = Server::replicating() else { return };
    server.sql("postgres", "CREATE ROLE dba LOGIN CREATEROLE; GRANT CREATE ON DATABASE postgres TO dba");
    let installs = || install(&mut Connection::open(&server.dsn("dba"), &Patience::default()).unwrap()).unwrap();
    assert_eq!(installs().replaced, None);
    server.sql("dba", "CREATE ROLE app LOGIN; GRANT counterfoil_writer TO app");
    server.sql("app", "SELECT counterfoil.audit('act', 'X')");
    server.sql("postgres", "DROP TRIGGER append_only ON counterfoil.audit_log");
    installs();
    assert!(server.try_sql("postgres", "DELETE FROM counterfoil.audit_log").is_err(), "what was missing is back");
}

#[test]
fn without_rights_the_message_says_what_is_needed() {
    let Some(server) = Server::replicating() else { return };
    server.sql("postgres", "CREATE ROLE nobody LOGIN");
    let error =
        install(&mut Connection::open(&server.dsn("nobody"), &Patience::default()).unwrap()).expect_err("no rights");
    assert_eq!(error.kind, ErrorKind::Denied);
    assert!(error.message.contains("CREATEROLE") && error.message.contains("--print"), "{error}");
}
