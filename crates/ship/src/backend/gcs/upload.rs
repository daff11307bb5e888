//! Uploads to Google Cloud Storage: short objects in one request, longer ones in a session, both made at once, on the condition
//! that no object of the key exists, under their retention, and refused when the checksum of the whole differs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use counterfoil::{Error, ErrorKind, Result};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Gcs;
use crate::backend::http::{Answer, Ask, patiently};
use crate::content::{Content, piece};
use crate::store::Written;

/// Chunks of a session that are not the last have a length that this divides.
const CHUNK_UNIT: u64 = 256 << 10;

impl Gcs {
    /// Writes an object that is not there yet. False when one is.
    pub(super) async fn upload(&self, key: &str, content: &Content, written: &Written) -> Result<bool> {
        let metadata = self.metadata(key, content, written).await?;
        if content.len() <= written.part_bytes {
            return self.put_at_once(key, content, &metadata).await;
        }
        // A session that was cut is begun again: what of it arrived is not known without asking.
        let chunk = written.part_bytes - written.part_bytes % CHUNK_UNIT;
        let cost = |done: &Result<bool>| match done {
            Err(error) => u32::from(error.kind == ErrorKind::Unavailable),
            Ok(_) => 0,
        };
        patiently(|| self.put_in_chunks(key, content, &metadata, chunk), cost).await
    }

    /// What the object is to be.
    async fn metadata(&self, key: &str, content: &Content, written: &Written) -> Result<Value> {
        let mut checksum = 0;
        for start in (0..content.len()).step_by(written.part_bytes.min(1 << 40) as usize) {
            let end = start.saturating_add(written.part_bytes).min(content.len());
            checksum = crc32c::crc32c_append(checksum, &piece(key, content, start, end)?);
        }
        let mut metadata = json!({ "name": key, "crc32c": STANDARD.encode(checksum.to_be_bytes()) });
        if let Some(lock) = &written.lock
            && self.bucket().await?.locks_each()
        {
            let mode = match lock.mode {
                crate::lock::LockMode::Compliance => "Locked",
                crate::lock::LockMode::Governance => "Unlocked",
            };
            let until = lock.until().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            metadata["retention"] = json!({ "mode": mode, "retainUntilTime": until });
        }
        if written.lock.is_some_and(|lock| lock.legal_hold) {
            metadata["temporaryHold"] = json!(true);
        }
        Ok(metadata)
    }

    fn upload_to<'a>(&'a self, kind: &'static str) -> Ask<'a> {
        let path = vec!["upload", "storage", "v1", "b", &self.name, "o"];
        let query = vec![("uploadType", kind), ("ifGenerationMatch", "0")];
        Ask { method: Method::POST, path, query, ..Ask::default() }
    }

    async fn put_at_once(&self, key: &str, content: &Content, metadata: &Value) -> Result<bool> {
        let bytes = piece(key, content, 0, content.len())?;
        // Content that holds its own digest cannot be made.
        let boundary = hex::encode(Sha256::digest(&bytes));
        let mut body = format!(
            "--{boundary}\r\nContent-Type: application/json\r\n\r\n{metadata}\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(&bytes);
        body.extend_from_slice(format!("\r\n--{boundary}--").as_bytes());
        let headers = vec![("content-type", format!("multipart/related; boundary={boundary}"))];
        let ask = Ask { headers, body: Bytes::from(body), ..self.upload_to("multipart") };
        is_new(key, self.client.ask(&ask).await?)
    }

    async fn put_in_chunks(&self, key: &str, content: &Content, metadata: &Value, chunk: u64) -> Result<bool> {
        let headers = vec![("content-type", "application/json".to_owned())];
        let ask = Ask { headers, body: metadata.to_string().into(), ..self.upload_to("resumable") };
        let answer = self.client.ask(&ask).await?;
        if answer.status == StatusCode::PRECONDITION_FAILED {
            return Ok(false);
        }
        let session = session(key, &answer.checked(key)?)?;
        let (mut at, total) = (0, content.len());
        loop {
            let end = (at + chunk).min(total);
            let ask = Ask {
                method: Method::PUT,
                query: vec![("uploadType", "resumable"), ("upload_id", &session)],
                headers: vec![("content-range", format!("bytes {at}-{}/{total}", end - 1))],
                body: piece(key, content, at, end)?,
                ..self.upload_to("resumable")
            };
            let answer = self.client.ask_once(&ask).await?;
            match (answer.status, reached(&answer)) {
                (StatusCode::PERMANENT_REDIRECT, Some(reached)) if reached > at && reached < total => at = reached,
                (StatusCode::PERMANENT_REDIRECT, _) => {
                    let message = format!("{key}: the upload does not get on behind byte {at}");
                    return Err(Error::new(ErrorKind::Unavailable, message));
                }
                _ => return is_new(key, answer),
            }
        }
    }
}

/// The name of a session, out of the address that the store gives: what is sent goes to the store's own address.
fn session(key: &str, answer: &Answer) -> Result<String> {
    let address = answer.header("location").and_then(|address| url::Url::parse(address).ok());
    let named = address.and_then(|address| {
        address.query_pairs().find(|(name, _)| name == "upload_id").map(|(_, session)| session.into_owned())
    });
    named.ok_or_else(|| Error::new(ErrorKind::Unavailable, format!("{key}: the store names no upload")))
}

/// How many bytes the store has.
fn reached(answer: &Answer) -> Option<u64> {
    answer.header("range")?.strip_prefix("bytes=0-")?.parse::<u64>().ok()?.checked_add(1)
}

/// Whether an upload made the object; false when one of the key was there.
fn is_new(key: &str, answer: Answer) -> Result<bool> {
    if answer.status == StatusCode::PRECONDITION_FAILED {
        return Ok(false);
    }
    answer.checked(key).map(|_| true)
}
