//! A database administrator with superuser who wants to hide a change: each way is found.

use counterfoil_entry::{Draft, Timestamp};
use counterfoil_postgres::Difference::{Changed, Removed, Seen, Unprotected};
use counterfoil_postgres::{CheckOptions, Connection, Dsn, Finding, Patience, install};

use crate::administrator::{CHANGE, DISABLE, ENABLE, named, setting};
use crate::server::{Server, checked, checked_with, follow_once, rows};

fn unprotected(findings: &[Finding]) -> String {
    let told = findings.iter().filter(|finding| finding.difference == Unprotected);
    told.map(|finding| finding.message.as_str()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_protection_that_was_off_for_a_while_and_is_back_is_named_until_it_was_looked_into() {
    let Some((server, _folder, ledger, dsn, _)) = setting() else { return };
    let refuse = server.sql("postgres", "SELECT pg_get_functiondef('counterfoil.refuse()'::regprocedure)");
    let off_and_back = format!(
        "CREATE OR REPLACE FUNCTION counterfoil.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
         {CHANGE}; {}; {refuse}",
        CHANGE.replace("\"amount\": 1}", "\"amount\": 2.25}")
    );
    let directly = "SET allow_system_table_mods = on; UPDATE pg_trigger SET tgenabled = 'D' WHERE tgname = 'stamp'; \
                    UPDATE pg_trigger SET tgenabled = 'A' WHERE tgname = 'stamp'";
    let publication = "ALTER PUBLICATION counterfoil DROP TABLE counterfoil.audit_log; \
                       ALTER PUBLICATION counterfoil ADD TABLE counterfoil.audit_log";
    let constraint = "ALTER TABLE counterfoil.audit_log DROP CONSTRAINT kinds; ALTER TABLE counterfoil.audit_log ADD CONSTRAINT kinds \
                      CHECK (actor_type IN ('user', 'service', 'ai_agent') AND outcome IN ('success', 'failure', 'denied'))";
    for (attack, altered) in [
        (format!("{DISABLE}; {ENABLE}").as_str(), "trigger append_only, trigger no_truncate, trigger stamp"),
        (&off_and_back, "function counterfoil.refuse()"),
        (directly, "trigger stamp"),
        (publication, "the publication"),
        (constraint, "constraint kinds"),
        ("VACUUM FULL counterfoil.audit_log", "the table"),
    ] {
        let options = CheckOptions { looked_into: ledger.snapshot().size(), ..CheckOptions::default() };
        assert_eq!(checked_with(&dsn, &ledger, &options).1, vec![], "before {attack}");
        server.sql("postgres", attack);
        assert!(unprotected(&checked_with(&dsn, &ledger, &options).1).contains(&format!(": {altered}")), "{attack}");
        follow_once(&dsn, &ledger);
        let (checked, findings) = checked_with(&dsn, &ledger, &options);
        assert!(
            unprotected(&findings).contains(&format!("altered: {altered}")),
            "the ledger remembers {attack}: {findings:?}"
        );
        assert!(checked.is_tampered());
    }
}

#[test]
fn what_is_not_of_install_is_named() {
    let Some((server, _folder, ledger, dsn, _)) = setting() else { return };
    for (attack, said) in [
        (
            "CREATE OR REPLACE FUNCTION counterfoil.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            "function stamp() is missing, disabled or not as install made it",
        ),
        (
            "CREATE FUNCTION counterfoil.audit(text, text) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'",
            "function audit() is not of install",
        ),
        (
            "CREATE TRIGGER a_first BEFORE INSERT ON counterfoil.audit_log FOR EACH ROW EXECUTE FUNCTION counterfoil.stamp()",
            "trigger a_first is not of install",
        ),
        (
            "CREATE RULE quiet AS ON INSERT TO counterfoil.audit_log WHERE NEW.actor = 'mallory' DO INSTEAD NOTHING",
            "rule quiet rewrites",
        ),
        ("GRANT INSERT ON counterfoil.audit_log TO app", "app may INSERT"),
        ("CREATE TABLE public.more () INHERITS (counterfoil.audit_log)", "shares rows with more"),
        ("DROP TABLE public.more; ALTER ROLE counterfoil_owner LOGIN", "counterfoil_owner, who can log in"),
        ("ALTER PUBLICATION counterfoil SET TABLE counterfoil.audit_log WHERE (id > 5)", "no longer publishes all"),
        (
            "DROP RULE quiet ON counterfoil.audit_log; ALTER TABLE counterfoil.audit_log ALTER COLUMN reason TYPE varchar",
            "columns are not those",
        ),
        (
            "DROP PUBLICATION counterfoil; ALTER TABLE counterfoil.audit_log SET UNLOGGED",
            "no ordinary, logged table any more",
        ),
        (
            "ALTER TABLE counterfoil.audit_log RENAME TO kept; \
             CREATE VIEW counterfoil.audit_log AS SELECT * FROM counterfoil.kept WHERE actor <> 'mallory'; \
             GRANT SELECT ON counterfoil.audit_log TO counterfoil_reader",
            "trigger no_truncate is missing",
        ),
    ] {
        server.sql("postgres", attack);
        let (_, findings) = checked(&dsn, &ledger);
        assert!(unprotected(&findings).contains(said), "{attack}: {findings:?}");
    }
}

#[test]
fn a_row_edited_in_the_data_file_while_the_server_is_down_is_named() {
    let Some((server, _folder, ledger, dsn, ids)) = setting() else { return };
    if server.sql("postgres", "SHOW data_checksums") == "on" {
        // The server itself refuses such a page, as it does by default since version 18.
        return;
    }
    let file = server.sql("postgres", "CHECKPOINT; SELECT pg_relation_filepath('counterfoil.audit_log')");
    server.down("fast");
    server.in_data(&format!("LC_ALL=C sed -i 's/P-2/P-9/' {file}"));
    server.up();
    let (_, findings) = checked(&dsn, &ledger);
    assert_eq!(named(&findings, Changed), [ids[0]]);
    assert!(findings[0].message.contains("entity_id was P-2, is P-9"), "{findings:?}");
}

#[test]
fn a_row_cut_out_of_the_heap_is_named() {
    let Some((server, _folder, ledger, dsn, ids)) = setting() else { return };
    if let Err(missing) = server.try_sql("postgres", "CREATE EXTENSION pg_surgery") {
        assert!(std::env::var_os("CI").is_none(), "{missing}");
        eprintln!("left out: pg_surgery (package postgresql-contrib): {missing}");
        return;
    }
    server.record(50, 1);
    server.sql(
        "postgres",
        "SELECT heap_force_kill('counterfoil.audit_log', array_agg(ctid)) FROM counterfoil.audit_log WHERE entity_id IN ('P-3', 'P-50')",
    );
    assert_eq!(named(&checked(&dsn, &ledger).1, Removed), [ids[1]]);
    assert_eq!(follow_once(&dsn, &ledger).rows, 1, "the write-ahead log still has the newest");
    assert_eq!(named(&checked(&dsn, &ledger).1, Removed).len(), 2);
}

#[test]
fn a_dump_that_was_edited_and_restored_is_named() {
    let Some((server, _folder, ledger, dsn, ids)) = setting() else { return };
    server.restore_edited_dump("s/\"amount\": 2.25/\"amount\": 9.25/");

    let (_, findings) = checked(&dsn, &ledger);
    assert_eq!(named(&findings, Changed), [ids[0]], "{findings:?}");
    assert!(unprotected(&findings).contains("the table"), "it is another table: {findings:?}");
}

#[test]
fn rows_that_were_emptied_out_and_put_back_otherwise_are_named() {
    let Some((server, _folder, ledger, dsn, ids)) = setting() else { return };
    server.sql(
        "postgres",
        &format!(
            "CREATE TABLE kept AS SELECT * FROM counterfoil.audit_log; UPDATE kept SET actor = 'bot' WHERE entity_id = 'P-2'; \
             {DISABLE}; TRUNCATE counterfoil.audit_log; \
             INSERT INTO counterfoil.audit_log OVERRIDING SYSTEM VALUE SELECT * FROM kept; DROP TABLE kept; {ENABLE}"
        ),
    );
    assert_eq!(named(&checked(&dsn, &ledger).1, Changed), [ids[0]]);
    follow_once(&dsn, &ledger);
    let (_, findings) = checked(&dsn, &ledger);
    assert!(findings.iter().any(|finding| finding.difference == Seen && finding.message.contains("TRUNCATE")));
    assert!(named(&findings, Changed).contains(&ids[0]), "{findings:?}");
}

#[test]
fn a_clock_that_was_set_back_is_noticed() {
    let Some((server, _folder, ledger, dsn, _)) = setting() else { return };
    // As if the newest commit that the ledger knows had been tomorrow: today's clock was set back.
    let source = ledger.status().unwrap().sources.pop().unwrap();
    let newest = ledger.snapshot().entry(ledger.snapshot().size() - 1).unwrap();
    let newest: serde_json::Value = serde_json::from_slice(&newest).unwrap();
    let tomorrow = Timestamp::from_micros(
        Timestamp::parse(newest["timestamp"].as_str().unwrap()).unwrap().micros() + 86_400_000_000,
    );
    let draft = Draft::builder("postgres.clock_stepped", "counterfoil-postgres", "counterfoil.audit_log")
        .timestamp(tomorrow)
        .id(&format!("{}/test", newest["id"].as_str().unwrap()))
        .source(&source.source, source.last + 1);
    ledger.append(draft.build().unwrap()).unwrap();
    server.record(60, 2);
    let followed = follow_once(&dsn, &ledger);
    assert_eq!((followed.rows, followed.notices), (2, 1));
    let (_, findings) = checked(&dsn, &ledger);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].difference == Seen && findings[0].message.contains("clock went back"), "{findings:?}");
    assert_eq!(follow_once(&dsn, &ledger).notices, 0);
}

#[test]
fn a_row_that_calls_itself_a_notice_is_none() {
    let Some((server, _folder, ledger, dsn, _)) = setting() else { return };
    let marks = ledger.snapshot();
    let mut recorded = (0..marks.size()).map(|index| String::from_utf8(marks.entry(index).unwrap()).unwrap());
    let recorded = recorded.rfind(|entry| entry.contains("protection_recorded")).unwrap();
    let recorded: serde_json::Value = serde_json::from_str(&recorded).unwrap();
    let context = recorded["context"].to_string().replace('\'', "''");
    let entity = recorded["entity_id"].as_str().unwrap();
    server.sql("postgres", &format!("{DISABLE}; {ENABLE}; ALTER TABLE counterfoil.audit_log DROP CONSTRAINT names"));
    server.sql(
        "app",
        &format!("SELECT counterfoil.audit('postgres.protection_recorded', '{entity}', 'x', context => '{context}')"),
    );
    follow_once(&dsn, &ledger);
    assert!(rows(&ledger).last().unwrap().contains("protection_recorded"), "it is moved, as the row that it is");
    let altered = unprotected(&checked(&dsn, &ledger).1);
    assert!(altered.contains("constraint names, trigger append_only"), "{altered}");
    assert!(!altered.contains("since entry"), "what it says of the protection counts for nothing: {altered}");
}

#[test]
fn another_cluster_in_the_place_of_the_one_that_was_followed_is_named() {
    let Some((_server, _folder, ledger, _, _)) = setting() else { return };
    let Some(other) = Server::replicating() else { return };
    other.installed();
    other.record(1, 10);
    let dsn = other.dsn("follower");
    let said = "stands in the place of another";
    assert!(unprotected(&checked(&dsn, &ledger).1).contains(said));
    follow_once(&dsn, &ledger);
    assert!(unprotected(&checked(&dsn, &ledger).1).contains(said), "also when its rows were moved");
    let options = CheckOptions { looked_into: ledger.snapshot().size(), ..CheckOptions::default() };
    assert_eq!(checked_with(&dsn, &ledger, &options).1, vec![]);
}

#[test]
fn nobody_puts_a_catalog_of_his_own_before_the_servers() {
    let Some((server, _folder, ledger, dsn, _)) = setting() else { return };
    server.sql(
        "postgres",
        "CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC; CREATE TABLE evil.pg_trigger AS SELECT oid, xmin::text::xid AS x, \
         tgrelid, tgname, tgenabled, tgisinternal FROM pg_catalog.pg_trigger; GRANT SELECT ON evil.pg_trigger TO PUBLIC; \
         ALTER ROLE follower SET search_path = evil, pg_catalog",
    );
    server.sql("postgres", DISABLE);
    let (_, findings) = checked(&dsn, &ledger);
    assert!(unprotected(&findings).contains("trigger stamp is missing, disabled"), "{findings:?}");
}

const VERSION_1: &str = include_str!("../fixtures/install-1.sql");

#[test]
fn a_table_of_an_earlier_version_is_brought_up_to_date_and_one_of_a_later_is_left_alone() {
    let Some(server) = Server::replicating() else { return };
    server.sql("postgres", VERSION_1);
    server.sql("postgres", "CREATE ROLE app LOGIN; GRANT counterfoil_writer TO app");
    server.sql("postgres", "CREATE ROLE follower LOGIN REPLICATION; GRANT counterfoil_reader TO follower");
    server.record(1, 3);
    let folder = tempfile::tempdir().unwrap();
    let ledger = crate::server::ledger(&folder.path().join("audit"));
    let dsn: Dsn = server.dsn("follower");
    follow_once(&dsn, &ledger);
    let early =
        counterfoil_postgres::check(&dsn, &ledger, &CheckOptions::default(), &Patience::default(), &mut |_| Ok(()))
            .expect_err("of version 1");
    assert!(early.message.contains("version 1") && early.message.contains("postgres install"), "{early}");
    let mut connection = Connection::open(&server.dsn("postgres"), &Patience::default()).unwrap();
    let installed = install(&mut connection).unwrap();
    assert_eq!((installed.replaced, installed.version), (Some(1), 2));
    server.record(4, 2);
    assert_eq!(follow_once(&dsn, &ledger).rows, 2);
    let (checked, findings) = checked(&dsn, &ledger);
    assert_eq!(checked.rows, 5);
    assert!(
        findings.len() == 1 && unprotected(&findings).contains("altered"),
        "the upgrade is on record: {findings:?}"
    );
    server.sql("postgres", "COMMENT ON SCHEMA counterfoil IS 'Counterfoil audit table, version 3'");
    let later = install(&mut connection).expect_err("of a later version");
    assert!(later.message.contains("version 3"), "{later}");
}
