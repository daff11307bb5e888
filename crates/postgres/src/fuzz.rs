//! What fuzzing does with bytes from strangers, a function a parser: nothing but an error may come of them. `fuzz/` drives
//! them with libFuzzer; the test below replays the corpora on a stable toolchain.

use bytes::BytesMut;
use postgres_protocol::message::backend::Message;

use crate::dsn::Dsn;
use crate::row::Row;
use crate::server_error::server_error;
use crate::wire::{parsed, texts};
use crate::{pgoutput, pgpass};

/// Messages of the replication stream.
pub fn pgoutput(bytes: &[u8]) {
    if let Ok(pgoutput::Message::Insert { new, .. }) = pgoutput::Message::parse(bytes)
        && let Ok(row) = Row::new(new)
    {
        let digest = row.digest().expect("every row has an entry");
        assert_eq!(row.digest().expect("every row has an entry"), digest);
        let _ = row.is_sealed();
    }
}

/// What a server sends, message after message.
pub fn backend(bytes: &[u8]) {
    let mut input = BytesMut::from(bytes);
    while let Ok(Some(message)) = parsed(&mut input) {
        match message {
            Message::DataRow(body) => drop(texts(&body)),
            Message::ErrorResponse(body) => assert!(!server_error(&body).message.is_empty()),
            _ => {}
        }
    }
    assert!(input.capacity() <= 2 * bytes.len().max(64), "no room is made for what is not there");
}

/// Addresses of databases.
pub fn dsn(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(dsn) = Dsn::parse(text)
        && let Some(password) = dsn.password.as_deref().filter(|password| password.len() > 8)
    {
        let public = [&dsn.user, &dsn.host, &dsn.database];
        let shown = format!("{dsn:?}");
        assert!(!shown.contains(password) || public.iter().any(|text| text.contains(password)), "a password is shown");
    }
}

/// Files of passwords.
pub fn pgpass(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = pgpass::find(text, ["127.0.0.1", "5432", "bank", "maria"]);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    type Target = fn(&[u8]);

    /// How often each input is damaged.
    const DAMAGES: usize = 2_000;

    #[test]
    fn no_parser_panics_on_what_is_known_or_damaged() {
        let targets = [("pgoutput", pgoutput as Target), ("backend", backend), ("dsn", dsn), ("pgpass", pgpass)];
        let mut dice = 1_u64;
        let mut below = |most: usize| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33) as usize % most
        };
        for (name, target) in targets {
            let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
            let inputs = std::fs::read_dir(corpus).expect("a corpus").map(|input| std::fs::read(input.unwrap().path()));
            let inputs: Vec<_> = inputs.map(|bytes| bytes.expect("an input")).collect();
            assert!(inputs.len() >= 3, "{name}: {}", inputs.len());
            for bytes in inputs {
                target(&bytes);
                for _ in 0..DAMAGES {
                    let mut damaged = bytes.clone();
                    for _ in 0..1 + below(3) {
                        let at = below(damaged.len());
                        damaged[at] = below(256) as u8;
                    }
                    if below(3) == 0 {
                        damaged.truncate(1 + below(damaged.len()));
                    }
                    target(&damaged);
                }
            }
        }
    }
}
