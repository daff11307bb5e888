//! Uploads to Azure Blob Storage: short blobs in one request, longer ones in blocks that one request makes a blob of; both on the
//! condition that no blob of the key exists, and under their immutability.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use counterfoil::Result;
use http::Method;
use md5::Md5;
use sha2::{Digest, Sha256};

use super::{Azure, about, is_there};
use crate::backend::check_parts;
use crate::backend::http::{Answer, Ask};
use crate::content::{Content, piece};
use crate::lock::{Lock, LockMode};
use crate::store::Written;

/// The most blocks of a blob.
const MOST_BLOCKS: u64 = 50_000;

impl Azure {
    /// Writes a blob that is not there yet. False when one is.
    pub(super) async fn upload(&self, key: &str, content: &Content, written: &Written) -> Result<bool> {
        let mut headers = vec![("if-none-match", "*".to_owned())];
        headers.extend(written.lock.as_ref().map(lock_headers).unwrap_or_default());
        if content.len() > written.part_bytes {
            return self.put_in_blocks(key, content, written.part_bytes, headers).await;
        }
        headers.push(("x-ms-blob-type", "BlockBlob".to_owned()));
        let body = piece(key, content, 0, content.len())?;
        headers.push(("content-md5", STANDARD.encode(Md5::digest(&body))));
        is_new(key, self.client.ask(&Ask { headers, body, ..about(Method::PUT, key) }).await?)
    }

    async fn put_in_blocks(
        &self,
        key: &str,
        content: &Content,
        block_bytes: u64,
        headers: Vec<(&'static str, String)>,
    ) -> Result<bool> {
        check_parts(key, content, block_bytes, MOST_BLOCKS)?;
        let mut list = String::from("<BlockList>");
        for start in (0..content.len()).step_by(block_bytes as usize) {
            let body = piece(key, content, start, (start + block_bytes).min(content.len()))?;
            // Named by its content: what another writer of this key uploads meanwhile takes no block's place.
            let id = STANDARD.encode(Sha256::digest(&body));
            let headers = vec![("content-md5", STANDARD.encode(Md5::digest(&body)))];
            let query = vec![("comp", "block"), ("blockid", id.as_str())];
            self.client.ask(&Ask { query, headers, body, ..about(Method::PUT, key) }).await?.checked(key)?;
            list.push_str(&format!("<Latest>{id}</Latest>"));
        }
        list.push_str("</BlockList>");
        let query = vec![("comp", "blocklist")];
        is_new(key, self.client.ask(&Ask { query, headers, body: list.into(), ..about(Method::PUT, key) }).await?)
    }
}

fn lock_headers(lock: &Lock) -> Vec<(&'static str, String)> {
    let mode = match lock.mode {
        LockMode::Compliance => "Locked",
        LockMode::Governance => "Unlocked",
    };
    let mut headers = vec![
        ("x-ms-immutability-policy-mode", mode.to_owned()),
        ("x-ms-immutability-policy-until-date", lock.until().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()),
    ];
    if lock.legal_hold {
        headers.push(("x-ms-legal-hold", "true".to_owned()));
    }
    headers
}

/// Whether an upload made the blob; false when one of the key was there.
fn is_new(key: &str, answer: Answer) -> Result<bool> {
    if is_there(&answer) {
        return Ok(false);
    }
    answer.checked(key).map(|_| true)
}
