//! Trust policies: which logs, and whose cosignatures make a checkpoint valid (C2SP tlog-policy).

use std::collections::{BTreeMap, BTreeSet};

use crate::{Checkpoint, Error, KeyType, MAX_NOTE_BYTES, Note, OpenedCheckpoint, OpenedNote, VerifierKey, encoding};

/// Logs, witnesses, and the quorum of witnesses that a checkpoint needs.
#[derive(Clone, Debug)]
pub struct Policy {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    quorum: Option<Member>,
}

/// A log whose checkpoints are accepted. The name of its key is its origin.
#[derive(Clone, Debug)]
pub struct Log {
    /// The log's key.
    pub key: VerifierKey,
    /// Where the log is reached, as it stands in the policy: any bytes but white space and control characters.
    pub url: Option<Vec<u8>>,
}

/// A witness whose cosignatures count.
#[derive(Clone, Debug)]
pub struct Witness {
    /// The name within the policy: any bytes but white space and control characters.
    pub name: Vec<u8>,
    /// The witness's key.
    pub key: VerifierKey,
    /// Where the witness is reached, as it stands in the policy.
    pub url: Option<Vec<u8>>,
}

#[derive(Clone, Debug)]
struct Group {
    threshold: usize,
    members: Vec<Member>,
}

#[derive(Clone, Copy, Debug)]
enum Member {
    Witness(usize),
    Group(usize),
}

impl Policy {
    /// Reads a policy.
    ///
    /// Errors: [`Error::InvalidPolicy`] with the line.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(Error::InvalidPolicy { line: 1, reason: "the policy has more than 1000000 bytes".into() });
        }
        let mut draft = Draft::default();
        let mut lines = 0;
        for line in bytes.split(|byte| *byte == b'\n') {
            lines += 1;
            let refuse = |reason| Error::InvalidPolicy { line: lines, reason };
            if line.iter().any(|byte| matches!(byte, 0..=8 | 0x0b..=0x1f | 0x7f)) {
                return Err(refuse("it contains a control character".into()));
            }
            let items: Vec<_> = line.split(|byte| b" \t".contains(byte)).filter(|item| !item.is_empty()).collect();
            if items.first().is_some_and(|item| !item.starts_with(b"#")) {
                draft.read(&items).map_err(refuse)?;
            }
        }
        let Draft { logs, witnesses, groups, quorum, .. } = draft;
        let missing = || Error::InvalidPolicy { line: lines + 1, reason: "there is no quorum line".into() };
        Ok(Self { logs, witnesses, groups, quorum: quorum.ok_or_else(missing)? })
    }

    /// The logs in their order.
    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// The witnesses in their order.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// Reads a signed checkpoint and checks that a listed log signed it and that its cosignatures make the quorum.
    ///
    /// Errors: [`Error::UnknownLog`], [`Error::QuorumNotMet`] and those of [`Checkpoint::open`].
    pub fn open(&self, note: &[u8]) -> Result<OpenedCheckpoint, Error> {
        let origin = Note::parse(note)?.text().parse::<Checkpoint>()?.origin;
        let log_keys: Vec<_> = self
            .logs
            .iter()
            .filter(|log| log.key.name().as_str() == origin.as_str())
            .map(|log| log.key.clone())
            .collect();
        if log_keys.is_empty() {
            return Err(Error::UnknownLog(origin));
        }
        let witness_keys: Vec<_> = self.witnesses.iter().map(|witness| witness.key.clone()).collect();
        let opened = Checkpoint::open(note, &origin, &log_keys, &witness_keys)?;
        if self.is_quorum(&opened.note) { Ok(opened) } else { Err(Error::QuorumNotMet) }
    }

    /// Whether the verified signatures of a note make the quorum.
    pub fn is_quorum(&self, note: &OpenedNote) -> bool {
        let witnesses: Vec<bool> = self.witnesses.iter().map(|witness| note.is_signed_by(&witness.key)).collect();
        let mut groups = Vec::with_capacity(self.groups.len());
        let holds = |member: &Member, groups: &[bool]| match *member {
            Member::Witness(index) => witnesses[index],
            Member::Group(index) => groups[index],
        };
        for group in &self.groups {
            let present = group.members.iter().filter(|member| holds(member, &groups)).count();
            groups.push(present >= group.threshold);
        }
        self.quorum.is_none_or(|member| holds(&member, &groups))
    }
}

/// A policy while its lines are read.
#[derive(Default)]
struct Draft {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    quorum: Option<Option<Member>>,
    names: BTreeMap<Vec<u8>, Member>,
    grouped: BTreeSet<Vec<u8>>,
}

impl Draft {
    fn read(&mut self, items: &[&[u8]]) -> Result<(), String> {
        match items {
            [b"log", key, url @ ..] if url.len() < 2 => self.log(key, url.first()),
            [b"witness", name, key, url @ ..] if url.len() < 2 => self.witness(name, key, url.first()),
            [b"group", name, threshold, members @ ..] if !members.is_empty() => self.group(name, threshold, members),
            [b"quorum", name] => self.quorum(name),
            _ => Err("it is not a log, witness, group or quorum line with its items".into()),
        }
    }

    fn log(&mut self, key: &[u8], url: Option<&&[u8]>) -> Result<(), String> {
        let key = read_key(key)?;
        if key.key_type() == KeyType::Cosignature {
            return Err("a log does not sign with a cosignature/v1 key".into());
        }
        check_new(&key, self.logs.iter().map(|log| &log.key))?;
        self.logs.push(Log { key, url: url.map(|url| url.to_vec()) });
        Ok(())
    }

    fn witness(&mut self, name: &[u8], key: &[u8], url: Option<&&[u8]>) -> Result<(), String> {
        let key = read_key(key)?;
        if key.key_type() == KeyType::Ed25519 {
            return Err("a witness needs a cosignature key, of type 0x04 or 0x06".into());
        }
        check_new(&key, self.witnesses.iter().map(|witness| &witness.key))?;
        self.define(name, Member::Witness(self.witnesses.len()))?;
        self.witnesses.push(Witness { name: name.to_vec(), key, url: url.map(|url| url.to_vec()) });
        Ok(())
    }

    fn group(&mut self, name: &[u8], threshold: &[u8], members: &[&[u8]]) -> Result<(), String> {
        let threshold = match threshold {
            b"all" => members.len(),
            b"any" => 1,
            number => str::from_utf8(number)
                .ok()
                .and_then(encoding::decimal)
                .and_then(|number| usize::try_from(number).ok())
                .filter(|number| (1..=members.len()).contains(number))
                .ok_or("the threshold is not all, any, or a number from 1 to the number of members")?,
        };
        let mut resolved = Vec::with_capacity(members.len());
        for member in members {
            resolved.push(self.resolve(member)?);
            if !self.grouped.insert(member.to_vec()) {
                return Err(format!("{} is a member already", show(member)));
            }
        }
        self.define(name, Member::Group(self.groups.len()))?;
        self.groups.push(Group { threshold, members: resolved });
        Ok(())
    }

    fn quorum(&mut self, name: &[u8]) -> Result<(), String> {
        let quorum = if name == b"none" { None } else { Some(self.resolve(name)?) };
        match self.quorum.replace(quorum) {
            None => Ok(()),
            Some(_) => Err("it is the second quorum line".into()),
        }
    }

    fn define(&mut self, name: &[u8], member: Member) -> Result<(), String> {
        if name == b"none" {
            return Err("the name none is reserved".into());
        }
        match self.names.insert(name.to_vec(), member) {
            None => Ok(()),
            Some(_) => Err(format!("the name {} is taken", show(name))),
        }
    }

    fn resolve(&self, name: &[u8]) -> Result<Member, String> {
        self.names.get(name).copied().ok_or_else(|| format!("{} is not defined above", show(name)))
    }
}

fn read_key(text: &[u8]) -> Result<VerifierKey, String> {
    let text = str::from_utf8(text).map_err(|_| "the key is not UTF-8")?;
    text.parse().map_err(|error: Error| error.to_string())
}

/// Two keys are the same when their bytes are, whatever their names and types.
fn check_new<'a>(key: &VerifierKey, mut others: impl Iterator<Item = &'a VerifierKey>) -> Result<(), String> {
    let bytes = key.public_key();
    if others.any(|other| other.public_key() == bytes) { Err("the key is listed twice".into()) } else { Ok(()) }
}

fn show(name: &[u8]) -> String {
    name.escape_ascii().to_string()
}
