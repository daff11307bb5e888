//! The PostgreSQL protocol: the real psql, and bytes that no client would send.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use counterfoil::{CreateOptions, Ledger, OpenOptions};
use counterfoil_entry::Draft;
use counterfoil_server::{NewToken, Role, Served, Settings, Tls, Tokens};
use tempfile::TempDir;

/// Entries that a service starts with, beside the ledger's own.
const ENTRIES: usize = 2_000;

/// Where the child process that serves finds its ledger, and what else it is told.
const LEDGER: &str = "COUNTERFOIL_TEST_LEDGER";
const TLS: &str = "COUNTERFOIL_TEST_TLS";
const QUERIES: &str = "COUNTERFOIL_TEST_QUERIES";

/// A service in a process of its own.
struct Service {
    folder: TempDir,
    child: Child,
    pg: SocketAddr,
}

/// What psql said.
struct Said {
    out: String,
    err: String,
    good: bool,
}

/// Not a test: the process of a [`Service`].
#[test]
#[ignore = "started by the other tests"]
fn serves() {
    let Some(ledger) = std::env::var_os(LEDGER) else { return };
    let tls = std::env::var_os(TLS).map(|folder| {
        let folder = PathBuf::from(folder);
        Tls { certificate: folder.join("cert.pem"), key: folder.join("key.pem"), client_authorities: None }
    });
    let any = "127.0.0.1:0".parse().expect("an address");
    let mut settings = Settings { listen: any, pg: Some(any), tls, ..Settings::default() };
    settings.drain_time = Duration::from_secs(3);
    if let Some(queries) = std::env::var(QUERIES).ok().and_then(|queries| queries.parse().ok()) {
        settings.queries_at_once = queries;
    }
    let served = Served::Ledger(PathBuf::from(&ledger), OpenOptions::default());
    counterfoil_server::run(served, settings, |announcement| {
        println!("\nserved at {}", announcement.pg.expect("an address"));
    })
    .expect("a service");
}

impl Service {
    fn start() -> Self {
        Self::start_with(&[])
    }

    fn start_with(told: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ledger");
        let mut create = CreateOptions::new("bank.example/pg").expect("an origin");
        create.segment_span = 1024;
        let ledger = Ledger::create(&path, create, OpenOptions::default()).expect("a ledger");
        let drafts = (0..ENTRIES).map(|number| {
            Draft::builder("model_decision", &format!("model-{}", number % 7), &format!("INV-{number:06}"))
                .context(serde_json::json!({"number": number, "text": "it's"}))
        });
        let drafts = drafts.map(|draft| draft.build().expect("a draft")).collect();
        ledger.append_batch(drafts).expect("recorded");
        ledger.close().expect("closed");
        let me = std::env::current_exe().expect("this test");
        let mut child = Command::new(me)
            .args(["pg::serves", "--exact", "--ignored", "--nocapture"])
            .env(LEDGER, &path)
            .envs(told.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let address = lines.find_map(|line| line.expect("text").strip_prefix("served at ").map(str::to_owned));
        let pg = address.expect("the service answers").parse().expect("an address");
        // What the process prints later must not stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { folder, child, pg }
    }

    fn tokens(&self) -> Tokens {
        Tokens::in_folder(&self.folder.path().join("ledger"))
    }

    fn token(&self, name: &str, role: Role) -> String {
        let new = NewToken { name: name.to_owned(), role, prefixes: Vec::new(), expires_at: None };
        self.tokens().create(new, "test", |_| Ok(())).expect("a token").0
    }

    fn reader(&self) -> String {
        self.token("reader", Role::Reader)
    }

    /// psql, with its commands one after another.
    fn psql(&self, token: &str, commands: &[&str]) -> Said {
        self.psql_at("audit", "disable", token, commands)
    }

    fn psql_at(&self, database: &str, sslmode: &str, token: &str, commands: &[&str]) -> Said {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-A", "-t", "-v", "VERBOSITY=verbose", "-U", "anyone", "-h", "127.0.0.1"]);
        psql.args(["-p", &self.pg.port().to_string(), database]);
        psql.args(commands.iter().flat_map(|command| ["-c", command]));
        let done = psql.env("PGPASSWORD", token).env("PGSSLMODE", sslmode).env("PGCONNECT_TIMEOUT", "20").output();
        let done = done.expect("these tests need psql 15 or later: apt-get install postgresql-client");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Said { out: text(done.stdout), err: text(done.stderr), good: done.status.success() }
    }

    /// What is recorded of one event type: the entries' contexts.
    fn recorded(&self, event_type: &str) -> String {
        let sql = format!("SELECT actor, outcome, reason, context FROM audit_log WHERE event_type = '{event_type}'");
        self.psql(&self.token("checker", Role::Reader), &[&sql]).out
    }

    /// A connection that is signed in, for bytes.
    fn bytes(&self, token: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.pg).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        let startup = [&196_608_i32.to_be_bytes()[..], b"user\0x\0database\0audit\0\0"].concat();
        stream.write_all(&(startup.len() as i32 + 4).to_be_bytes()).expect("written");
        stream.write_all(&startup).expect("written");
        stream.write_all(&message(b'p', &[token.as_bytes(), b"\0"].concat())).expect("written");
        read_until_ready(&mut stream);
        stream
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Said {
    /// That there was one error, with this SQLSTATE and text.
    #[track_caller]
    fn refuses(&self, code: &str, text: &str) {
        assert!(self.err.contains(code) && self.err.contains(text), "{code} {text:?}, but:\n{}{}", self.out, self.err);
    }

    /// That there was none, and this among the answer.
    #[track_caller]
    fn answers(&self, text: &str) {
        assert!(self.good && self.out.contains(text), "{text:?}, but:\n{}{}", self.out, self.err);
    }
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &(body.len() as i32 + 4).to_be_bytes(), body].concat()
}

/// Messages until the service waits for the next statement: their types and bodies.
fn read_until_ready(stream: &mut TcpStream) -> Vec<(u8, Vec<u8>)> {
    let mut messages = Vec::new();
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head).expect("a message");
        let length = u32::from_be_bytes(head[1..].try_into().expect("four bytes")) as usize;
        let mut body = vec![0; length - 4];
        stream.read_exact(&mut body).expect("a body");
        messages.push((head[0], body));
        if head[0] == b'Z' {
            return messages;
        }
    }
}

/// What comes until the service closes the connection.
fn read_to_the_end(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    String::from_utf8_lossy(&all).into_owned()
}

#[test]
fn psql_asks_and_describes() {
    let service = Service::start();
    let token = service.reader();
    let ask = |command: &str| service.psql(&token, &[command]);
    ask(r"\d audit_log").answers("timestamp|timestamp with time zone||not null|");
    ask(r"\d audit_log").answers("index|bigint||not null|");
    ask(r"\dt").answers("public|audit_log|table|");
    ask(r"\l").answers("audit|");
    assert!(!ask(r"\l").out.contains("\npostgres|"), "{}", ask(r"\l").out);
    ask(r"\dn").answers("public|");
    ask(r"\df").answers("");
    ask(r"\di").answers("");
    ask("SELECT entity_id FROM audit_log WHERE actor = 'model-3' ORDER BY index LIMIT 2")
        .answers("INV-000003\nINV-000010");
    ask("SELECT context->>'text' FROM audit_log WHERE entity_id = 'INV-000005'").answers("it's");
    ask("SELECT count(*) FROM audit_log WHERE timestamp BETWEEN '2020-01-01T00:00:00Z' AND now()").answers("20");
    ask("SELECT floor(extract(epoch from timestamp)/300)*300 AS time, count(*) FROM audit_log GROUP BY 1 ORDER BY 1")
        .answers("|");
    ask("SELECT count(*) FROM public.audit_log WHERE entity_id = ANY(ARRAY['INV-000001', 'INV-000002'])")
        .answers("2\n");
    ask("SELECT count(*) > 0 FROM audit_log WHERE now() - timestamp + interval '159 days' > interval '90 days'")
        .answers("t\n");
    ask("SELECT interval '1 day' = interval '24 hours', interval '1 month' > interval '30 days'").answers("t|f\n");
    ask("EXPLAIN SELECT count(*) FROM audit_log").answers("AggregateExec");
    ask("SELECT version()").answers("PostgreSQL 16.0 (counterfoil ");
    ask("SHOW server_version").answers("16.0 (counterfoil ");
    ask("SELECT current_user, current_database()").answers("reader|audit\n");
    ask("SELECT column_name FROM information_schema.columns WHERE data_type = 'bigint' ORDER BY 1").answers("index\n");
    ask("SELECT table_name FROM information_schema.tables").answers("audit_log\n");
    ask("BEGIN; SET application_name = 'x'; SELECT 1; SELECT 2; COMMIT").answers("BEGIN\nSET\n1\n2\nCOMMIT");
    // A timestamp as PostgreSQL writes it: to the microsecond, with its zone.
    let at = ask("SELECT timestamp FROM audit_log WHERE index = 5").out;
    assert!(at.trim_end().ends_with("+00") && at.contains(' '), "{at}");
}

#[test]
fn what_cannot_be_done_is_told_with_its_code() {
    let service = Service::start();
    let token = service.reader();
    let ask = |command: &str| service.psql(&token, &[command]);
    ask("INSERT INTO audit_log (actor) VALUES ('x')").refuses("25006", "SQL only reads this ledger");
    ask("DELETE FROM audit_log").refuses("25006", "DELETE");
    ask("DROP TABLE audit_log").refuses("25006", "DROP");
    ask("CREATE TABLE other (a int)").refuses("25006", "CREATE");
    ask("COPY audit_log TO STDOUT").refuses("25006", "COPY");
    ask("COPY audit_log FROM STDIN").refuses("25006", "COPY");
    ask("SELECT nope FROM audit_log").refuses("42703", "there is no column nope");
    ask("SELECT nope FROM audit_log").refuses("LINE 1", "SELECT nope");
    ask("SELECT * FROM other").refuses("42P01", "the only table is audit_log");
    ask("SELECT frobnicate(1)").refuses("42883", "there is no function frobnicate");
    ask("SELECT 1 +").refuses("42601", "syntax error");
    ask("SELECT repeat('x', 1000000000)").refuses("42883", "repeat");
    ask("SELECT array_repeat('x', 1000000000)").refuses("42883", "array_repeat");
    ask("SELECT $1").refuses("42P02", "prepared");
    ask("SELECT * FROM audit_log, pg_catalog.pg_class").refuses("0A000", "ask each on its own");
    ask("SELECT * FROM '/etc/passwd'").refuses("42P01", "there is no table");
    ask("SET TimeZone = 'Europe/Berlin'").refuses("22023", "AT TIME ZONE");
    ask("SET datafusion.execution.batch_size = 1").refuses("42704", "there is no setting");
    ask("LISTEN something").refuses("0A000", "LISTEN");
    ask("BEGIN; SELECT nope FROM audit_log; SELECT 1").refuses("42703", "nope");
    let said = service.psql(&token, &["BEGIN", "SELECT nope FROM audit_log", "SELECT 1", "ROLLBACK", "SELECT 17"]);
    said.refuses("25P02", "only ROLLBACK");
    assert!(said.out.contains("17"), "{}", said.out);
}

#[test]
fn only_who_may_read_comes_in() {
    let service = Service::start();
    let reader = service.reader();
    service.psql("cf_wrong", &["SELECT 1"]).refuses("FATAL", "no valid token");
    service.psql("", &["SELECT 1"]).refuses("", "no password supplied");
    service.psql(&service.token("feed", Role::Writer), &["SELECT 1"]).refuses("FATAL", "feed is a writer");
    service.psql_at("other", "disable", &reader, &["SELECT 1"]).refuses("FATAL", "the one database is \"audit\"");
    let denied = service.recorded("ledger.access_denied");
    assert!(denied.contains("no valid token") && denied.contains("feed is a writer"), "{denied}");
    assert!(!denied.contains("cf_wrong"), "{denied}");

    let mut stream = service.bytes(&reader);
    stream.write_all(&message(b'Q', b"SELECT 1\0")).expect("written");
    assert!(read_until_ready(&mut stream).iter().any(|(kind, _)| *kind == b'D'));
    service.tokens().revoke("reader", "test", |_| Ok(())).expect("revoked");
    stream.write_all(&message(b'Q', b"SELECT 1\0")).expect("written");
    let end = read_to_the_end(&mut stream);
    assert!(end.contains("FATAL") && end.contains("28000") && end.contains("revoked"), "{end}");
}

#[test]
fn what_an_auditor_reads_is_recorded_first() {
    let service = Service::start();
    let auditor = service.token("eve", Role::Auditor);
    let sql = "SELECT count(*) FROM audit_log WHERE event_type = 'ledger.query_run' AND actor = 'eve'";
    assert_eq!(service.psql(&auditor, &[sql]).out.trim(), "1", "the query itself is among what it sees");
    service.psql(&auditor, &["SELECT relname FROM pg_class"]).answers("audit_log");
    let recorded = service.recorded("ledger.query_run");
    assert!(recorded.contains("eve") && recorded.contains("\"form\":\"postgresql\""), "{recorded}");
    assert_eq!(recorded.lines().count(), 1, "names and types are no entries: {recorded}");
}

#[test]
fn tls_where_the_service_has_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-keyout", &path("key.pem"), "-out", &path("cert.pem")])
        .output()
        .expect("this test needs openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let service = Service::start_with(&[(TLS, &folder.path().to_string_lossy())]);
    let token = service.reader();
    service.psql_at("audit", "require", &token, &[r"\conninfo"]).answers("SSL connection (protocol: TLSv1.3");
    service.psql_at("audit", "disable", &token, &["SELECT 1"]).refuses("FATAL", "sslmode=require");
    // What stands behind the request for TLS before its handshake was not encrypted.
    let mut stream = TcpStream::connect(service.pg).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    let request = [8_i32.to_be_bytes(), 80_877_103_i32.to_be_bytes()].concat();
    let startup = [&[0, 0, 0, 41][..], &196_608_i32.to_be_bytes(), b"user\0x\0database\0audit\0\0"].concat();
    stream.write_all(&[request, startup].concat()).expect("written");
    let answer = read_to_the_end(&mut stream);
    assert!(answer.starts_with('S') && !answer.contains('R'), "{answer:?}");
}

#[test]
fn cancelled_and_left_queries_end() {
    let service = Service::start_with(&[(QUERIES, "1")]);
    let token = service.reader();
    let endless = b"SELECT count(*) FROM audit_log a, audit_log b, audit_log c, audit_log d\0";
    let mut stream = service.bytes(&token);
    let mut other = service.bytes(&token);
    stream.write_all(&message(b'Q', endless)).expect("written");
    std::thread::sleep(Duration::from_secs(1));
    other.write_all(&message(b'Q', b"SELECT count(*) FROM audit_log\0")).expect("written");
    let busy = read_until_ready(&mut other);
    let (_, error) = busy.iter().find(|(kind, _)| *kind == b'E').expect("an error");
    assert!(String::from_utf8_lossy(error).contains("53300"), "{}", String::from_utf8_lossy(error));
    // The client leaves; its place is free soon.
    drop(stream);
    let free = Instant::now();
    while !service.psql(&token, &["SELECT count(*) FROM audit_log"]).good {
        assert!(free.elapsed() < Duration::from_secs(10), "the query goes on without its client");
        std::thread::sleep(Duration::from_millis(100));
    }
    // psql cancels by a request of its own when it is interrupted.
    let began = Instant::now();
    let endless = "SELECT count(*) FROM audit_log a, audit_log b, audit_log c, audit_log d";
    let mut psql = Command::new("psql");
    psql.args(["-X", "-v", "VERBOSITY=verbose", "-h", "127.0.0.1", "-U", "x", "-c", endless, "-p"]);
    psql.args([&service.pg.port().to_string(), "audit"]).env("PGPASSWORD", &token);
    let psql = psql.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("psql");
    std::thread::sleep(Duration::from_secs(1));
    let interrupted = Command::new("kill").args(["-INT", &psql.id().to_string()]).status().expect("kill");
    assert!(interrupted.success());
    let said = String::from_utf8(psql.wait_with_output().expect("ended").stderr).expect("UTF-8");
    assert!(said.contains("57014"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(10));
    service.psql(&token, &["SET statement_timeout = '300ms'", endless]).refuses("57014", "time limit reached");
}

#[test]
fn questions_about_the_catalog_end_within_limits_and_hold_up_nobody() {
    let service = Service::start();
    let token = service.reader();
    std::thread::scope(|scope| {
        let bombs = [
            "SELECT count(*) FROM generate_series(1, 100000000000)",
            "SELECT count(*) FROM pg_attribute a, pg_attribute b, pg_attribute c, pg_attribute d",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
            "SELECT array_agg(x) FROM generate_series(1, 100000000000) t(x)",
        ];
        for bomb in bombs {
            let (service, token) = (&service, &token);
            scope.spawn(move || service.psql(token, &[bomb]).refuses("57014", "limit reached"));
        }
        std::thread::sleep(Duration::from_secs(2));
        let began = Instant::now();
        service.psql(&token, &["SELECT count(*) FROM audit_log WHERE actor = 'model-1'"]).answers("286");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    });
}

#[test]
fn bytes_that_no_client_sends() {
    let service = Service::start();
    let token = service.reader();
    let ends = |bytes: &[u8], code: &str| {
        let mut stream = service.bytes(&token);
        stream.write_all(bytes).expect("written");
        let end = read_to_the_end(&mut stream);
        assert!(end.contains("FATAL") && end.contains(code), "{bytes:?}: {end}");
    };
    ends(&[&b"Q"[..], &(1_i32 << 30).to_be_bytes(), b"SELECT"].concat(), "at most 1048576 are taken");
    ends(&[&b"Q"[..], &3_i32.to_be_bytes()].concat(), "08P01");
    ends(&message(b'B', b"\0\0\0\x01\0\0\0\x05"), "08P01");
    ends(&message(b'P', b"name\0SELECT 1\0\xff\xff"), "08P01");
    ends(&message(b'D', b"X\0"), "08P01");
    ends(&message(b'Q', b"\xff\0"), "22021");
    ends(&message(b'Q', b"SELECT 1"), "08P01");
    ends(&message(b'z', b""), "08P01");
    for bytes in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], &[0; 100], &[0xff; 100]] {
        let mut stream = TcpStream::connect(service.pg).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        stream.write_all(bytes).expect("written");
        read_to_the_end(&mut stream);
    }
    // After an error, everything up to Sync is passed over.
    let mut stream = service.bytes(&token);
    let messages = [
        message(b'P', b"\0SELECT nope FROM audit_log\0\0\0"),
        message(b'B', b"\0\0\0\0\0\0\0\0"),
        message(b'E', b"\0\0\0\0\0"),
        message(b'S', b""),
    ];
    stream.write_all(&messages.concat()).expect("written");
    let kinds: Vec<u8> = read_until_ready(&mut stream).iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == b'E').count(), 1, "{kinds:?}");
    // A statement as deep as is taken, and one that is deeper.
    let deep =
        |depth: usize| format!("SELECT count(*) FROM audit_log WHERE {}", vec!["actor = 'x'"; depth].join(" OR "));
    service.psql(&token, &[&deep(450)]).answers("0");
    service.psql(&token, &[&deep(1_100)]).refuses("54000", "at most 1000");
    service.psql(&token, &[&format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000))]).refuses("ERROR", "");
}

#[test]
fn a_service_that_ends_says_goodbye() {
    let mut service = Service::start();
    let token = service.reader();
    let mut idle = service.bytes(&token);
    let mut busy = service.bytes(&token);
    busy.write_all(&message(b'Q', b"SELECT count(*) FROM audit_log a, audit_log b, audit_log c, audit_log d\0"))
        .expect("written");
    std::thread::sleep(Duration::from_millis(500));
    let began = Instant::now();
    Command::new("kill").args(["-TERM", &service.child.id().to_string()]).status().expect("kill");
    let end = read_to_the_end(&mut idle);
    assert!(end.contains("57P01"), "{end}");
    assert!(began.elapsed() < Duration::from_secs(2), "an idle connection ends at once");
    assert!(service.child.wait().expect("ended").success());
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}
