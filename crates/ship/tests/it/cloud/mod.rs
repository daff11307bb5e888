//! fake-gcs-server and Azurite, each started for one test behind a double that adds the locks they do not know. What such a
//! test shows of locks, and of Azure's versions, is what is asked for and what is made of the answer; no emulator keeps any.

mod azure;
mod double;
mod gcs;

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use counterfoil_ship::{Location, Settings};
use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential};
use object_store::client::{HttpConnector, HttpRequest, ReqwestConnector};
use tempfile::TempDir;

#[allow(unused_imports, reason = "the command's tests need no programs")]
pub use azure::program as azure_program;
pub use double::Request;
use double::{Adds, Reply};
#[allow(unused_imports, reason = "the command's tests need no programs")]
pub use gcs::program as gcs_program;

pub const BUCKET: &str = "audit";
/// Where the copy stands in it.
const PREFIX: &str = "ledgers/one";

/// A service, as its emulator speaks it.
pub trait Kind: Send + Sync + 'static {
    /// The scheme of its locations.
    const SCHEME: &'static str;
    /// How the emulator is started on a port.
    fn command(folder: &std::path::Path, port: u16) -> Option<Command>;
    /// The variables with which a client reaches an endpoint.
    fn variables(endpoint: &str) -> Vec<(&'static str, String)>;
    /// Makes the bucket.
    fn make_bucket(cloud: &Cloud);
    /// Puts an object, whatever is there.
    fn put(cloud: &Cloud, key: &str, bytes: &[u8]);
    /// Puts a newer version on top of an object.
    fn put_on_top(cloud: &Cloud, key: &str);
    /// Deletes an object as whoever asks for no version does.
    fn delete(cloud: &Cloud, key: &str);
    /// Removes an object for good.
    fn remove(cloud: &Cloud, key: &str);
    /// Adds what the emulator does not know to an answer.
    fn edit(added: &Added, request: &Request, reply: &mut Reply);
}

/// What the double knows beside the emulator.
#[derive(Debug, Default)]
pub struct Added {
    closed: AtomicBool,
    seen: Mutex<Vec<Request>>,
    /// Headers of locks, by path.
    locks: Mutex<std::collections::BTreeMap<String, Vec<(String, String)>>>,
    /// Keys with a version on top, and without a current one.
    newer: Mutex<Vec<String>>,
    deleted: Mutex<Vec<String>>,
}

struct AddsOf<K>(Arc<Added>, std::marker::PhantomData<K>);

impl<K: Kind> Adds for AddsOf<K> {
    fn is_open(&self) -> bool {
        !self.0.closed.load(Ordering::SeqCst)
    }

    fn edit(&self, request: &Request, reply: &mut Reply) {
        self.0.seen.lock().unwrap().push(request.clone());
        K::edit(&self.0, request, reply);
    }
}

/// An emulator with a bucket, and the double in front of it.
pub struct Cloud {
    child: Child,
    _folder: TempDir,
    port: u16,
    double: String,
    added: Arc<Added>,
    scheme: &'static str,
    variables: fn(&str) -> Vec<(&'static str, String)>,
    runtime: tokio::runtime::Runtime,
    acts: Acts,
}

/// What somebody does to the bucket past the shipper.
#[derive(Clone, Copy)]
struct Acts {
    put: fn(&Cloud, &str, &[u8]),
    put_on_top: fn(&Cloud, &str),
    delete: fn(&Cloud, &str),
    remove: fn(&Cloud, &str),
}

impl Cloud {
    /// Google's, `None`, said aloud, where fake-gcs-server is not installed and this is not CI.
    pub fn gcs() -> Option<Self> {
        Self::start::<gcs::Gcs>()
    }

    /// Azure's, likewise with Azurite.
    pub fn azure() -> Option<Self> {
        Self::start::<azure::Azure>()
    }

    fn start<K: Kind>() -> Option<Self> {
        let folder = TempDir::new().expect("a folder");
        let (child, port) = spawn::<K>(folder.path())?;
        let added = Arc::new(Added::default());
        let double = double::start(port, Arc::new(AddsOf::<K>(added.clone(), std::marker::PhantomData)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let acts = Acts { put: K::put, put_on_top: K::put_on_top, delete: K::delete, remove: K::remove };
        let (scheme, variables) = (K::SCHEME, K::variables);
        let cloud = Self { child, _folder: folder, port, double, added, scheme, variables, runtime, acts };
        K::make_bucket(&cloud);
        Some(cloud)
    }

    pub fn location(&self) -> Location {
        self.place(PREFIX)
    }

    pub fn place(&self, prefix: &str) -> Location {
        format!("{}://{BUCKET}/{prefix}", self.scheme).parse().expect("a location")
    }

    /// How the double is reached, or another endpoint in front of it.
    pub fn settings(&self) -> Settings {
        self.settings_at(&self.double)
    }

    /// The variables with which the double is reached.
    pub fn environment(&self) -> Vec<(String, String)> {
        (self.variables)(&self.double).into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// How the emulator is reached that keeps nothing.
    pub fn bare_settings(&self) -> Settings {
        self.settings_at(&format!("http://127.0.0.1:{}", self.port))
    }

    pub fn settings_at(&self, endpoint: &str) -> Settings {
        (self.variables)(endpoint).into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The double's port.
    pub fn door(&self) -> u16 {
        self.double.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port")
    }

    /// Whether requests are answered.
    pub fn set_open(&self, open: bool) {
        self.added.closed.store(!open, Ordering::SeqCst);
    }

    /// The requests that were answered until now.
    pub fn seen(&self) -> Vec<Request> {
        std::mem::take(&mut self.added.seen.lock().unwrap())
    }

    /// Whose name stands in an error that says what to run.
    pub fn tool(&self) -> &'static str {
        if self.scheme == "gs" { "gcloud storage" } else { "az storage" }
    }

    pub fn put(&self, key: &str, bytes: &[u8]) {
        (self.acts.put)(self, &format!("{PREFIX}/{key}"), bytes);
    }

    pub fn put_on_top(&self, key: &str) {
        (self.acts.put_on_top)(self, &format!("{PREFIX}/{key}"));
    }

    pub fn delete(&self, key: &str) {
        (self.acts.delete)(self, &format!("{PREFIX}/{key}"));
    }

    pub fn remove(&self, key: &str) {
        (self.acts.remove)(self, &format!("{PREFIX}/{key}"));
    }

    /// Asks the emulator past the double; signed for Azurite.
    fn ask(&self, method: &str, target: &str, headers: &[(&'static str, &str)], body: &[u8]) -> (u16, Vec<u8>) {
        let mut request = HttpRequest::new(body.to_vec().into());
        *request.method_mut() = method.parse().expect("a method");
        *request.uri_mut() = format!("http://127.0.0.1:{}{target}", self.port).parse().expect("an address");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header's text"));
        }
        if method == "PUT" {
            request.headers_mut().insert("content-length", body.len().into());
        }
        if self.scheme == "az" {
            let key = AzureCredential::AccessKey(AzureAccessKey::try_new(azure::KEY).expect("a key"));
            AzureAuthorizer::new(&key, azure::ACCOUNT).authorize(&mut request);
        }
        let options = object_store::ClientOptions::new().with_allow_http(true);
        let client = ReqwestConnector::default().connect(&options).expect("a client");
        self.runtime.block_on(async {
            let answer = client.execute(request).await.expect("an answer");
            let status = answer.status().as_u16();
            (status, answer.into_body().bytes().await.expect("a body").to_vec())
        })
    }

    /// Asks, and expects a success.
    fn done(&self, method: &str, target: &str, headers: &[(&'static str, &str)], body: &[u8]) -> Vec<u8> {
        let (status, answer) = self.ask(method, target, headers, body);
        assert!((200..300).contains(&status), "{method} {target}: {status} {}", String::from_utf8_lossy(&answer));
        answer
    }
}

/// Starts an emulator and waits until it answers; on another port where one was taken meanwhile.
fn spawn<K: Kind>(folder: &std::path::Path) -> Option<(Child, u16)> {
    let start = Instant::now();
    loop {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
        let mut command = K::command(folder, port)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the emulator starts");
        while child.try_wait().expect("a child").is_none() {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some((child, port));
            }
            assert!(start.elapsed() < Duration::from_secs(60), "the emulator does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program in the PATH, where `make test` puts the folders of `make deps`, or where that puts it.
fn find(program: &str, beside: &str, how: &str) -> Option<PathBuf> {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([home.join(beside), home.join("go/bin")]);
    let found = folders.map(|folder| folder.join(program)).find(|place| place.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{program} is missing: {how}");
        eprintln!("left out: {program} is missing: {how}");
    }
    found
}
