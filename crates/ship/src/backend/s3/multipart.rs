//! Objects that are too long for one request: uploaded in parts, each with its SHA-256, and made at once under the lock and on
//! the condition of a single put.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use counterfoil::Result;
use http::{Method, StatusCode};
use sha2::{Digest, Sha256};

use super::{CHECKSUM, S3, about, unavailable};
use crate::backend::check_parts;
use crate::backend::http::Ask;
use crate::backend::xml::Element;
use crate::content::{Content, piece};

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
    check_parts(key, content, part_bytes, MOST_PARTS)?;
    let upload = begin(s3, key, headers).await?;
    let done = match parts(s3, key, &upload, content, part_bytes).await {
        Ok(parts) => complete(s3, key, &upload, &parts).await,
        Err(error) => Err(error),
    };
    if !matches!(done, Ok(true)) {
        // The bucket's rule for incomplete uploads removes what a store that is gone does not hear of.
        let query = vec![("uploadId", upload.as_str())];
        let _ = s3.client.ask(&Ask { query, ..about(Method::DELETE, key) }).await;
    }
    done
}

async fn begin(s3: &S3, key: &str, mut headers: Vec<(&'static str, String)>) -> Result<String> {
    headers.push(("x-amz-checksum-algorithm", "SHA256".to_owned()));
    let ask = Ask { query: vec![("uploads", "")], headers, ..about(Method::POST, key) };
    let answer = s3.client.ask(&ask).await?.checked(key)?;
    let upload = Element::parse(&answer.body)?.text("UploadId").map(str::to_owned);
    upload.ok_or_else(|| unavailable(format!("{key}: the store names no upload")))
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
        let ask = Ask { query, body, ..about(Method::PUT, key) };
        let answer = s3.client.ask(&ask).await?.checked(key)?;
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
    let query = vec![("uploadId", upload)];
    let ask = Ask { query, headers, body: list.into(), ..about(Method::POST, key) };
    let answer = s3.client.ask(&ask).await?;
    match answer.status {
        StatusCode::PRECONDITION_FAILED => return Ok(false),
        // An earlier try was answered and the answer was lost: then the object is there, and is compared.
        StatusCode::NOT_FOUND => return Ok(false),
        _ => {}
    }
    let answer = answer.checked(key)?;
    // S3 may begin an answer with 200 and find out later that it cannot.
    match answer.code() {
        Some(_) => Err(unavailable(answer.error(key).message)),
        None => Ok(true),
    }
}
