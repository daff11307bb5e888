//! What is asked of a store beside a place: encryption.

use std::io::{Read, Write};
use std::net::TcpListener;

use counterfoil::ErrorKind;
use counterfoil_ship::{Encryption, LockMode, Retention, Shipper};

use crate::basics::{append, create};
use crate::server::settings;

/// A store that knows a bucket with Object Lock and remembers the headers of the first object that is put.
fn first_put(encryption: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && client.read_exact(&mut byte).is_ok() {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).to_lowercase();
            let body = match head.lines().next().unwrap_or_default() {
                line if line.contains("versioning") => {
                    "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
                }
                line if line.contains("object-lock") => {
                    "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>"
                }
                _ if head.contains("versions") => "<ListVersionsResult></ListVersionsResult>",
                _ => {
                    let _ = sender.send(head);
                    let _ = client.write_all(b"HTTP/1.1 400 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                    continue;
                }
            };
            let answer =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            let _ = client.write_all(answer.as_bytes());
        }
    });
    let folder = tempfile::TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    append(&ledger, 1);
    let encryption: Encryption = encryption.parse().unwrap();
    let settings = settings(&endpoint).with_encryption(&encryption);
    let lock = "compliance:3".parse::<Retention>().unwrap().lock("sec_6y").unwrap();
    let place = "s3://audit/one".parse().unwrap();
    let refused = Shipper::open(&place, &settings, Some(lock)).unwrap().ship(&ledger.snapshot()).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    receiver.recv().unwrap()
}

#[test]
fn the_store_is_asked_to_encrypt() {
    let head = first_put("s3");
    assert!(head.starts_with("put ") && head.contains("x-amz-server-side-encryption: aes256"), "{head}");
    assert!(head.contains("x-amz-object-lock-mode: compliance"), "{head}");
    let head = first_put("kms:alias/audit");
    assert!(head.contains("x-amz-server-side-encryption: aws:kms"), "{head}");
    assert!(head.contains("x-amz-server-side-encryption-aws-kms-key-id: alias/audit"), "{head}");
    assert_eq!("rot13".parse::<Encryption>().unwrap_err().kind, ErrorKind::Invalid);
}

#[test]
fn the_longest_class_decides_unless_days_are_given() {
    let retention: Retention = "governance".parse().unwrap();
    let lock = retention.lock("sec_6y").unwrap();
    assert_eq!((lock.mode, lock.days), (LockMode::Governance, 7 * 366), "sox_7y is in the catalog");
    assert_eq!(retention.lock("house_10y").unwrap().days, 3_660);
    assert_eq!(retention.lock("for_ever").unwrap_err().kind, ErrorKind::Invalid);
    assert_eq!("compliance:90".parse::<Retention>().unwrap().lock("for_ever").unwrap().days, 90);
    assert!("compliance:0".parse::<Retention>().is_err() && "worm:3".parse::<Retention>().is_err());
}
