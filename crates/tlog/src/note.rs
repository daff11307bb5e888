//! Signed notes: a text and the signatures under it (C2SP signed-note).

use std::fmt;
use std::str::FromStr;

use crate::{Error, KeyId, KeyName, KeyType, Signer, VerifierKey, encoding};

/// The most bytes that a note may have.
pub const MAX_NOTE_BYTES: usize = 1_000_000;

/// The most signature lines that a note may have.
pub const MAX_SIGNATURES: usize = 100;

/// A text with signatures that nobody has checked; [`open`] checks them.
///
/// Display and [`Note::parse`] are the exact bytes: the text, an empty line, one line for each signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

/// One signature line: `— <name> <base64 of key id and signature>`. Display and FromStr leave out the newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The name of the key.
    pub name: KeyName,
    /// The id of the key.
    pub id: KeyId,
    /// What stands after the key id: for cosignatures a timestamp and then the signature. Not empty.
    pub bytes: Vec<u8>,
}

/// A note whose signatures have been checked. At least one key vouches for the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedNote {
    /// The text, ending with a newline.
    pub text: String,
    /// The signatures of the keys in question, each key once.
    pub verified: Vec<Signature>,
    /// The signatures of other keys, which say nothing.
    pub unverified: Vec<Signature>,
}

impl Note {
    /// A note without signatures yet.
    ///
    /// Errors: [`Error::MalformedNote`] when the text does not end with a newline or holds control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, Error> {
        let text = text.into();
        check_characters(&text)?;
        if !text.ends_with('\n') {
            return Err(Error::MalformedNote("its text does not end with a newline"));
        }
        Ok(Self { text, signatures: Vec::new() })
    }

    /// Reads a note with at least one signature, without checking any.
    ///
    /// Errors: [`Error::MalformedNote`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let (text, lines) = split(bytes)?;
        if lines.split('\n').count() > MAX_SIGNATURES {
            return Err(Error::MalformedNote("it has more than 100 signatures"));
        }
        let signatures = lines.split('\n').map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The text, ending with a newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures in their order.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Adds a signature line as it is.
    pub fn add(&mut self, signature: Signature) {
        self.signatures.push(signature);
    }

    /// Adds the signature of an Ed25519 key over the text. Keys that cosign go through
    /// [`cosignature::cosign`](crate::cosignature::cosign), since they need the time.
    ///
    /// Errors: [`Error::WrongKeyType`], [`Error::Sign`].
    pub fn sign(&mut self, signer: &dyn Signer) -> Result<(), Error> {
        let key = signer.verifier_key();
        if key.key_type() != KeyType::Ed25519 {
            return Err(Error::WrongKeyType("it signs checkpoints at a time, not notes"));
        }
        let bytes = signer.sign(self.text.as_bytes())?;
        self.add(Signature { name: key.name().clone(), id: key.id(), bytes });
        Ok(())
    }

    /// Checks the signatures of the given keys.
    ///
    /// Lines of other keys are left alone. Every line of a given key must hold; of several by one key the first is
    /// kept.
    ///
    /// Errors: [`Error::InvalidSignature`], and [`Error::NoTrustedSignature`] when no line is by a given key.
    pub fn open(self, keys: &[VerifierKey]) -> Result<OpenedNote, Error> {
        let mut opened = OpenedNote { text: self.text, verified: Vec::new(), unverified: Vec::new() };
        for signature in self.signatures {
            match keys.iter().find(|key| signature.is_by(key)) {
                None => opened.unverified.push(signature),
                Some(key) => {
                    key.verify(&opened.text, &signature.bytes)?;
                    if !opened.is_signed_by(key) {
                        opened.verified.push(signature);
                    }
                }
            }
        }
        if opened.verified.is_empty() { Err(Error::NoTrustedSignature) } else { Ok(opened) }
    }
}

impl OpenedNote {
    /// Whether this key's signature is among the verified ones.
    pub fn is_signed_by(&self, key: &VerifierKey) -> bool {
        self.verified.iter().any(|signature| signature.is_by(key))
    }
}

impl Signature {
    /// Whether the line names this key: the same name and id.
    pub fn is_by(&self, key: &VerifierKey) -> bool {
        self.name == *key.name() && self.id == key.id()
    }
}

/// Reads a note and checks it against the keys: [`Note::parse`], then [`Note::open`].
pub fn open(note: &[u8], keys: &[VerifierKey]) -> Result<OpenedNote, Error> {
    Note::parse(note)?.open(keys)
}

/// Parts a note's bytes into its text and its signature lines, the last of them without its newline.
pub(crate) fn split(bytes: &[u8]) -> Result<(&str, &str), Error> {
    if bytes.len() > MAX_NOTE_BYTES {
        return Err(Error::MalformedNote("it has more than 1000000 bytes"));
    }
    let all = str::from_utf8(bytes).map_err(|_| Error::MalformedNote("it is not UTF-8"))?;
    check_characters(all)?;
    let text_end = all.rfind("\n\n").ok_or(Error::MalformedNote("it has no empty line before its signatures"))? + 1;
    let (text, lines) = (&all[..text_end], &all[text_end + 1..]);
    let lines = lines.strip_suffix('\n').ok_or(Error::MalformedNote("its last signature line does not end"))?;
    Ok((text, lines))
}

fn check_characters(text: &str) -> Result<(), Error> {
    if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        return Err(Error::MalformedNote("it contains a control character"));
    }
    Ok(())
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blob = [&self.id.0, self.bytes.as_slice()].concat();
        write!(f, "\u{2014} {} {}", self.name, encoding::base64(&blob))
    }
}

impl FromStr for Signature {
    type Err = Error;

    fn from_str(line: &str) -> Result<Self, Error> {
        let malformed = Error::MalformedNote("a signature line is not \u{2014} <name> <base64>");
        let parts = line.strip_prefix("\u{2014} ").and_then(|rest| rest.split_once(' '));
        let Some((name, Some(blob))) = parts.map(|(name, blob)| (name, encoding::from_base64(blob))) else {
            return Err(malformed);
        };
        match (KeyName::new(name), blob.split_first_chunk::<4>()) {
            (Ok(name), Some((id, bytes))) if !bytes.is_empty() => {
                Ok(Self { name, id: KeyId(*id), bytes: bytes.to_vec() })
            }
            _ => Err(malformed),
        }
    }
}
