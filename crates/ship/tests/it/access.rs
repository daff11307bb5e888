//! Who asks Google's and Azure's stores, and whom they believe to be the store.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use counterfoil::{Error, ErrorKind};
use counterfoil_ship::{Bucket, Settings};
use tempfile::TempDir;

use crate::cloud::{self, Cloud};

/// A store that remembers the heads of requests and knows nothing but a token.
struct Recorder {
    endpoint: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Recorder {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = heads.clone();
        std::thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && client.read_exact(&mut byte).is_ok() {
                    head.push(byte[0]);
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let (status, body) = match head.contains("/token ") {
                    true => ("200 OK", r#"{"access_token":"given","expires_in":3600,"token_type":"Bearer"}"#),
                    false => ("404 Not Found", ""),
                };
                seen.lock().unwrap().push(head);
                let answer =
                    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
                let _ = client.write_all(answer.as_bytes());
            }
        });
        Self { endpoint, heads }
    }

    /// The head of the last request that looks for a copy with these variables.
    fn asked(&self, place: &str, variables: &[(&str, &str)]) -> String {
        let refused = look(place, &settings(variables));
        assert_eq!(refused.kind, ErrorKind::NotFound, "{refused}");
        self.heads.lock().unwrap().last().expect("a request").clone()
    }
}

fn settings(variables: &[(&str, &str)]) -> Settings {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn look(place: &str, settings: &Settings) -> Error {
    match Bucket::open(&place.parse().unwrap(), settings) {
        Ok(_) => panic!("{place} has no copy"),
        Err(error) => error,
    }
}

const GCS: &str = "gs://audit/one";
const AZURE: &str = "az://audit/one";

#[test]
fn google_is_asked_with_a_token_of_the_service_account_and_an_emulator_with_none() {
    let store = Recorder::start();
    let folder = TempDir::new().unwrap();
    let key = folder.path().join("key.pem");
    let made = Command::new("openssl").args(["genpkey", "-algorithm", "RSA", "-out"]).arg(&key).output().unwrap();
    assert!(made.status.success(), "openssl makes a key");
    let account = serde_json::json!({
        "type": "service_account", "client_email": "audit@example.com", "private_key_id": "1",
        "private_key": std::fs::read_to_string(&key).unwrap(),
    });
    let file = folder.path().join("account.json");
    std::fs::write(&file, account.to_string()).unwrap();
    for variable in ["GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT"] {
        let head = store.asked(GCS, &[("GOOGLE_BASE_URL", &store.endpoint), (variable, file.to_str().unwrap())]);
        assert!(head.starts_with("GET /storage/v1/b/audit/o?versions=true&"), "{head}");
        assert!(head.contains("authorization: Bearer ey"), "{variable}: {head}");
    }
    let head = store.asked(GCS, &[("STORAGE_EMULATOR_HOST", store.endpoint.trim_start_matches("http://"))]);
    assert!(!head.contains("authorization"), "{head}");
    let wrong = look(GCS, &settings(&[("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere.json")]));
    assert!(wrong.kind == ErrorKind::Invalid && wrong.message.contains("nowhere"), "{wrong}");
}

#[test]
fn azure_is_asked_with_a_key_a_token_a_shared_signature_or_an_identity() {
    let store = Recorder::start();
    let asked = |more: &[(&str, &str)]| {
        let all = [("AZURE_STORAGE_ACCOUNT_NAME", "bank"), ("AZURE_STORAGE_ENDPOINT", store.endpoint.as_str())];
        store.asked(AZURE, &[&all, more].concat())
    };
    let head = asked(&[("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")]);
    assert!(head.starts_with("GET /audit?restype=container&comp=list&include=versions&"), "{head}");
    assert!(head.contains("authorization: SharedKey bank:"), "{head}");
    assert!(asked(&[("AZURE_STORAGE_KEY", "a2V5")]).contains("authorization: SharedKey bank:"));
    assert!(asked(&[("AZURE_STORAGE_TOKEN", "mine")]).contains("authorization: Bearer mine"));
    let head = asked(&[("AZURE_STORAGE_SAS_TOKEN", "sv=2026-02-06&sp=rl&sig=abc%3D")]);
    assert!(head.lines().next().unwrap().contains("sig=abc%3D") && !head.contains("authorization"), "{head}");
    let identity = [
        ("AZURE_AUTHORITY_HOST", store.endpoint.as_str()),
        ("AZURE_CLIENT_ID", "me"),
        ("AZURE_CLIENT_SECRET", "secret"),
        ("AZURE_TENANT_ID", "tenant"),
    ];
    let head = asked(&identity);
    assert!(head.contains("authorization: Bearer given") && head.contains("x-ms-version: 2026-02-06"), "{head}");
    let refused = look(AZURE, &settings(&[]));
    assert!(refused.kind == ErrorKind::Invalid && refused.message.contains("AZURE_STORAGE_ACCOUNT_NAME"), "{refused}");
}

#[test]
fn a_wrong_key_is_denied_by_azurite() {
    let Some(cloud) = Cloud::azure() else { return };
    let endpoint = cloud.environment()[0].1.clone();
    let wrong = [("AZURITE_BLOB_STORAGE_URL", endpoint.as_str()), ("AZURE_STORAGE_ACCOUNT_KEY", "d3Jvbmc=")];
    assert_eq!(look(AZURE, &settings(&wrong)).kind, ErrorKind::Denied);
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether a store is believed with and without its certificate among the authorities; it has no bucket yet.
fn is_believed_with(authorities: &str, place: &str, variables: &[(&str, &str)], certificate: &Path) {
    let with: Vec<_> = variables.iter().copied().chain([(authorities, certificate.to_str().unwrap())]).collect();
    let start = Instant::now();
    loop {
        let refused = look(place, &settings(&with));
        if refused.kind == ErrorKind::NotFound {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{refused}");
        std::thread::sleep(Duration::from_millis(200));
    }
    let refused = look(place, &settings(variables));
    assert!(refused.kind == ErrorKind::Unavailable && refused.message.contains("certificate"), "{refused}");
    let nothing = [variables, &[(authorities, "/nowhere.pem")]].concat();
    assert!(look(place, &settings(&nothing)).message.contains(authorities));
}

#[test]
fn a_store_is_believed_with_its_authority_alone() {
    let folder = TempDir::new().unwrap();
    let (key, certificate) = (folder.path().join("key.pem"), folder.path().join("certificate.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let port =
        || TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap().port().to_string();
    let start = |mut command: Command| {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Server(command.spawn().unwrap())
    };
    if let Some(program) = cloud::gcs_program() {
        let (port, mut command) = (port(), Command::new(program));
        command.args(["-scheme", "https", "-host", "127.0.0.1", "-backend", "memory", "-port", &port]);
        command.arg("-cert-location").arg(&certificate).arg("-private-key-location").arg(&key);
        let _server = start(command);
        let endpoint = format!("https://127.0.0.1:{port}");
        is_believed_with("GOOGLE_CA_BUNDLE", GCS, &[("STORAGE_EMULATOR_HOST", &endpoint)], &certificate);
    }
    if let Some(program) = cloud::azure_program() {
        let (port, mut command) = (port(), Command::new(program));
        command.args(["--blobHost", "127.0.0.1", "--blobPort", &port, "--disableTelemetry", "--silent"]);
        command.arg("--location").arg(folder.path()).arg("--cert").arg(&certificate).arg("--key").arg(&key);
        let _server = start(command);
        let endpoint = format!("https://127.0.0.1:{port}");
        is_believed_with("AZURE_CA_BUNDLE", AZURE, &[("AZURITE_BLOB_STORAGE_URL", &endpoint)], &certificate);
    }
}
