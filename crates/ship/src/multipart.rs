//! Objects that are too long for one request: uploaded in parts, each with its SHA-256, and made at once under the lock and on
//! the condition of a single put.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use counterfoil::{Error, ErrorKind, Result};
use http::{Method, StatusCode};
use sha2::{Digest, Sha256};

use crate::content::{Content, piece};
use crate::s3::{Ask, CHECKSUM, S3};
use crate::xml::Element;

/// What is put in one request unless a shipper is told otherwise, and the part of a longer object: what shipping holds in
/// memory.
pub const DEFAULT_PART_BYTES: u64 = 64 << 20;
/// The least that S3 takes as a part that is not the last.
pub const LEAST_PART_BYTES: u64 = 5 << 20;
/// The most parts of an object.
const MOST_PARTS: u64 = 10_000;

/// Uploads an object of this key that is not there yet. False when one is.
pub async fn put_new(
    s3: &S3,
    key: &str,
    content: &Content,
    part_bytes: u64,
    headers: Vec<(&'static str, String)>,
) -> Result<bool> {
    if content.len().div_ceil(part_bytes) > MOST_PARTS {
        let message = format!("{key}: {} bytes are more than {MOST_PARTS} parts of {part_bytes}", content.len());
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    let upload = begin(s3, key, headers).await?;
    let done = match parts(s3, key, &upload, content, part_bytes).await {
        Ok(parts) => complete(s3, key, &upload, &parts).await,
        Err(error) => Err(error),
    };
    if !matches!(done, Ok(true)) {
        // The bucket's rule for incomplete uploads removes what a store that is gone does not hear of.
        let query = vec![("uploadId", upload.as_str())];
        let _ = s3.ask(&Ask { method: Method::DELETE, key, query, ..Ask::default() }).await;
    }
    done
}

async fn begin(s3: &S3, key: &str, mut headers: Vec<(&'static str, String)>) -> Result<String> {
    headers.push(("x-amz-checksum-algorithm", "SHA256".to_owned()));
    let ask = Ask { method: Method::POST, key, query: vec![("uploads", "")], headers, ..Ask::default() };
    let answer = s3.ask(&ask).await?.checked(key)?;
    let upload = Element::parse(&answer.body)?.text("UploadId").map(str::to_owned);
    upload.ok_or_else(|| Error::new(ErrorKind::Unavailable, format!("{key}: the store names no upload")))
}

/// What the store answered to a part, and the part's digest.
struct Part {
    tag: String,
    digest: [u8; 32],
}

/// Uploads the parts, one after the other.
async fn parts(s3: &S3, key: &str, upload: &str, content: &Content, part_bytes: u64) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    for start in (0..content.len()).step_by(part_bytes as usize) {
        let body = piece(key, content, start, (start + part_bytes).min(content.len()))?;
        let (number, digest) = ((parts.len() + 1).to_string(), Sha256::digest(&body).into());
        let query = vec![("partNumber", number.as_str()), ("uploadId", upload)];
        let ask = Ask { method: Method::PUT, key, query, body, ..Ask::default() };
        let answer = s3.ask(&ask).await?.checked(key)?;
        parts.push(Part { tag: answer.header("etag").unwrap_or_default().to_owned(), digest });
    }
    Ok(parts)
}

/// Makes the object out of its parts, unless one of its key is there.
async fn complete(s3: &S3, key: &str, upload: &str, parts: &[Part]) -> Result<bool> {
    let mut list = String::from("<CompleteMultipartUpload>");
    let mut all = Sha256::new();
    for (position, Part { tag, digest }) in parts.iter().enumerate() {
        let (number, tag, checksum) = (position + 1, tag.replace('"', "&quot;"), STANDARD.encode(digest));
        all.update(digest);
        list.push_str(&format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag><ChecksumSHA256>{checksum}</ChecksumSHA256></Part>"
        ));
    }
    list.push_str("</CompleteMultipartUpload>");
    let whole = format!("{}-{}", STANDARD.encode(all.finalize()), parts.len());
    let headers = vec![("if-none-match", "*".to_owned()), (CHECKSUM, whole)];
    let ask = Ask { method: Method::POST, key, query: vec![("uploadId", upload)], headers, body: list.into() };
    let answer = s3.ask(&ask).await?;
    match answer.status {
        StatusCode::PRECONDITION_FAILED => return Ok(false),
        // An earlier try was answered and the answer was lost: then the object is there, and is compared.
        StatusCode::NOT_FOUND => return Ok(false),
        _ => {}
    }
    let answer = answer.checked(key)?;
    // S3 may begin an answer with 200 and find out later that it cannot.
    match answer.code() {
        Some(_) => Err(Error::new(ErrorKind::Unavailable, answer.error(key).message)),
        None => Ok(true),
    }
}
