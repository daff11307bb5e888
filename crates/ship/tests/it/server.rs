//! versitygw: an S3 server with versions and Object Lock on a folder, started for one test.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use counterfoil_ship::{Location, Settings};
use sha2::Digest;
use tempfile::TempDir;

pub const BUCKET: &str = "audit";
const KEY: &str = "test";
const SECRET: &str = "test-secret";

/// A server with a bucket.
pub struct Server {
    child: Child,
    folder: TempDir,
    port: u16,
    /// Whether the folder is a file system of its own.
    mounted: bool,
}

impl Server {
    /// Starts a server with a bucket under Object Lock, COMPLIANCE for a day by default. `None`, said aloud, where versitygw
    /// is not installed and this is not CI.
    pub fn start() -> Option<Self> {
        let server = Self::bare()?;
        server.make_bucket(true);
        server.default_retention("COMPLIANCE");
        Some(server)
    }

    /// Starts a server without a bucket.
    pub fn bare() -> Option<Self> {
        Self::in_folder(TempDir::new().expect("a folder"), false)
    }

    /// Starts a server with a bucket under Object Lock on a disk of so many megabytes. `None`, said aloud, also where no file
    /// system can be mounted.
    pub fn small(megabytes: u32) -> Option<Self> {
        find()?;
        let folder = TempDir::new().expect("a folder");
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).status();
        if !mounted.is_ok_and(|status| status.success()) {
            assert!(std::env::var_os("CI").is_none(), "a small file system cannot be mounted: run as root");
            eprintln!("left out: a small file system cannot be mounted (run as root)");
            return None;
        }
        let server = Self::in_folder(folder, true)?;
        server.make_bucket(true);
        server.default_retention("COMPLIANCE");
        Some(server)
    }

    fn in_folder(folder: TempDir, mounted: bool) -> Option<Self> {
        let program = find()?;
        for name in ["data", "versions", "iam"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
        let child = spawn(&program, folder.path(), port);
        let server = Self { child, folder, port, mounted };
        server.wait_until_up();
        Some(server)
    }

    fn wait_until_up(&self) {
        let start = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(30), "versitygw does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn kill(&mut self) {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("the server ends");
    }

    #[allow(dead_code, reason = "the tests of the command make it hang")]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn restart(&mut self) {
        self.child = spawn(&find().expect("it was there"), self.folder.path(), self.port);
        self.wait_until_up();
    }

    pub fn make_bucket(&self, lock: bool) {
        let header = format!("x-amz-bucket-object-lock-enabled: {lock}");
        let (status, body) = self.curl(&["-X", "PUT", "-H", &header], "");
        assert_eq!(status, 200, "{body}");
    }

    pub fn default_retention(&self, mode: &str) {
        self.default_retention_of(mode, 1);
    }

    pub fn default_retention_of(&self, mode: &str, days: u32) {
        let rule = format!(
            "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
             <Mode>{mode}</Mode><Days>{days}</Days></DefaultRetention></Rule></ObjectLockConfiguration>"
        );
        let (status, body) = self.curl(&["-X", "PUT", "-d", &rule], "?object-lock=");
        assert_eq!(status, 200, "{body}");
    }

    /// A request by another client than ours; the status and the body.
    pub fn curl(&self, arguments: &[&str], path: &str) -> (u16, String) {
        let body = arguments.iter().skip_while(|argument| **argument != "-d").nth(1).unwrap_or(&"");
        let checksum = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(body));
        let output = Command::new("curl")
            .args(["-s", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", &format!("{KEY}:{SECRET}")])
            .args(["-w", "\n%{http_code}", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"])
            .args(if body.is_empty() {
                vec![]
            } else {
                vec!["-H".to_owned(), format!("x-amz-checksum-sha256: {checksum}")]
            })
            .args(arguments)
            .arg(format!("{}/{BUCKET}{path}", self.endpoint()))
            .output()
            .expect("curl runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, status) = text.rsplit_once('\n').expect("curl prints the status");
        (status.parse().expect("a status"), body.to_owned())
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn location(&self) -> Location {
        format!("s3://{BUCKET}/ledgers/one").parse().expect("a location")
    }

    /// A place of this server that no other test names, as it is written into folders.
    pub fn own_location(&self) -> Location {
        format!("s3://{BUCKET}/ledgers/{}", self.port).parse().expect("a location")
    }

    pub fn settings(&self) -> Settings {
        settings(&self.endpoint())
    }

    /// The file underneath an object.
    pub fn file(&self, key: &str) -> PathBuf {
        self.folder.path().join("data").join(BUCKET).join("ledgers/one").join(key)
    }

    /// A file on the server's disk that belongs to no bucket.
    pub fn filler(&self) -> PathBuf {
        self.folder.path().join("filler")
    }

    /// The keys below the copy, as the server's folder shows them.
    pub fn keys(&self, folder: &str) -> Vec<String> {
        let listed = std::fs::read_dir(self.file(folder)).map(|entries| {
            let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
            names.map(|name| format!("{folder}/{name}")).collect()
        });
        let mut keys: Vec<String> = listed.unwrap_or_default();
        keys.sort();
        keys
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if self.mounted {
            let _ = Command::new("umount").arg(self.folder.path()).status();
        }
    }
}

/// How a client reaches a server at an endpoint.
pub fn settings(endpoint: &str) -> Settings {
    environment(endpoint).into_iter().collect()
}

/// The variables that say so.
pub fn environment(endpoint: &str) -> Vec<(String, String)> {
    let pairs = [
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", endpoint),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn spawn(program: &Path, folder: &Path, port: u16) -> Child {
    Command::new(program)
        .args(["--port", &format!("127.0.0.1:{port}"), "--quiet", "--iam-dir"])
        .arg(folder.join("iam"))
        .args(["posix", "--versioning-dir"])
        .args([folder.join("versions"), folder.join("data")])
        .env("ROOT_ACCESS_KEY", KEY)
        .env("ROOT_SECRET_KEY", SECRET)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("versitygw starts")
}

/// In the PATH (`make test` puts the folder of `make deps` there), or where that and `go install` put it.
fn find() -> Option<PathBuf> {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([home.join(".cache/counterfoil/go"), home.join("go/bin")]);
    let found = folders.map(|folder| folder.join("versitygw")).find(|place| place.is_file());
    if found.is_none() {
        let how = "an S3 server is missing: make deps, or go install github.com/versity/versitygw/cmd/versitygw@v1.8.0";
        assert!(std::env::var_os("CI").is_none(), "{how}");
        eprintln!("left out: {how}");
    }
    found
}
