//! fake-gcs-server: it knows generations and keeps the retention that an object is given, but lets everything be deleted, and
//! its buckets do not say whether they take retentions.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::double::{Reply, Request};
use super::{Added, BUCKET, Cloud, Kind, find};

pub struct Gcs;

const HOW: &str = "make deps, or go install github.com/fsouza/fake-gcs-server@v1.56.1";

fn escaped(key: &str) -> String {
    key.replace('/', "%2F")
}

/// Where it is installed.
pub fn program() -> Option<PathBuf> {
    find("fake-gcs-server", ".cache/counterfoil/go", HOW)
}

impl Kind for Gcs {
    const SCHEME: &'static str = "gs";

    fn command(_: &Path, port: u16) -> Option<Command> {
        let mut command = Command::new(program()?);
        command.args(["-scheme", "http", "-host", "127.0.0.1", "-backend", "memory", "-port", &port.to_string()]);
        Some(command)
    }

    fn variables(endpoint: &str) -> Vec<(&'static str, String)> {
        vec![("STORAGE_EMULATOR_HOST", endpoint.to_owned())]
    }

    fn make_bucket(cloud: &Cloud) {
        let bucket = json!({ "name": BUCKET, "versioning": { "enabled": true } }).to_string();
        cloud.done("POST", "/storage/v1/b", &[("content-type", "application/json")], bucket.as_bytes());
    }

    fn put(cloud: &Cloud, key: &str, bytes: &[u8]) {
        let target = format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={}", escaped(key));
        cloud.done("POST", &target, &[], bytes);
    }

    fn put_on_top(cloud: &Cloud, key: &str) {
        Self::put(cloud, key, b"forged");
    }

    fn delete(cloud: &Cloud, key: &str) {
        cloud.done("DELETE", &format!("/storage/v1/b/{BUCKET}/o/{}", escaped(key)), &[], &[]);
    }

    fn remove(cloud: &Cloud, key: &str) {
        let target = format!("/storage/v1/b/{BUCKET}/o/{}", escaped(key));
        let object: Value = serde_json::from_slice(&cloud.done("GET", &target, &[], &[])).unwrap();
        let generation = object["generation"].as_str().expect("a generation");
        cloud.done("DELETE", &format!("{target}?generation={generation}"), &[], &[]);
    }

    fn edit(_: &Added, request: &Request, reply: &mut Reply) {
        if request.target.starts_with(&format!("/storage/v1/b/{BUCKET}?")) {
            let mut bucket: Value = serde_json::from_slice(&reply.body).expect("a bucket");
            bucket["objectRetention"] = json!({ "mode": "Enabled" });
            reply.replace(bucket.to_string());
        }
    }
}
