//! The settings in force, as whoever describes a ledger is told them: nothing in them is secret.

use std::net::SocketAddr;

use counterfoil_watch::{RuleInfo, RuleSet, Texts};
use serde::{Deserialize, Serialize};

use crate::settings::{Ack, Settings, TlogPublic};

/// The most rules, and the most documents that are no rules, that are named.
const MAX_RULES: usize = 1_000;

/// The settings of a service.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InForce {
    /// Where HTTP is answered.
    pub listen: SocketAddr,
    /// Where the PostgreSQL protocol is answered, if anywhere.
    pub pg: Option<SocketAddr>,
    /// Where OTLP over gRPC is answered, if anywhere.
    pub otlp_grpc: Option<SocketAddr>,
    /// Whether the service encrypts connections itself.
    pub tls: bool,
    /// Whether it recognises certificates of clients.
    pub client_certificates: bool,
    /// What of `/tlog` needs no token; without a choice everything on loopback and nothing elsewhere.
    pub tlog_public: Option<TlogPublic>,
    /// Where a copy is kept, if anywhere.
    pub ship: Option<Shipped>,
    /// When a request that records is answered.
    pub ack: Ack,
    /// The rules that watch the ledger, if any.
    pub rules: Option<Rules>,
    /// Where alerts are delivered.
    pub sinks: Vec<Sink>,
    /// Where the Iceberg table of the copy is kept, if anywhere.
    pub lake: Option<String>,
    /// What stays on the disk of what the copy holds; none for everything.
    pub prune_keep: Option<String>,
    /// The table in PostgreSQL that is compared with the ledger, if one is.
    pub postgres: Option<String>,
    /// How often is verified.
    pub verification: Verification,
}

/// Seconds between two verifications; 0 is never.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Verification {
    /// Of what is new.
    pub new_seconds: u64,
    /// Of everything.
    pub whole_seconds: u64,
    /// Within which every sealed block is read again and a table is compared.
    pub scrub_seconds: u64,
}

/// Where a copy is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Shipped {
    /// The place.
    pub to: String,
    /// What every object is written under; none for what the bucket says.
    pub retain: Option<String>,
    /// Whether every object is also kept until the hold is lifted.
    pub legal_hold: bool,
}

/// The rules of a folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rules {
    /// The folder.
    pub folder: String,
    /// Those that raise alerts.
    pub loaded: Vec<Rule>,
    /// What was left out, and why.
    pub skipped: Vec<String>,
}

/// One rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rule {
    /// Its title.
    pub title: String,
    /// How grave its alerts are.
    pub level: String,
    /// What it is for.
    pub description: String,
}

/// Where alerts are delivered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sink {
    /// Its name.
    pub name: String,
    /// What kind of receiver it has.
    pub r#type: String,
    /// Where that is, without credentials.
    pub address: String,
}

impl InForce {
    /// What settings say, and the folder of rules as it is now.
    pub fn of(settings: &Settings) -> Self {
        let ship = settings.ship.as_ref().map(|ship| Shipped {
            to: ship.to.to_string(),
            retain: ship.retain.map(|retain| retain.to_string()),
            legal_hold: ship.legal_hold,
        });
        let sinks = settings.sinks.iter().flat_map(|config| &config.sinks).map(|sink| Sink {
            name: sink.name.clone(),
            r#type: sink.kind().to_owned(),
            address: sink.address(),
        });
        Self {
            listen: settings.listen,
            pg: settings.pg,
            otlp_grpc: settings.otlp_grpc,
            tls: settings.tls.is_some(),
            client_certificates: settings.tls.as_ref().is_some_and(|tls| tls.client_authorities.is_some()),
            tlog_public: settings.tlog_public,
            ship,
            ack: settings.ack,
            rules: settings.rules.as_deref().map(rules),
            sinks: sinks.collect(),
            lake: settings.lake.as_ref().map(ToString::to_string),
            prune_keep: settings.prune_keep.map(|keep| keep.to_string()),
            postgres: settings.postgres.as_ref().map(|postgres| postgres.dsn.to_string()),
            verification: Verification {
                new_seconds: settings.schedule.every.as_secs(),
                whole_seconds: settings.schedule.whole.as_secs(),
                scrub_seconds: settings.schedule.scrub.as_secs(),
            },
        }
    }
}

fn rules(folder: &std::path::Path) -> Rules {
    let mut told = Rules { folder: folder.display().to_string(), loaded: Vec::new(), skipped: Vec::new() };
    match Texts::read(folder) {
        Ok(texts) => {
            let set = RuleSet::of(&texts);
            let rule = |rule: &RuleInfo| Rule {
                title: rule.title.clone(),
                level: rule.level.to_owned(),
                description: rule.description.clone().unwrap_or_default(),
            };
            told.loaded = set.rules.iter().filter(|rule| !rule.base).take(MAX_RULES).map(rule).collect();
            let skipped = set.problems.iter().filter(|problem| problem.skipped);
            told.skipped = skipped.take(MAX_RULES).map(ToString::to_string).collect();
        }
        Err(error) => told.skipped.push(error.message),
    }
    told
}
