//! The service under load: batches, single entries and health checks over keep-alive connections.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Arguments;
use crate::load::Load;

/// How long each load goes on.
const SECONDS: u64 = 6;

/// A service that runs on a ledger of its own.
pub(crate) struct Service {
    child: Child,
    address: String,
    token: String,
}

impl Service {
    fn start(binary: &Path, ledger: &Path) -> Self {
        Self::start_with(binary, ledger, &[])
    }

    /// The same with more arguments of `serve`.
    pub(crate) fn start_with(binary: &Path, ledger: &Path, more: &[&str]) -> Self {
        let run = |arguments: &[&str]| {
            let output = Command::new(binary).args(arguments).output().expect("the counterfoil binary runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).expect("text").trim().to_owned()
        };
        let folder = ledger.to_str().expect("a path in UTF-8");
        if !ledger.exists() {
            run(&["init", folder, "--origin", "bench.example/http"]);
        }
        let mut child = Command::new(binary)
            .args(["serve", folder, "--listen", "127.0.0.1:0", "--log", "error"])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the service starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let first = lines.next().expect("a first line").expect("text");
        let address = first.split("://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address").to_owned();
        let token = run(&["token", "create", folder, "--role", "admin", "--name", "bench"]);
        Self { child, address, token }
    }

    pub(crate) fn connect(&self) -> Connection {
        let stream = TcpStream::connect(&self.address).expect("the service accepts");
        stream.set_nodelay(true).expect("TCP");
        Connection { reader: BufReader::new(stream) }
    }

    pub(crate) fn request(&self, method: &str, path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
            self.token,
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        request
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection that is kept.
pub(crate) struct Connection {
    reader: BufReader<TcpStream>,
}

impl Connection {
    /// Sends a request and reads its answer whole.
    pub(crate) fn exchange(&mut self, request: &[u8], wanted: &str) {
        self.exchange_into(request, wanted, &mut std::io::sink());
    }

    /// The same; the answer's body goes into `out`.
    pub(crate) fn exchange_into(&mut self, request: &[u8], wanted: &str, out: &mut impl Write) {
        self.reader.get_mut().write_all(request).expect("the service reads");
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("an answer");
        assert!(line.contains(wanted), "{line}");
        let (mut length, mut chunked) = (0, false);
        loop {
            line.clear();
            self.reader.read_line(&mut line).expect("a header");
            let header = line.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length: ") {
                length = value.parse().expect("a length");
            }
            chunked |= header == "transfer-encoding: chunked";
        }
        if !chunked {
            return self.take(length, out);
        }
        loop {
            line.clear();
            self.reader.read_line(&mut line).expect("a chunk");
            let size = u64::from_str_radix(line.trim(), 16).expect("a size");
            self.take(size, out);
            self.take(2, &mut std::io::sink());
            if size == 0 {
                return;
            }
        }
    }

    fn take(&mut self, bytes: u64, out: &mut impl Write) {
        std::io::copy(&mut Read::by_ref(&mut self.reader).take(bytes), out).expect("a body");
    }
}

/// Batches of 1,000 of `entries` of a load, dealt out to four connections, and how many entries they hold.
pub(crate) fn dealt(service: &Service, arguments: &Arguments) -> (Vec<Vec<Vec<u8>>>, u64) {
    let mut load = Load::open(&arguments.path("load"), arguments.number("entries", 1_000_000)).preloaded();
    let mut requests: Vec<Vec<Vec<u8>>> = vec![Vec::new(); 4];
    let mut entries = 0;
    while let Some(batch) = load.batch(1_000) {
        entries += batch.lines().count() as u64;
        let at = requests.iter().enumerate().min_by_key(|(_, list)| list.len()).map_or(0, |(at, _)| at);
        requests[at].push(service.request("POST", "/api/v1/entries", "application/x-ndjson", batch.bytes()));
    }
    (requests, entries)
}

/// Batches of 1,000 over four connections: `entries`, `load`.
pub fn batches(arguments: &Arguments) -> Value {
    let service = Service::start(&arguments.path("binary"), &arguments.path("ledger"));
    let (requests, entries) = dealt(&service, arguments);
    let since = Instant::now();
    std::thread::scope(|scope| {
        for list in &requests {
            scope.spawn(|| {
                let mut connection = service.connect();
                list.iter().for_each(|request| connection.exchange(request, "201"));
            });
        }
    });
    let seconds = since.elapsed().as_secs_f64();
    json!({"entries": entries, "seconds": seconds, "entries_per_second": entries as f64 / seconds})
}

/// Single entries and health checks under 1, 16 and 64 connections.
pub fn singles(arguments: &Arguments) -> Value {
    let service = Service::start(&arguments.path("binary"), &arguments.path("ledger"));
    let entry = single(&service);
    let health = b"GET /healthz HTTP/1.1\r\nhost: bench\r\n\r\n".to_vec();
    let mut answer = json!({});
    for connections in [1, 16, 64] {
        answer[format!("entries_{connections}")] = hammer(&service, &entry, "201", connections);
        answer[format!("health_{connections}")] = hammer(&service, &health, "200", connections);
    }
    answer
}

/// Single entries alone, and while four readers ask and a verification runs; on a ledger that holds `load` already.
pub fn contention(arguments: &Arguments) -> Value {
    let service = Service::start(&arguments.path("binary"), &arguments.path("ledger"));
    let entry = single(&service);
    let alone = hammer(&service, &entry, "201", 16);
    let stop = AtomicBool::new(false);
    let sql = b"SELECT event_type, count(*) FROM audit_log GROUP BY 1";
    let query = service.request("POST", "/api/v1/query", "application/sql", sql);
    let list = service.request("GET", "/api/v1/entries?actor_type=user", "", b"");
    let beside = std::thread::scope(|scope| {
        for request in [&query, &list, &list, &query] {
            scope.spawn(|| {
                let mut connection = service.connect();
                while !stop.load(Ordering::Relaxed) {
                    connection.exchange(request, "200");
                }
            });
        }
        service.connect().exchange(&service.request("POST", "/api/v1/verification", "", b""), "202");
        let beside = hammer(&service, &entry, "201", 16);
        stop.store(true, Ordering::Relaxed);
        beside
    });
    json!({"alone": alone, "beside_readers_and_verification": beside})
}

fn single(service: &Service) -> Vec<u8> {
    let entry = br#"{"event_type":"invoice_approved","actor":"invoice-bot-7","actor_type":"ai_agent","entity_id":"INV-204177","entity_type":"invoice","old_value":{"status":"pending"},"new_value":{"status":"approved"},"outcome":"success","context":{"model_version":"invoice-match-2.11.0","confidence":0.97,"amount":"1249.00","currency":"EUR"}}"#;
    service.request("POST", "/api/v1/entries", "application/json", entry)
}

/// Sends a request again and again on each connection; the rate and the latencies.
fn hammer(service: &Service, request: &[u8], wanted: &str, connections: usize) -> Value {
    let since = Instant::now();
    let end = since + Duration::from_secs(SECONDS);
    let mut latencies_us: Vec<u64> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..connections)
            .map(|_| {
                scope.spawn(|| {
                    let mut connection = service.connect();
                    let mut latencies = Vec::new();
                    while Instant::now() < end {
                        let since = Instant::now();
                        connection.exchange(request, wanted);
                        latencies.push(since.elapsed().as_micros() as u64);
                    }
                    latencies
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().expect("a client")).collect()
    });
    let seconds = since.elapsed().as_secs_f64();
    latencies_us.sort_unstable();
    let at = |share: f64| latencies_us[((latencies_us.len() - 1) as f64 * share) as usize];
    json!({
        "requests": latencies_us.len(),
        "requests_per_second": latencies_us.len() as f64 / seconds,
        "p50_us": at(0.5), "p90_us": at(0.9), "p99_us": at(0.99), "p999_us": at(0.999),
    })
}
