//! How a service is set up.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use axum::http::uri::Authority;
use counterfoil_postgres::Dsn;
use counterfoil_ship::{Keep, Location, Retention};
use serde::{Deserialize, Serialize};

/// What of `/tlog` needs no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlogPublic {
    /// Nothing.
    None,
    /// The checkpoint.
    Checkpoint,
    /// The checkpoint and the hashes.
    Tiles,
    /// Everything, the entries too.
    All,
}

impl std::str::FromStr for TlogPublic {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "none" => Ok(Self::None),
            "checkpoint" => Ok(Self::Checkpoint),
            "tiles" => Ok(Self::Tiles),
            "all" => Ok(Self::All),
            _ => Err(format!("{name:?} is not one of none, checkpoint, tiles, all")),
        }
    }
}

/// When a request that records is answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ack {
    /// When its entries are durable in the ledger.
    #[default]
    Durable,
    /// When the copy holds them too.
    Shipped,
}

impl std::str::FromStr for Ack {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "durable" => Ok(Self::Durable),
            "shipped" => Ok(Self::Shipped),
            _ => Err(format!("{name:?} is not one of durable, shipped")),
        }
    }
}

/// Where a copy of the ledger is kept.
#[derive(Debug, Clone)]
pub struct Ship {
    /// The place.
    pub to: Location,
    /// How it is reached.
    pub settings: counterfoil_ship::Settings,
    /// What every object is written under; by default what the bucket says.
    pub retain: Option<Retention>,
    /// Whether every object is also kept until the hold is lifted.
    pub legal_hold: bool,
}

/// How often is verified; zero is never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// What is new, of the ledger and its copy.
    pub every: Duration,
    /// Everything, of the ledger and its copy.
    pub whole: Duration,
    /// The time within which every sealed block is read again, and a table is compared.
    pub scrub: Duration,
}

impl Schedule {
    /// Nothing by itself.
    pub const NEVER: Self = Self { every: Duration::ZERO, whole: Duration::ZERO, scrub: Duration::ZERO };
}

impl Default for Schedule {
    fn default() -> Self {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        Self { every: Duration::from_secs(300), whole: hours(24), scrub: hours(6) }
    }
}

/// A table in PostgreSQL that the ledger follows and is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postgres {
    /// The database.
    pub dsn: Dsn,
    /// The replication slot of the ledger's follower.
    pub slot: String,
    /// What the follower noticed before this entry was looked into, and is no finding any more.
    pub looked_into: u64,
}

/// How a service is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where HTTP is answered.
    pub listen: SocketAddr,
    /// Where the PostgreSQL protocol is answered, if anywhere.
    pub pg: Option<SocketAddr>,
    /// Where OTLP over gRPC is answered, if anywhere.
    pub otlp_grpc: Option<SocketAddr>,
    /// The certificate chain and key of TLS, PEM files.
    pub tls: Option<Tls>,
    /// Whether addresses beyond loopback are listened on without TLS.
    pub allow_plain_text: bool,
    /// What of `/tlog` needs no token; by default all on loopback, unless a proxy sends the request on, and nothing
    /// elsewhere.
    pub tlog_public: Option<TlogPublic>,
    /// How long a query may run.
    pub query_time: Duration,
    /// How much memory a query may take.
    pub query_memory_bytes: usize,
    /// How many rows a query may answer.
    pub query_rows: u64,
    /// How many queries may run at once.
    pub queries_at_once: usize,
    /// How many appends may wait for the ledger at once.
    pub appends_at_once: usize,
    /// How many connections may be open at once, over all protocols.
    pub connections: usize,
    /// Where a copy is kept, if anywhere.
    pub ship: Option<Ship>,
    /// When a request that records is answered, unless it says so itself.
    pub ack: Ack,
    /// Where the Iceberg table of the copy is kept, if anywhere.
    pub lake: Option<Location>,
    /// What stays on the disk of what the copy holds; everything by default.
    pub prune_keep: Option<Keep>,
    /// The folder of the rules that watch it, if any.
    pub rules: Option<PathBuf>,
    /// Where alerts are delivered, if anywhere.
    pub sinks: Option<counterfoil_sink::Config>,
    /// How often is verified.
    pub schedule: Schedule,
    /// The table that is compared with the ledger, if one is.
    pub postgres: Option<Postgres>,
    /// How long requests under way may take when the service ends.
    pub drain_time: Duration,
    /// Whether the ledger is one of a drill: its alerts and messages say so, and the service ends with its standard input.
    pub drill: bool,
}

/// The files of TLS.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
    /// Authorities whose client certificates are recognised, if any.
    pub client_authorities: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7411)),
            pg: None,
            otlp_grpc: None,
            tls: None,
            allow_plain_text: false,
            tlog_public: None,
            query_time: Duration::from_secs(30),
            query_memory_bytes: 1 << 30,
            query_rows: 1_000_000,
            queries_at_once: 8,
            appends_at_once: 400,
            connections: 20_000,
            ship: None,
            ack: Ack::Durable,
            lake: None,
            prune_keep: None,
            rules: None,
            sinks: None,
            schedule: Schedule::default(),
            postgres: None,
            drain_time: Duration::from_secs(20),
            drill: false,
        }
    }
}

/// Whether a Host header names this machine's loopback.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_matches(['[', ']']);
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Settings {
    /// What of `/tlog` needs no token, in a request to this host.
    ///
    /// By default that is everything for whoever is on the machine itself and names it so: a page in a browser that made
    /// its own name point to the machine (DNS rebinding) is a stranger, and so is whoever comes through a proxy.
    pub(crate) fn tlog_public(&self, host: &str, by_proxy: bool) -> TlogPublic {
        let here = self.listen.ip().is_loopback() && is_loopback(host) && !by_proxy;
        self.tlog_public.unwrap_or(if here { TlogPublic::All } else { TlogPublic::None })
    }
}
