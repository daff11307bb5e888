//! A real PostgreSQL of the test's own, and a ledger beside it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use counterfoil::{CreateOptions, Ledger, OpenOptions};
use counterfoil_postgres::{
    CheckOptions, Checked, Connection, Dsn, Finding, Followed, Options, Patience, check, follow, install,
};

/// The folder of PostgreSQL's programs, in the PATH or where Debian puts the newest version; none where it is not installed.
/// In CI it must be.
pub fn programs() -> Option<PathBuf> {
    let mut debian: Vec<_> = std::fs::read_dir("/usr/lib/postgresql").map_or_else(
        |_| Vec::new(),
        |versions| versions.filter_map(|version| Some(version.ok()?.path().join("bin"))).collect(),
    );
    debian.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    // A wrapper in the PATH has no server beside it.
    let whole =
        |folder: &PathBuf| ["initdb", "pg_ctl", "postgres", "psql"].iter().all(|name| folder.join(name).exists());
    let found = std::env::split_paths(&path).chain(debian.into_iter().rev()).find(whole);
    if found.is_none() {
        let how = "PostgreSQL 15 or later is missing: make deps, or apt-get install postgresql";
        assert!(std::env::var_os("CI").is_none(), "{how}");
        eprintln!("left out: {how}");
    }
    found
}

/// A server that ends with the test.
pub struct Server {
    programs: PathBuf,
    folder: tempfile::TempDir,
    pub port: u16,
}

impl Server {
    /// Starts one; none where it cannot be had.
    pub fn start(settings: &str) -> Option<Self> {
        let programs = programs()?;
        let folder = tempfile::tempdir().expect("a folder");
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let server = Self { programs, folder, port };
        let path = server.folder.path();
        Command::new("chmod").arg("777").arg(path).status().expect("chmod");
        let data = server.data();
        server.run(
            "initdb",
            &["-D", &data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"],
        );
        let socket = path.display();
        let text = format!(
            "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{socket}'\nshared_buffers = 64MB\n{settings}\n"
        );
        let configuration = path.join("test.conf");
        std::fs::write(&configuration, text).expect("a file");
        server.shell(&format!("cat {} >>{data}/postgresql.conf", configuration.display()));
        server.up();
        Some(server)
    }

    pub fn replicating() -> Option<Self> {
        Self::start("wal_level = logical\nmax_replication_slots = 8\nmax_wal_senders = 8")
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    pub fn up(&self) {
        let log = self.folder.path().join("log").display().to_string();
        self.run("pg_ctl", &["-D", &self.data(), "-l", &log, "-w", "-t", "60", "start"]);
    }

    pub fn down(&self, mode: &str) {
        self.run("pg_ctl", &["-D", &self.data(), "-m", mode, "-w", "stop"]);
    }

    /// Copies one folder of the server over another.
    pub fn copy(&self, from: &str, to: &str) {
        let path = self.folder.path().display();
        self.shell(&format!("rm -rf {path}/{to} && cp -a {path}/{from} {path}/{to}"));
    }

    /// Dumps the schema with pg_dump, edits the dump with sed, and puts it in the place of what is there.
    pub fn restore_edited_dump(&self, edit: &str) {
        let dump = format!(
            "{} -h 127.0.0.1 -p {} -U postgres -n counterfoil postgres",
            self.programs.join("pg_dump").display(),
            self.port
        );
        let file = self.path("dump.sql");
        self.shell(&format!("{dump} | sed '{edit}' >{file}"));
        self.sql("postgres", "DROP SCHEMA counterfoil CASCADE");
        let psql = self.programs.join("psql").display().to_string();
        self.shell(&format!(
            "{psql} -h 127.0.0.1 -p {} -U postgres -X -q -v ON_ERROR_STOP=1 -f {file} postgres",
            self.port
        ));
    }

    /// Runs a script in the server's data folder.
    pub fn in_data(&self, script: &str) {
        let file = self.folder.path().join("script.sh");
        std::fs::write(&file, script).expect("a file");
        self.shell(&format!("cd {} && sh {}", self.data(), file.display()));
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.programs.join(program).display().to_string();
        self.shell(&format!("{program} {}", arguments.join(" ")));
    }

    /// Runs as a user that PostgreSQL accepts.
    fn shell(&self, command: &str) {
        let is_root = Command::new("id").arg("-u").output().expect("id").stdout == b"0\n";
        let mut run = match is_root {
            true => {
                let mut run = Command::new("runuser");
                run.args(["-u", "postgres", "--", "sh", "-c", command]);
                run
            }
            false => {
                let mut run = Command::new("sh");
                run.args(["-c", command]);
                run
            }
        };
        let quiet = run.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(quiet.status().expect("a shell").success(), "{command}");
    }

    pub fn dsn(&self, user: &str) -> Dsn {
        Dsn::parse(&format!("postgres://{user}@127.0.0.1:{}/postgres", self.port)).expect("a DSN")
    }

    pub fn socket(&self, user: &str) -> Dsn {
        let folder = self.folder.path().display();
        Dsn::parse(&format!("postgres://{user}@x:{}/postgres?host={folder}", self.port)).expect("a DSN")
    }

    /// Runs statements with psql, as anybody would; its complaint where they fail.
    pub fn try_sql(&self, user: &str, sql: &str) -> Result<String, String> {
        let output = Command::new(self.programs.join("psql"))
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", user, "-d", "postgres", "-X", "-q", "-At"])
            .args(["-v", "ON_ERROR_STOP=1", "-c", sql])
            .stdin(Stdio::null())
            .output()
            .expect("psql runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    pub fn sql(&self, user: &str, sql: &str) -> String {
        self.try_sql(user, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Installs, and makes `app`, which may write, and `follower`, which may follow.
    pub fn installed(&self) {
        install(&mut Connection::open(&self.dsn("postgres"), &Patience::default()).expect("a connection"))
            .expect("installed");
        self.sql("postgres", "CREATE ROLE app LOGIN; GRANT counterfoil_writer TO app");
        self.sql("postgres", "CREATE ROLE follower LOGIN REPLICATION; GRANT counterfoil_reader TO follower");
    }

    /// Records so many acts, each in its own transaction.
    pub fn record(&self, first: u64, count: u64) {
        let acts = (first..first + count).map(|number| {
            format!("SELECT counterfoil.audit('payment_approved', 'P-{number}', 'maria', new => '{{\"amount\": {number}.25}}');")
        });
        assert!(self.run_script("app", "acts", &acts.collect::<Vec<_>>().join("\n")));
    }

    /// Runs a script with psql, statement by statement; whether all of it went well.
    pub fn run_script(&self, user: &str, name: &str, script: &str) -> bool {
        let file = self.folder.path().join(format!("{name}.sql"));
        std::fs::write(&file, script).expect("a file");
        let done = Command::new(self.programs.join("psql"))
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", user, "-d", "postgres", "-X", "-q"])
            .args(["-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status();
        done.expect("psql runs").success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::path::Path::new(&self.data()).join("postmaster.pid").exists() {
            self.down("immediate");
        }
        let data = self.data();
        self.shell(&format!("rm -rf {data} {}/backup", self.folder.path().display()));
    }
}

pub fn ledger(folder: &Path) -> Ledger {
    let options = CreateOptions::new("bank.example/audit").expect("an origin");
    Ledger::create(folder, options, OpenOptions::default()).expect("a ledger")
}

/// Moves what is there.
pub fn follow_once(dsn: &Dsn, ledger: &Ledger) -> Followed {
    try_follow_once(dsn, ledger, Options::default()).expect("followed")
}

pub fn try_follow_once(dsn: &Dsn, ledger: &Ledger, options: Options) -> counterfoil::Result<Followed> {
    let options = Options { once: true, ..options };
    follow(dsn, ledger, &options, &Patience::default(), &mut |_| ())
}

pub fn checked(dsn: &Dsn, ledger: &Ledger) -> (Checked, Vec<Finding>) {
    checked_with(dsn, ledger, &CheckOptions::default())
}

pub fn checked_with(dsn: &Dsn, ledger: &Ledger, options: &CheckOptions) -> (Checked, Vec<Finding>) {
    let mut findings = Vec::new();
    let checked = check(dsn, ledger, options, &Patience::default(), &mut |finding| {
        findings.push(finding);
        Ok(())
    });
    (checked.expect("checked"), findings)
}

/// A follower in a thread, until it is stopped.
pub struct Follower {
    patience: Patience,
    thread: JoinHandle<counterfoil::Result<Followed>>,
}

impl Follower {
    pub fn start(dsn: Dsn, ledger: &Arc<Ledger>, options: Options) -> Self {
        let patience = Patience::default();
        let (ledger, stopped) = (ledger.clone(), patience.clone());
        let thread = std::thread::spawn(move || follow(&dsn, &*ledger, &options, &stopped, &mut |_| ()));
        Self { patience, thread }
    }

    pub fn stop(self) -> Followed {
        self.patience.end();
        self.thread.join().expect("no panic").expect("followed")
    }
}

/// The rows that a ledger holds, in its order.
pub fn rows(ledger: &Ledger) -> Vec<String> {
    let snapshot = ledger.snapshot();
    let entries =
        (0..snapshot.size()).map(|index| String::from_utf8(snapshot.entry(index).expect("an entry")).unwrap());
    entries.filter(|entry| entry.contains("\"recorded_by\":\"")).collect()
}

/// Something between us and the server that can fall silent without closing.
pub struct Proxy {
    pub port: u16,
    silent: Arc<AtomicBool>,
}

impl Proxy {
    pub fn before(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let proxy = Self { port: listener.local_addr().expect("an address").port(), silent: Arc::default() };
        let (port, silent) = (server.port, proxy.silent.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(behind) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let both = || Some((client.try_clone().ok()?, behind.try_clone().ok()?));
                let (Some(out), Some(back)) = (both(), both()) else { continue };
                for (from, to) in [(out.0, out.1), (back.1, back.0)] {
                    let silent = silent.clone();
                    std::thread::spawn(move || Self::forward(from, to, &silent));
                }
            }
        });
        proxy
    }

    fn forward(mut from: TcpStream, mut to: TcpStream, silent: &AtomicBool) {
        let mut buffer = [0; 4_096];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            while silent.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(20));
            }
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Both);
    }

    /// Keeps all connections and forwards nothing any more, or goes on.
    pub fn fall_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
    }

    pub fn dsn(&self, user: &str) -> Dsn {
        Dsn::parse(&self.address(user)).expect("a DSN")
    }

    pub fn address(&self, user: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/postgres", self.port)
    }
}

pub fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
