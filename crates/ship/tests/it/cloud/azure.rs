//! Azurite: it knows neither versions nor immutability. The double gives each blob a version as Microsoft's documentation
//! writes it, remembers the headers of locks, and tells them.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::double::{Reply, Request};
use super::{Added, BUCKET, Cloud, Kind, find};

pub struct Azure;

pub const ACCOUNT: &str = "devstoreaccount1";
/// The key of every emulator, which Microsoft publishes.
pub const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const HOW: &str = "make deps, or npm install azurite@3.37.0";
const FIRST: &str = "2026-01-02T03:04:05.0000001Z";
const SECOND: &str = "2026-01-02T03:04:05.0000002Z";

fn path(key: &str) -> String {
    format!("/{ACCOUNT}/{BUCKET}/{key}")
}

/// Where it is installed.
pub fn program() -> Option<PathBuf> {
    find("azurite-blob", ".cache/counterfoil/azurite/node_modules/.bin", HOW)
}

impl Kind for Azure {
    const SCHEME: &'static str = "az";

    fn command(folder: &Path, port: u16) -> Option<Command> {
        let mut command = Command::new(program()?);
        command.args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string(), "--disableTelemetry", "--silent"]);
        command.arg("--location").arg(folder);
        Some(command)
    }

    fn variables(endpoint: &str) -> Vec<(&'static str, String)> {
        vec![("AZURITE_BLOB_STORAGE_URL", endpoint.to_owned())]
    }

    fn make_bucket(cloud: &Cloud) {
        cloud.done("PUT", &format!("/{ACCOUNT}/{BUCKET}?restype=container"), &[], &[]);
    }

    fn put(cloud: &Cloud, key: &str, bytes: &[u8]) {
        cloud.done("PUT", &path(key), &[("x-ms-blob-type", "BlockBlob")], bytes);
    }

    fn put_on_top(cloud: &Cloud, key: &str) {
        cloud.added.newer.lock().unwrap().push(key.to_owned());
    }

    fn delete(cloud: &Cloud, key: &str) {
        cloud.added.deleted.lock().unwrap().push(key.to_owned());
    }

    fn remove(cloud: &Cloud, key: &str) {
        cloud.done("DELETE", &path(key), &[], &[]);
    }

    fn edit(added: &Added, request: &Request, reply: &mut Reply) {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        if query.contains("comp=list") {
            let listed = String::from_utf8(reply.body.clone()).expect("a list");
            reply.replace(with_versions(&listed, &added.newer.lock().unwrap(), &added.deleted.lock().unwrap()));
        } else if query.contains("restype=container") {
            reply.headers.push(("x-ms-immutable-storage-with-versioning-enabled".into(), "true".into()));
        } else if request.method == "PUT" && reply.status.starts_with("201") && !query.contains("comp=block&") {
            let is_lock = |name: &str| name.starts_with("x-ms-immutability") || name == "x-ms-legal-hold";
            let locks = request.headers.iter().filter(|(name, _)| is_lock(name)).cloned().collect();
            added.locks.lock().unwrap().insert(path.to_owned(), locks);
        } else if request.method == "HEAD" {
            let locks = added.locks.lock().unwrap().get(path).cloned().unwrap_or_default();
            let told = locks.into_iter().map(|(name, value)| match name.ends_with("-mode") {
                true => (name, value.to_lowercase()),
                false => (name, value),
            });
            reply.headers.extend(told);
        }
    }
}

/// The list with a version of each blob, and those that were put on top.
fn with_versions(listed: &str, newer: &[String], deleted: &[String]) -> String {
    let mut parts = listed.split("<Blob>");
    let mut told = parts.next().unwrap_or_default().to_owned();
    for blob in parts {
        let key = blob.split("<Name>").nth(1).and_then(|rest| rest.split('<').next()).expect("a name").to_owned();
        let (has_newer, is_deleted) = (newer.contains(&key), deleted.contains(&key));
        let version = |id: &str, is_current: bool| {
            let current = if is_current { "<IsCurrentVersion>true</IsCurrentVersion>" } else { "" };
            blob.replacen("</Name>", &format!("</Name><VersionId>{id}</VersionId>{current}"), 1)
        };
        let (own, rest) = version(FIRST, !has_newer && !is_deleted)
            .split_once("</Blob>")
            .map(|(own, rest)| (own.to_owned(), rest.to_owned()))
            .expect("a blob ends");
        told.push_str(&format!("<Blob>{own}</Blob>"));
        if has_newer {
            let on_top = version(SECOND, true);
            told.push_str(&format!("<Blob>{}</Blob>", on_top.split_once("</Blob>").expect("a blob ends").0));
        }
        told.push_str(&rest);
    }
    told
}
