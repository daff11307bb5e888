//! Receivers, started for one test each; and a gate in front of one, for outages.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tempfile::TempDir;

use crate::trail::wait_for;

/// A program that ends with the test.
pub struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Says that something is missing; in CI that is an error.
fn missing(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "{what}");
    eprintln!("skipped: {what}");
}

fn double(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doubles").join(name)
}

/// The Python environment of the doubles.
fn python() -> Option<PathBuf> {
    let folder = std::env::var_os("PYENVS").map(PathBuf::from);
    let folder = folder.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache/counterfoil")))?;
    let python = folder.join("py-sinks/bin/python");
    if !python.exists() {
        let how = "scripts/pyenv.sh ~/.cache/counterfoil/py-sinks crates/sink/tests/doubles/requirements.txt";
        missing(&format!("no Python environment for the receivers: {how}"));
        return None;
    }
    Some(python)
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

fn spawn(command: &mut Command, port: u16) -> Process {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let process = Process(child.expect("the receiver starts"));
    wait_for("the receiver comes up", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    process
}

/// Asks a server of ours over HTTP/1.0.
pub fn get(port: u16, path: &str) -> Value {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("the receiver is up");
    socket.write_all(format!("GET {path} HTTP/1.0\r\nhost: x\r\n\r\n").as_bytes()).expect("it listens");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("it answers");
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (_, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    serde_json::from_str(body).expect("JSON")
}

/// Splunk's collector, PagerDuty, Slack and a free webhook.
pub struct HttpSinks {
    _process: Process,
    pub port: u16,
}

impl HttpSinks {
    pub fn start(options: &[&str]) -> Option<Self> {
        let (python, port) = (python()?, free_port());
        let mut command = Command::new(python);
        let process = spawn(command.arg(double("http_sinks.py")).arg(port.to_string()).args(options), port);
        Some(Self { _process: process, port })
    }

    /// What came, of one kind.
    pub fn received(&self, kind: &str) -> Vec<Value> {
        let all = get(self.port, "/_received");
        all.as_array().expect("a list").iter().filter(|one| one["kind"] == kind).cloned().collect()
    }

    /// The bodies of a free webhook's messages.
    pub fn hooks(&self) -> Vec<Value> {
        let body = |one: &Value| serde_json::from_str(one["body"].as_str().expect("a text")).expect("JSON");
        self.received("hook").iter().map(body).collect()
    }
}

/// A mail server whose box can be read.
pub struct Smtp {
    _process: Process,
    _certificates: TempDir,
    pub ca: PathBuf,
    pub port: u16,
    http: u16,
}

impl Smtp {
    /// With STARTTLS and a password, or without both.
    pub fn start(secure: bool) -> Option<Self> {
        Self::start_with(secure, &[])
    }

    /// With TLS from the first byte, and a password.
    pub fn start_implicit() -> Option<Self> {
        Self::start_with(true, &["--implicit"])
    }

    fn start_with(secure: bool, options: &[&str]) -> Option<Self> {
        let (python, port, http) = (python()?, free_port(), free_port());
        let certificates = certificates();
        let path = |name: &str| certificates.path().join(name);
        let mut command = Command::new(python);
        command.arg(double("smtp_sink.py")).args([port.to_string(), http.to_string()]);
        if secure {
            command.args(["--auth", "counterfoil:a password"]).arg("--tls").args([path("srv.pem"), path("srv.key")]);
        }
        command.args(options);
        let process = spawn(&mut command, port);
        wait_for("the mail box comes up", || TcpStream::connect(("127.0.0.1", http)).is_ok());
        Some(Self { _process: process, ca: path("ca.pem"), _certificates: certificates, port, http })
    }

    pub fn messages(&self) -> Vec<Value> {
        get(self.http, "/messages").as_array().expect("a list").clone()
    }
}

fn certificates() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let made = Command::new(double("certificates.sh")).arg(folder.path()).status().expect("bash and openssl");
    assert!(made.success(), "openssl makes certificates");
    folder
}

/// rsyslog.
pub struct Rsyslog {
    process: Option<Process>,
    folder: TempDir,
    pub tls_port: u16,
    pub port: u16,
}

impl Rsyslog {
    pub fn start() -> Option<Self> {
        let is_there = Path::new("/usr/sbin/rsyslogd").exists() && has_tls();
        if !is_there {
            missing("no rsyslog with TLS: apt-get install rsyslog rsyslog-openssl");
            return None;
        }
        let folder = TempDir::new().expect("a folder");
        let mut server = Self { process: None, folder, tls_port: free_port(), port: free_port() };
        server.restart();
        Some(server)
    }

    /// Shoots it, and starts it again.
    pub fn restart(&mut self) {
        self.process = None;
        let ports = [self.tls_port.to_string(), self.port.to_string()];
        let mut command = Command::new(double("rsyslog.sh"));
        self.process = Some(spawn(command.arg(self.folder.path()).args(ports), self.tls_port));
    }

    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("out.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// The messages' own JSON.
    pub fn messages(&self) -> Vec<Value> {
        let body = |line: &Value| {
            let text = line["msg"].as_str().expect("a text").trim_start();
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
        };
        self.lines().iter().map(body).collect()
    }
}

fn has_tls() -> bool {
    let places = ["/usr/lib/x86_64-linux-gnu/rsyslog", "/usr/lib/aarch64-linux-gnu/rsyslog", "/usr/lib64/rsyslog"];
    places.iter().any(|place| Path::new(place).join("lmnsd_ossl.so").exists())
}

/// moto: AWS in small.
pub struct Moto {
    _process: Process,
    pub port: u16,
}

impl Moto {
    pub fn start() -> Option<Self> {
        let (python, port) = (python()?, free_port());
        let mut command = Command::new(python.with_file_name("moto_server"));
        let process = spawn(command.args(["-H", "127.0.0.1", "-p", &port.to_string()]), port);
        Some(Self { _process: process, port })
    }

    /// Everything in a stream, read by another client.
    pub fn events(&self) -> Vec<Value> {
        let python = python().expect("it was there");
        let code = "import boto3,json,sys\nc=boto3.client('logs',region_name='eu-central-1',endpoint_url=sys.argv[1],\
                    aws_access_key_id='test',aws_secret_access_key='test')\nout=[];t=None\nwhile True:\n \
                    k={'nextToken':t} if t else {}\n r=c.get_log_events(logGroupName='audit',logStreamName='main',\
                    startFromHead=True,**k)\n out+=r['events']\n if r['nextForwardToken']==t or not r['events']: break\n \
                    t=r['nextForwardToken']\nprint(json.dumps([json.loads(e['message']) for e in out]))";
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let output = Command::new(python).args(["-c", code, &endpoint]).output().expect("Python runs");
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }
}

/// Prometheus Alertmanager.
pub struct Alertmanager {
    _process: Process,
    _folder: TempDir,
    pub port: u16,
}

impl Alertmanager {
    pub fn start() -> Option<Self> {
        let path = std::env::var_os("PATH")?;
        let found =
            std::env::split_paths(&path).map(|folder| folder.join("prometheus-alertmanager")).find(|at| at.exists());
        let Some(program) = found else {
            missing("no Alertmanager: apt-get install prometheus-alertmanager");
            return None;
        };
        let (folder, port) = (TempDir::new().expect("a folder"), free_port());
        let config = folder.path().join("alertmanager.yml");
        std::fs::write(&config, "route:\n  receiver: none\nreceivers:\n  - name: none\n").expect("it is written");
        let mut command = Command::new(program);
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.path={}", folder.path().display()));
        command.args([&format!("--web.listen-address=127.0.0.1:{port}"), "--cluster.listen-address="]);
        Some(Self { _process: spawn(&mut command, port), _folder: folder, port })
    }

    pub fn alerts(&self) -> Vec<Value> {
        get(self.port, "/api/v2/alerts").as_array().expect("a list").clone()
    }
}

/// A door in front of a port: while it is shut, nobody gets in and who is in is thrown out.
pub struct Gate {
    pub port: u16,
    is_open: Arc<AtomicBool>,
    inside: Arc<Mutex<Vec<TcpStream>>>,
}

impl Gate {
    pub fn new(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let is_open = Arc::new(AtomicBool::new(true));
        let inside = Arc::new(Mutex::new(Vec::new()));
        let (open, streams) = (is_open.clone(), inside.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if open.load(Ordering::SeqCst) {
                    let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else { continue };
                    let ends = [client.try_clone(), server.try_clone()];
                    streams.lock().expect("no panic").extend(ends.into_iter().flatten());
                    pump(&client, &server);
                    pump(&server, &client);
                }
            }
        });
        Self { port, is_open, inside }
    }

    pub fn set_open(&self, open: bool) {
        self.is_open.store(open, Ordering::SeqCst);
        for stream in self.inside.lock().expect("no panic").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn pump(from: &TcpStream, to: &TcpStream) {
    let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else { return };
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}

/// Lines of a file, as JSON.
pub fn json_lines(path: &Path) -> Vec<Value> {
    let Ok(file) = std::fs::File::open(path) else { return Vec::new() };
    BufReader::new(file).lines().map_while(Result::ok).map(|line| serde_json::from_str(&line).expect("JSON")).collect()
}
