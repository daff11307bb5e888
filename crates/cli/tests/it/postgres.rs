//! `postgres install`, `follow` and `check`, and `import` of a table, on a real PostgreSQL.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::place::{Place, Ran};
use crate::postgres_server::{Proxy, Server};
use crate::service::Running;

struct Bank {
    server: Server,
    place: Place,
}

impl Bank {
    /// A server with the table, made by the command, and a ledger.
    fn open() -> Option<Bank> {
        let server = Server::replicating()?;
        let place = Place::new();
        place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
        let bank = Bank { server, place };
        let said = bank.place.ok(&["postgres", "install", &bank.dsn("postgres")]);
        assert!(said.contains("counterfoil.audit_log is made, version 2 (PostgreSQL 1"), "{said}");
        bank.server.sql("postgres", "CREATE ROLE app LOGIN; GRANT counterfoil_writer TO app");
        bank.server.sql("postgres", "CREATE ROLE follower LOGIN REPLICATION; GRANT counterfoil_reader TO follower");
        Some(bank)
    }

    fn dsn(&self, user: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/postgres", self.server.port)
    }

    fn run(&self, act: &str, more: &[&str]) -> Ran {
        let dsn = self.dsn("follower");
        self.place.run(&[&["postgres", act, "audit", &dsn][..], more].concat())
    }

    /// Runs an act with a password file.
    fn with_passwords(&self, act: &[&str], mode: u32, line: &str) -> Ran {
        self.place.write("passwords", line);
        std::fs::set_permissions(self.place.path("passwords"), PermissionsExt::from_mode(mode)).unwrap();
        let mut command = self.place.command(act);
        Ran::of(command.env("PGPASSFILE", self.place.path("passwords")).output().unwrap())
    }
}

#[test]
fn a_table_is_made_followed_and_checked_and_a_change_is_named() {
    let Some(bank) = Bank::open() else { return };
    bank.server.record(1, 3);
    let early = bank.run("check", &[]).expect(5);
    assert!(early.stdout.contains("not-moved") && early.stdout.contains("NOT MOVED YET"), "{}", early.stdout);
    let followed = bank.run("follow", &["--once", "--json"]).expect(0).value();
    assert_eq!(followed, serde_json::json!({"rows": 3, "notices": 2}));
    let clean = bank.run("check", &[]).expect(0).stdout;
    assert!(clean.starts_with("verified 3 rows of postgres:"), "{clean}");
    let summary = bank.run("check", &["--json"]).expect(0).value();
    assert_eq!((&summary["verified"], &summary["rows"]), (&true.into(), &3.into()), "{summary}");
    bank.server.sql(
        "postgres",
        "ALTER TABLE counterfoil.audit_log DISABLE TRIGGER append_only; UPDATE counterfoil.audit_log SET actor = 'bot' WHERE id = 2; \
         ALTER TABLE counterfoil.audit_log ENABLE ALWAYS TRIGGER append_only",
    );
    let told = bank.run("check", &["--json"]).expect(11).lines();
    let kinds: Vec<_> = told.iter().filter_map(|line| line["difference"].as_str()).collect();
    assert_eq!(kinds, ["unprotected", "changed"], "{told:?}");
    assert_eq!(told[1]["row"], 2);
    assert!(told[1]["message"].as_str().unwrap().contains("actor was maria, is bot"), "{told:?}");
    assert_eq!(told[2]["findings"], serde_json::json!({"changed": 1, "unprotected": 1}));
    let words = bank.run("check", &[]).expect(11).stdout;
    assert!(words.contains("TAMPERED") && words.contains("counterfoil entry LEDGER INDEX"), "{words}");
    bank.place.ok(&["verify", "audit"]);
}

#[test]
fn mistakes_are_explained() {
    let Some(bank) = Bank::open() else { return };
    let place = &bank.place;
    let port = bank.server.port;
    let good = bank.dsn("follower");
    let install = |dsn: &str| place.run(&["postgres", "install", dsn]);
    install("db.example/bank").refused(2, &["must begin with postgres://"]);
    install("postgres://127.0.0.1/bank?sslmod=off").refused(2, &["sslmod", "sslmode"]);
    install("postgres://a@127.0.0.1,127.0.0.2/bank").refused(2, &["several hosts"]);
    install("postgres://a@127.0.0.1/bank?sslcert=x").refused(2, &["sslcert and sslkey go together"]);
    install("postgres://a@127.0.0.1:x/bank").refused(2, &["port is no number"]);
    install("postgres://a@127.0.0.1:1/bank").refused(5, &["127.0.0.1:1/bank"]);
    install(&format!("postgres://postgres@127.0.0.1:{port}/nowhere")).refused(7, &["nowhere"]);
    install(&bank.dsn("nobody")).refused(6, &["nobody"]);
    place.run(&["postgres", "install"]).refused(2, &["DSN"]);
    let again = install(&bank.dsn("postgres")).expect(0);
    assert!(again.stdout.contains("is of version 2, as it should be"), "{}", again.stdout);
    assert!(place.ok(&["postgres", "install", "--print"]).contains("CREATE TABLE IF NOT EXISTS counterfoil.audit_log"));
    for act in ["follow", "check"] {
        place.run(&["postgres", act, "nothing", &good]).refused(7, &["no folder nothing"]);
        place
            .run(&["postgres", act, "http://127.0.0.1:1", &good])
            .refused(2, &["a ledger's folder", "where the ledger's folder is"]);
    }
    let gone = "postgres://follower@127.0.0.1:1/x";
    place.run(&["postgres", "check", "audit", gone]).refused(5, &["127.0.0.1:1/x"]);
    place.run(&["postgres", "follow", "audit", gone, "--once"]).refused(5, &["127.0.0.1:1/x"]);
    bank.run("follow", &["--slot", "Mine!", "--once"]).refused(2, &["a-z, 0-9"]);
    bank.run("follow", &["--by", "mail"]).refused(2, &["replication", "polling"]);
    bank.run("check", &["--patience", "long"]).refused(2, &["--patience"]);
    bank.run("check", &["--looked-into", "-1"]).refused(2, &["-1"]);
    bank.server.sql("postgres", "CREATE DATABASE bare");
    bank.server.sql("postgres", "CREATE ROLE reader LOGIN");
    let bare = format!("postgres://follower@127.0.0.1:{port}/bare");
    install(&bare).refused(6, &["CREATEROLE", "--print"]);
    place.run(&["postgres", "follow", "audit", &bare, "--once"]).refused(7, &["counterfoil postgres install"]);
    place.run(&["postgres", "check", "audit", &bare]).refused(7, &["counterfoil postgres install"]);
    place.run(&["postgres", "check", "audit", &bank.dsn("reader")]).refused(6, &["permission denied"]);
}

/// Starts a command, lets the server fall silent once it said this, sends a signal, and gives the exit code.
fn ended(bank: &Bank, arguments: &[&str], proxy: &Proxy, said: &str, signal: &str) -> Option<i32> {
    let mut child = bank.place.command(arguments).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains(said)), "{said}");
    proxy.fall_silent(true);
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    // Everything that it says is read, so that it does not wait for us.
    let rest: Vec<_> = lines.map_while(Result::ok).collect();
    let code = child.wait().unwrap().code();
    proxy.fall_silent(false);
    assert!(!rest.iter().any(|line| line.contains("has not answered")), "it ended by its own limit: {rest:?}");
    code
}

#[test]
fn a_signal_ends_every_command_beside_a_server_that_is_silent() {
    let Some(bank) = Bank::open() else { return };
    bank.server.sql(
        "postgres",
        "CREATE VIEW slow AS SELECT 'a' AS event_type, 'b' AS actor, 'c' AS entity_id, pg_sleep(600)::text AS slept",
    );
    let proxy = Proxy::before(&bank.server);
    let (follower, superuser) = (proxy.address("follower"), proxy.address("postgres"));
    let polling = ["postgres", "follow", "audit", &follower, "--by", "polling"];
    assert_eq!(ended(&bank, &polling, &proxy, "following by polling", "-TERM"), Some(0));
    let import = ["import", "audit", &superuser, "--table", "slow"];
    assert_eq!(ended(&bank, &import, &proxy, "table slow", "-INT"), Some(9));
    let check = ["postgres", "check", "audit", &follower];
    let silent = |act: &[&str], code| {
        proxy.fall_silent(true);
        assert_eq!(ended(&bank, act, &proxy, "counterfoil.audit_log", "-TERM"), Some(code));
    };
    silent(&check, 9);
    silent(&["postgres", "install", &superuser], 9);
    silent(&polling, 0);
    bank.place.ok(&["verify", "audit"]);
}

#[test]
fn a_command_says_which_database_it_is_about_and_a_wrong_one_records_nothing() {
    let Some(bank) = Bank::open() else { return };
    let unnamed = format!("postgres://follower@127.0.0.1:{}", bank.server.port);
    let before = bank.place.ok(&["status", "audit", "--json"]);
    let wrong = bank.place.run(&["postgres", "follow", "audit", &unnamed, "--once"]);
    wrong.refused(7, &["database follower (the address names none: the user's name) on 127.0.0.1", "name the one"]);
    let mut named = bank.place.command(&["postgres", "check", "audit", &unnamed]);
    Ran::of(named.env("PGDATABASE", "template1").output().unwrap()).refused(
        7,
        &["database template1 (the address names none: PGDATABASE)", "as follower: table counterfoil.audit_log"],
    );
    let size = |status: &str| serde_json::from_str::<serde_json::Value>(status).unwrap()["size"].clone();
    assert_eq!(size(&bank.place.ok(&["status", "audit", "--json"])), size(&before));
}

#[test]
fn a_password_comes_from_a_file_that_nobody_else_reads() {
    let Some(bank) = Bank::open() else { return };
    bank.server.in_data("sed -i '1i host all follower 127.0.0.1/32 scram-sha-256' pg_hba.conf");
    bank.server.sql("postgres", "ALTER ROLE follower PASSWORD 'se:cret'; SELECT pg_reload_conf()");
    let dsn = bank.dsn("follower");
    let act = ["postgres", "follow", "audit", &dsn, "--once"];
    crate::service::wait_for("the settings are read", || (bank.place.run(&act).code == 6).then_some(()));
    bank.place.run(&act).refused(6, &["PGPASSWORD", ".pgpass"]);
    let line = format!("127.0.0.1:{}:*:follower:se\\:cret\n", bank.server.port);
    bank.with_passwords(&act, 0o644, &line).refused(6, &["chmod 600"]);
    bank.with_passwords(&act, 0o600, "*:*:*:follower:guess\n").refused(6, &["password authentication failed"]);
    bank.with_passwords(&act, 0o600, &line).expect(0);
}

#[test]
fn beside_a_service_rows_are_recorded_through_it_once() {
    let Some(bank) = Bank::open() else { return };
    bank.server.record(1, 3);
    bank.run("follow", &["--once"]).expect(0);
    bank.server.record(4, 2);
    let service = Running::on(bank.place, &[]);
    let dsn = format!("postgres://follower@127.0.0.1:{}/postgres", bank.server.port);
    let follow = || service.place.run(&["postgres", "follow", "audit", &dsn, "--once", "--json"]).expect(0).value();
    assert_eq!(follow()["rows"], 2);
    assert_eq!(follow()["rows"], 0);
    service.place.ok(&["postgres", "check", "audit", &dsn]);
    let url = format!("http://{}", service.address);
    service.place.run(&["postgres", "follow", &url, &dsn]).refused(2, &["Run this where the ledger's folder is"]);
}

#[test]
fn a_table_that_exists_is_imported_once() {
    let Some(bank) = Bank::open() else { return };
    bank.server.sql(
        "postgres",
        "CREATE TABLE old_trail (id int PRIMARY KEY, event_type text, clerk text, entity_id text); \
         INSERT INTO old_trail VALUES (1, 'a', 'maria', 'X-1'), (2, 'b', 'zoe', 'X-2')",
    );
    let dsn = bank.dsn("postgres");
    let import = |more: &[&str]| bank.place.run(&[&["import", "audit", &dsn][..], more].concat());
    let table = ["--table", "public.old_trail", "--column", "actor=clerk"];
    assert_eq!(import(&table).expect(0).stdout, "imported 2 rows of public.old_trail\n");
    let again = import(&[&table[..], &["--json"]].concat()).expect(0).value();
    assert_eq!(again, serde_json::json!({"rows": 2, "repeated": 2}));
    import(&[]).refused(2, &["--table"]);
    import(&["--table", "nothing"]).refused(7, &["nothing"]);
    import(&["--table", "old_trail", "--column", "clerk"]).refused(2, &["clerk"]);
    import(&["--table", "old_trail", "--column", "actor=nobody"]).refused(2, &["nobody"]);
    import(&["--table", "old_trail"]).refused(2, &["actor"]);
}
