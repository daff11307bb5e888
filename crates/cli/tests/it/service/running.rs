//! A service that runs, and a plain HTTP client that can also misbehave.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::place::Place;

/// How long a test waits for what has to happen.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Running {
    pub place: Place,
    child: Child,
    /// Where HTTP is answered.
    pub address: String,
    /// Where OTLP over gRPC is answered, if anywhere.
    pub grpc: Option<String>,
    /// The one-time link.
    pub sign_in: String,
    /// What it said on standard output.
    pub said: String,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Running {
    /// Serves a fresh ledger on ports of its own.
    pub fn start() -> Running {
        Running::start_with(&[])
    }

    pub fn start_with(arguments: &[&str]) -> Running {
        let place = Place::new();
        place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
        Running::on(place, arguments)
    }

    /// Serves the ledger `audit` of a place.
    pub fn on(place: Place, arguments: &[&str]) -> Running {
        Running::serve(place, "audit", arguments)
    }

    /// Serves what an argument names, from a place.
    pub fn serve(place: Place, ledger: &str, arguments: &[&str]) -> Running {
        let mut command = place.command(&["serve", ledger, "--listen", "127.0.0.1:0", "--print-link"]);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(std::fs::File::create(place.path("service.log")).unwrap());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut sign_in, mut grpc, mut said) = (None, None, String::new());
        for line in &mut lines {
            let line = line.unwrap();
            said.push_str(&line);
            said.push('\n');
            let last = line.split_whitespace().last().unwrap_or_default().to_owned();
            match line.split_whitespace().next() {
                Some("console" | "session") => sign_in = Some(last),
                Some("OTLP") => grpc = Some(last),
                Some("tokens") => break,
                _ => {}
            }
        }
        let log = || std::fs::read_to_string(place.path("service.log")).unwrap();
        let sign_in = sign_in.unwrap_or_else(|| panic!("the service did not start: {}", log()));
        let address = sign_in.split("://").nth(1).unwrap().split('/').next().unwrap().to_owned();
        Running { place, child, address, grpc, sign_in, said }
    }

    /// A token of this role, for a principal of the same name.
    pub fn token(&self, role: &str) -> String {
        self.place.ok(&["token", "create", "audit", "--role", role]).trim().to_owned()
    }

    pub fn get(&self, token: &str, path: &str) -> Answer {
        self.call("GET", path, &[("authorization", &format!("Bearer {token}"))], b"")
    }

    pub fn post(&self, token: &str, path: &str, content_type: &str, body: impl AsRef<[u8]>) -> Answer {
        let bearer = format!("Bearer {token}");
        self.call("POST", path, &[("authorization", &bearer), ("content-type", content_type)], body.as_ref())
    }

    /// Records entries given as JSON lines; their receipts.
    pub fn record(&self, token: &str, lines: &str) -> Vec<Value> {
        let answer = self.post(token, "/api/v1/entries", "application/x-ndjson", lines).expect(201);
        answer.json()["receipts"].as_array().unwrap().clone()
    }

    pub fn query(&self, token: &str, sql: &str) -> Value {
        self.post(token, "/api/v1/query", "application/sql", sql).expect(200).json()["rows"].clone()
    }

    pub fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        let mut stream = self.connect();
        // A service that refuses early does not read everything.
        let _ = stream.write_all(request.as_bytes()).and_then(|()| stream.write_all(body));
        Answer::read(stream)
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.place.path("service.log")).unwrap()
    }

    /// Most memory that it ever had, in MiB.
    pub fn peak_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    }

    /// One of its measurements.
    pub fn metric(&self, token: &str, name: &str) -> f64 {
        let text = self.get(token, "/metrics").expect(200);
        let line = text.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    /// The ledger's own entries of a type, once it has ended.
    pub fn acts(self, event_type: &str) -> Vec<Value> {
        let sql = format!(
            "SELECT actor, entity_id, reason, context FROM audit_log WHERE event_type = '{event_type}' ORDER BY index"
        );
        let (place, _) = self.end();
        place.json(&["query", "audit", &sql, "--format", "json"]).as_array().unwrap().clone()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as an operator does; the place it ran in, and its exit code.
    pub fn end(mut self) -> (Place, Option<i32>) {
        signal("TERM", self.child.id());
        let status = self.child.wait().unwrap();
        (std::mem::replace(&mut self.place, Place::new()), status.code())
    }

    /// Kills it.
    pub fn kill(mut self) -> Place {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.place, Place::new())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap().success());
}

/// Asks again and again until the answer is there.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(since.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Answer {
    fn read(stream: TcpStream) -> Answer {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {line:?}")).parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        let mut rest = Vec::new();
        // A connection that is cut leaves what came before.
        let _ = reader.read_to_end(&mut rest);
        answer.body = match answer.header("transfer-encoding") {
            Some("chunked") => unchunked(&rest),
            _ => rest,
        };
        answer
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }

    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    /// A problem document of this status and kind, whose detail says all of this.
    pub fn problem(self, status: u16, kind: &str, said: &[&str]) -> Value {
        let answer = self.expect(status);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let problem = answer.json();
        assert_eq!(problem["kind"], kind, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(problem["type"], format!("urn:counterfoil:problem:{kind}"), "{problem}");
        for part in said {
            assert!(problem["detail"].as_str().unwrap().contains(part), "{part:?} is not in {problem}");
        }
        problem
    }
}

/// The content of a chunked body, as far as it came.
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let Ok(size) = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16) else { break };
        let from = end + 2;
        if size == 0 || rest.len() < from + size {
            break;
        }
        body.extend_from_slice(&rest[from..from + size]);
        rest = &rest[(from + size + 2).min(rest.len())..];
    }
    body
}
