//! The design document: what a trail is, where it lies, who may do what, and what to do when something happens. It is
//! written from the configuration that is in force, so it says what is and not what was planned.

mod incidents;
mod parts;

use serde::{Deserialize, Serialize};

use crate::clauses::{Of, annex, section};
use crate::moment::{Moment, grouped};
use crate::page::{Page, figure};
use crate::report::{Copy, Evidence};
use crate::text::Text;

/// The configuration of a trail. Names only: no secret belongs in here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The ledger's name: `Snapshot::origin`.
    pub origin: String,
    /// Its names before it was restored, oldest first: `LedgerConfig::earlier`.
    pub earlier_origins: Vec<String>,
    /// When the document was written: the only clock in it.
    pub written: Moment,
    /// The version of the program.
    pub version: String,
    /// Entries when it was written: `Snapshot::size`.
    pub size: u64,
    /// The types of events that the ledger holds, with their counts: [`EVENT_TYPES`](crate::sql::EVENT_TYPES) over all entries.
    pub in_use: crate::report::Listed<crate::report::Count>,
    /// Where it lies.
    pub locations: Locations,
    /// Its keys.
    pub keys: Keys,
    /// Who may do what: `state/tokens.json` by way of `counterfoil token list`, names and roles alone. None where they are not known.
    pub tokens: Option<Vec<Token>>,
    /// The rules in force, and where alerts go. None where the settings are not known.
    pub watch: Option<Watch>,
    /// The schedule of verifications.
    pub verification: Schedule,
    /// The retention class of entries whose type names none, where it is known: `LedgerConfig::retention_class`.
    pub retention_class: Option<String>,
    /// What every object of the copy is written under, in the words of the settings.
    pub retain: Option<String>,
    /// Legal holds in force: [`HOLDS`](crate::sql::HOLDS).
    pub holds: crate::report::Listed<crate::report::Hold>,
    /// Whom to call, as the operator says: role and how to reach it.
    pub contacts: Vec<Contact>,
    /// The evidence bundle beside the document, if one was written.
    pub bundle: Option<Evidence>,
}

/// Where a trail lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locations {
    /// The ledger, as the command was told: a folder, a service's URL or a bucket.
    pub folder: String,
    /// Entries of a full segment: `LedgerConfig::segment_span`.
    pub segment_span: u64,
    /// Where the service listens, and how: from its settings. None where these are not known.
    pub service: Option<Service>,
    /// The copy in an object store.
    pub copy: Option<Copy>,
    /// Where the Iceberg table of the copy is kept, if anywhere.
    pub lake: Option<String>,
    /// What stays on the disk of what the copy holds; none for everything.
    pub prune_keep: Option<String>,
    /// The audit tables in PostgreSQL that are followed: the sources of their entries.
    pub postgres: Vec<String>,
    /// The database whose audit table the service compares with the ledger, if any.
    pub compared: Option<String>,
}

/// A service's doors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The addresses, each with what is answered there.
    pub addresses: Vec<(String, String)>,
    /// Whether connections are encrypted by the service itself.
    pub tls: bool,
    /// What of `/tlog` needs no token.
    pub tlog_public: String,
}

/// The keys of a trail: public halves and names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// The key under which checkpoints are signed: `Snapshot::verifier_key`.
    pub verifier_key: String,
    /// The keys of clients that sign: entries `ledger.key_registered` and `ledger.key_revoked`.
    pub clients: Vec<ClientKey>,
    /// Witnesses whose cosignatures the newest checkpoint carries; they are not checked.
    pub witnesses: Vec<String>,
}

/// A client's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientKey {
    /// Its id, in hexadecimal digits.
    pub id: String,
    /// The actors for which it may sign.
    pub actors: Vec<String>,
    /// Since when.
    pub registered_at: Moment,
    /// Until when, if it was revoked.
    pub revoked_at: Option<Moment>,
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Whose.
    pub name: String,
    /// `writer`, `reader`, `auditor`, `admin`.
    pub role: String,
    /// The prefixes of event types that it may record; none for all.
    pub prefixes: Vec<String>,
    /// When it ends.
    pub expires_at: Option<Moment>,
}

/// Rules and sinks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// The rules in force; none where no folder of rules is set.
    pub rules: Vec<Rule>,
    /// Rules that were left out, each with why.
    pub left_out: Vec<String>,
    /// Where alerts go, without credentials.
    pub sinks: Vec<Sink>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its title.
    pub title: String,
    /// How grave its alerts are.
    pub level: String,
    /// What it is for.
    pub purpose: String,
}

/// Where alerts go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sink {
    /// Its name in the settings.
    pub name: String,
    /// Its kind: mail, webhook, syslog, …
    pub kind: String,
    /// Where it leads, without credentials.
    pub target: String,
}

/// When the ledger is verified.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Seconds between verifications of what is new by the service; none for never.
    pub new_seconds: Option<u64>,
    /// Seconds between verifications of everything.
    pub whole_seconds: Option<u64>,
    /// Seconds within which every sealed block is read again.
    pub scrub_seconds: Option<u64>,
    /// The last one that is recorded.
    pub last: Option<crate::report::Run>,
    /// What verifies it from outside, as the operator says.
    pub outside: Vec<String>,
}

/// Somebody to call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// For what.
    pub role: String,
    /// Who, and how.
    pub reach: String,
}

impl Document {
    pub(crate) fn page(&self) -> Page {
        let document = Of::Document;
        let mut sections = vec![
            section(document, "purpose", "What this trail is", parts::purpose(self)),
            section(document, "schema", "What an entry holds", parts::schema()),
            section(document, "events", "Types of events", parts::events(self)),
            section(document, "locations", "Where it lies", parts::locations(&self.locations)),
            section(document, "retention", "How long it is kept", parts::retention(self)),
            section(document, "keys", "Keys", parts::keys(&self.keys)),
            section(document, "roles", "Roles and tokens", parts::roles(self.tokens.as_deref())),
            section(document, "rules", "Rules and where alerts go", parts::watch(self.watch.as_ref())),
            section(document, "verification", "How it is verified", parts::verification(self)),
            section(document, "incidents", "What to do when something happens", incidents::blocks(self)),
        ];
        sections.push(annex(document, &sections));
        let revoked = self.keys.clients.iter().filter(|key| key.revoked_at.is_some()).count();
        Page {
            title: "Design of the audit trail".into(),
            subtitle: format!("Audit ledger {}, as configured on {}", self.origin, self.written).into(),
            running: format!("{}, {}", self.origin, self.written.date()).into(),
            written: self.written.rfc3339(),
            alarm: Vec::new(),
            figures: vec![
                figure(grouped(self.size), "entries"),
                figure(self.tokens.as_ref().map_or("–".to_owned(), |tokens| grouped(tokens.len() as u64)), "tokens"),
                figure(grouped((self.keys.clients.len() - revoked) as u64), "keys of clients in force"),
            ],
            missing: self.missing(),
            missing_title: "What is not set up".into(),
            sections,
        }
    }

    fn missing(&self) -> Vec<Text> {
        let (locations, schedule) = (&self.locations, &self.verification);
        let is_known = self.watch.is_some();
        let no_rules = self.watch.as_ref().is_some_and(|watch| watch.rules.is_empty() && watch.left_out.is_empty());
        let no_sink = self.watch.as_ref().is_some_and(|watch| watch.sinks.is_empty());
        let left_out = self.watch.as_ref().map_or(0, |watch| watch.left_out.len());
        let plain = locations.service.as_ref().is_some_and(|service| !service.tls);
        let unlocked = locations.copy.as_ref().is_some_and(|copy| copy.unlocked > 0 || copy.checked_at.is_none());
        let items = [
            (
                !is_known,
                "The settings are not known: neither a running service nor a file of settings (--config) told them.",
            ),
            (
                locations.copy.is_none() && is_known,
                "No copy under lock: losing the machine, or its owner, loses the trail.",
            ),
            (
                unlocked,
                "The copy is not known to be locked as a whole: its locks were not read back, or some are missing.",
            ),
            (
                schedule.whole_seconds.is_none() && is_known,
                "The service does not verify the whole ledger by itself (verify-whole-hours).",
            ),
            (schedule.outside.is_empty(), "Nothing outside is named that keeps checkpoints and verifies against them."),
            (
                self.keys.witnesses.is_empty(),
                "No witness cosigns the checkpoints, and the ledger keeps no cosignatures.",
            ),
            (no_rules, "No rules are set: only what the ledger notices by itself raises alerts."),
            (no_sink, "No sink is set: alerts stay in the ledger."),
            (left_out > 0, "Some rules were left out; the section on rules says which and why."),
            (plain, "The service does not encrypt connections itself: something in front must."),
            (self.contacts.is_empty(), "Nobody is named who is to be called."),
        ];
        items.into_iter().filter(|(is_missing, _)| *is_missing).map(|(_, words)| words.into()).collect()
    }
}
