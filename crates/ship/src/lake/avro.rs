//! Avro object container files, as far as a table's manifests need them: one block, uncompressed, read only with the very
//! schema with which it was written.

use counterfoil::{Error, ErrorKind, Result};
use sha2::{Digest, Sha256};

const MAGIC: &[u8] = b"Obj\x01";
const MARKER_BYTES: usize = 16;

/// Values of records, one behind the other.
#[derive(Debug, Default)]
pub struct Encoder(Vec<u8>);

impl Encoder {
    /// An int or a long.
    pub fn long(&mut self, value: i64) {
        let mut rest = ((value << 1) ^ (value >> 63)) as u64;
        while rest >= 0x80 {
            self.0.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.0.push(rest as u8);
    }

    /// Bytes or a string.
    pub fn bytes(&mut self, value: &[u8]) {
        self.long(value.len() as i64);
        self.0.extend_from_slice(value);
    }

    /// That the second type of a union follows, the first being null.
    pub fn some(&mut self) {
        self.long(1);
    }

    /// An array or a map.
    pub fn list<T>(&mut self, items: &[T], mut each: impl FnMut(&mut Self, &T)) {
        if !items.is_empty() {
            self.long(items.len() as i64);
            items.iter().for_each(|item| each(self, item));
        }
        self.long(0);
    }
}

/// A file of records.
pub fn file<T>(
    schema: &str,
    metadata: &[(&str, String)],
    records: &[T],
    mut each: impl FnMut(&mut Encoder, &T),
) -> Vec<u8> {
    let mut block = Encoder::default();
    records.iter().for_each(|record| each(&mut block, record));
    let marker = &Sha256::digest(&block.0)[..MARKER_BYTES];
    let own = [("avro.schema", schema.to_owned()), ("avro.codec", "null".to_owned())];
    let header: Vec<_> = own.iter().chain(metadata).collect();
    let mut file = Encoder(MAGIC.to_vec());
    file.list(&header, |file, (name, value)| {
        file.bytes(name.as_bytes());
        file.bytes(value.as_bytes());
    });
    file.0.extend_from_slice(marker);
    file.long(records.len() as i64);
    file.bytes(&block.0);
    file.0.extend_from_slice(marker);
    file.0
}

/// Reads what [`file`] wrote with this schema.
pub fn records<T>(schema: &str, bytes: &[u8], mut each: impl FnMut(&mut Decoder<'_>) -> Result<T>) -> Result<Vec<T>> {
    let body = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("it is no Avro file"))?;
    let mut file = Decoder(body);
    let header = file.list(|file| Ok((file.text()?, file.text()?)))?;
    if !header.iter().any(|(name, value)| name == "avro.schema" && value == schema) {
        return Err(Error::new(ErrorKind::Conflict, "another program wrote it"));
    }
    let marker = file.take(MARKER_BYTES)?;
    let count = file.long()?;
    let mut block = Decoder(file.bytes()?);
    if file.0 != marker {
        return Err(damaged("it does not end with its marker"));
    }
    (0..count).map(|_| each(&mut block)).collect()
}

/// What an [`Encoder`] wrote.
#[derive(Debug)]
pub struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(|| damaged("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn long(&mut self) -> Result<i64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(damaged("a number is too long"))
    }

    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = usize::try_from(self.long()?).map_err(|_| damaged("a length is negative"))?;
        self.take(length)
    }

    pub fn text(&mut self) -> Result<String> {
        let text = std::str::from_utf8(self.bytes()?).map_err(|_| damaged("a text is not UTF-8"))?;
        Ok(text.to_owned())
    }

    pub fn some(&mut self) -> Result<()> {
        if self.long()? == 1 { Ok(()) } else { Err(damaged("a value is missing")) }
    }

    pub fn list<T>(&mut self, mut each: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = Vec::new();
        loop {
            let count = self.long()?;
            if count == 0 {
                return Ok(items);
            }
            for _ in 0..count {
                items.push(each(self)?);
            }
        }
    }
}

fn damaged(reason: &str) -> Error {
    Error::new(ErrorKind::Damaged, reason)
}
