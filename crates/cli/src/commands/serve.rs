//! `counterfoil serve`

mod announcer;
mod log;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use counterfoil::OpenOptions;
use counterfoil_postgres::Dsn;
use counterfoil_server::in_force::InForce;
use counterfoil_server::{Ack, Postgres, Schedule, Served, Settings, Ship, TlogPublic, Tls};
use counterfoil_ship::{Retention, Settings as ShipSettings};
use counterfoil_sink::Config;
use serde::Deserialize;

use crate::commands::rules;
use crate::exit::{Exit, Failure, Outcome};
use crate::ledgers;
use crate::output;

use announcer::Announcer;
use log::LogFormat;

/// The longest time between two verifications: a year.
const MAX_PERIOD_SECONDS: f64 = 366.0 * 86_400.0;

/// Most of anything that is counted at once.
const MAX_AT_ONCE: usize = 1_000_000;

/// Answer requests: the HTTP API, standard ingest, SQL over the PostgreSQL protocol, and the console in a browser
///
/// The service is the ledger's one writer until it ends on SIGTERM or Ctrl-C: requests under way are finished first.
/// On a terminal it prints a link that signs its starter in, once. Everybody else needs a token: see `counterfoil
/// token`. Other commands may be used on the folder meanwhile: what reads reads the folder, what writes goes through
/// the service.
///
/// Each setting can also stand in the environment, or in a TOML file under its name (`listen`, `pg`, `tls-cert`, …). The
/// command line wins over the environment, that over the file.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil serve audit
  counterfoil serve audit --pg 127.0.0.1:7412 --otlp-grpc 127.0.0.1:4317
  counterfoil serve audit --listen 0.0.0.0:7411 \\
    --tls-cert cert.pem --tls-key key.pem
  counterfoil serve audit --ship s3://bank-audit/payments \\
    --ship-retain compliance:2190
  counterfoil serve audit --ship s3://bank-audit/payments \\
    --lake s3://bank-lake/payments --prune-keep 90d
  counterfoil serve audit --rules rules --sinks sinks.toml
  counterfoil serve s3://bank-audit/payments --read-only

Exit codes: 0 ended on request, 4 another process has the ledger open for writing, 5 an address cannot be had, \
6 plain text beyond loopback, 11 the folder does not extend the copy at --ship. Other exit codes: see `counterfoil --help`.")]
pub struct Serve {
    /// The ledger's folder; with --read-only also a copy in an object store, s3://BUCKET/PREFIX, gs:// or az://.
    ledger: PathBuf,
    /// Only read: nothing is recorded, also not what is asked. Tokens live in memory and end with the service.
    #[arg(long)]
    read_only: bool,
    /// A TOML file with any of these settings.
    #[arg(long, value_name = "FILE", env = "COUNTERFOIL_CONFIG")]
    config: Option<PathBuf>,
    /// Print the sign-in link although standard output is no terminal: whoever reads it is the administrator, once.
    #[arg(long)]
    print_link: bool,
    /// The ledger is one of a drill: its alerts say so, and the service ends with its standard input.
    #[arg(long, hide = true, conflicts_with = "read_only")]
    drill: bool,
    #[command(flatten)]
    chosen: Chosen,
}

/// The settings, each from the command line, the environment or a file.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Chosen {
    /// Where HTTP is answered: the API and the console [default: 127.0.0.1:7411].
    #[arg(long, value_name = "ADDR", env = "COUNTERFOIL_LISTEN", value_parser = parse_address)]
    listen: Option<SocketAddr>,
    /// Where the PostgreSQL protocol is answered; without it nowhere.
    #[arg(long, value_name = "ADDR", env = "COUNTERFOIL_PG", value_parser = parse_address)]
    pg: Option<SocketAddr>,
    /// Where OTLP over gRPC is answered; without it nowhere.
    #[arg(long, value_name = "ADDR", env = "COUNTERFOIL_OTLP_GRPC", value_parser = parse_address)]
    otlp_grpc: Option<SocketAddr>,
    /// The certificate chain for TLS, a PEM file; read again when it changes.
    #[arg(long, value_name = "FILE", env = "COUNTERFOIL_TLS_CERT")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key, a PEM file.
    #[arg(long, value_name = "FILE", env = "COUNTERFOIL_TLS_KEY")]
    tls_key: Option<PathBuf>,
    /// Authorities whose client certificates are recognised, a PEM file: the common name is the principal's name.
    #[arg(long, value_name = "FILE", env = "COUNTERFOIL_TLS_CLIENT_CA")]
    tls_client_ca: Option<PathBuf>,
    /// Listen beyond loopback without TLS, because something in front of the service adds it.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", env = "COUNTERFOIL_ALLOW_PLAIN_TEXT")]
    allow_plain_text: Option<bool>,
    /// What of /tlog needs no token: none, checkpoint, tiles, all [default: all on loopback, else none].
    #[arg(long, value_name = "WHAT", env = "COUNTERFOIL_TLOG_PUBLIC")]
    tlog_public: Option<TlogPublic>,
    /// How long a query may run, in seconds [default: 30].
    #[arg(long, value_name = "N", env = "COUNTERFOIL_QUERY_SECONDS")]
    query_seconds: Option<u64>,
    /// How much memory a query may take, in MiB [default: 1024].
    #[arg(long, value_name = "N", env = "COUNTERFOIL_QUERY_MEMORY_MIB")]
    query_memory_mib: Option<usize>,
    /// How many rows a query may answer [default: 1000000].
    #[arg(long, value_name = "N", env = "COUNTERFOIL_QUERY_ROWS")]
    query_rows: Option<u64>,
    /// How many queries may run at once [default: 8].
    #[arg(long, value_name = "N", env = "COUNTERFOIL_QUERIES_AT_ONCE")]
    queries_at_once: Option<usize>,
    /// How many appends may wait for the ledger at once [default: 400].
    #[arg(long, value_name = "N", env = "COUNTERFOIL_APPENDS_AT_ONCE")]
    appends_at_once: Option<usize>,
    /// How many connections may be open at once [default: 20000].
    #[arg(long, value_name = "N", env = "COUNTERFOIL_CONNECTIONS")]
    connections: Option<usize>,
    /// Where a copy is kept under Object Lock, in the background: s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or
    /// az://CONTAINER/PREFIX (credentials and endpoint as for `counterfoil ship`).
    #[arg(long, value_name = "LOCATION", env = "COUNTERFOIL_SHIP")]
    pub(super) ship: Option<String>,
    /// The retention of every object of the copy, MODE being compliance or governance; without days the longest class of the
    /// catalog and the ledger [default: the bucket's].
    #[arg(long, value_name = "MODE[:DAYS]", env = "COUNTERFOIL_SHIP_RETAIN")]
    pub(super) ship_retain: Option<String>,
    /// Keep every object of the copy beyond its retention until the hold is lifted.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", env = "COUNTERFOIL_SHIP_LEGAL_HOLD")]
    ship_legal_hold: Option<bool>,
    /// When what records is answered unless the request says so: durable, or shipped, when the copy holds it too [default:
    /// durable].
    #[arg(long, value_name = "WHEN", env = "COUNTERFOIL_ACK")]
    ack: Option<Ack>,
    /// Where an Apache Iceberg table of the copy is kept, for analysts: s3://BUCKET/PREFIX, apart from the copy and without Object
    /// Lock; new segments join it when they were shipped.
    #[arg(long, value_name = "LOCATION", env = "COUNTERFOIL_LAKE")]
    lake: Option<String>,
    /// What stays on the disk: what was recorded in so many days (90d), or so many of the newest entries (1000000entries). Older
    /// segments go once the copy was found to hold every byte of them, locked for another 30 days [default: everything].
    #[arg(long, value_name = "WHAT", env = "COUNTERFOIL_PRUNE_KEEP")]
    prune_keep: Option<String>,
    /// The folder of the rules that watch the ledger (`counterfoil rules init DIR` makes one); read again when it changes.
    #[arg(long, value_name = "DIR", env = "COUNTERFOIL_RULES")]
    pub(super) rules: Option<PathBuf>,
    /// Where alerts are delivered: a TOML file with a [[sink]] table for each.
    #[arg(long, value_name = "FILE", env = "COUNTERFOIL_SINKS")]
    pub(super) sinks: Option<PathBuf>,
    /// How often what is new in the ledger and its copy is verified, in minutes; 0 is never [default: 5].
    #[arg(long, value_name = "N", env = "COUNTERFOIL_VERIFY_EVERY_MINUTES", allow_negative_numbers = true)]
    verify_every_minutes: Option<f64>,
    /// How often everything in the ledger and its copy is verified, in hours; 0 is never [default: 24].
    #[arg(long, value_name = "N", env = "COUNTERFOIL_VERIFY_WHOLE_HOURS", allow_negative_numbers = true)]
    verify_whole_hours: Option<f64>,
    /// The time within which every sealed block is read again and the table in PostgreSQL is compared, in hours; 0 is never, and the
    /// table is then compared every --verify-whole-hours [default: 6].
    #[arg(long, value_name = "N", env = "COUNTERFOIL_SCRUB_HOURS", allow_negative_numbers = true)]
    scrub_hours: Option<f64>,
    /// The database whose audit table this ledger follows, to compare both every --scrub-hours: postgres://USER@HOST:PORT/DATABASE.
    /// Keep its password in PGPASSWORD, PGPASSFILE or ~/.pgpass.
    #[arg(long, value_name = "DSN", env = "COUNTERFOIL_POSTGRES")]
    pub(super) postgres: Option<String>,
    /// The replication slot of the follower of that table [default: counterfoil].
    #[arg(long, value_name = "NAME", env = "COUNTERFOIL_POSTGRES_SLOT")]
    postgres_slot: Option<String>,
    /// What that follower noticed before this entry was looked into: it is no finding any more [default: 0].
    #[arg(long, value_name = "INDEX", env = "COUNTERFOIL_POSTGRES_LOOKED_INTO")]
    postgres_looked_into: Option<u64>,
    /// How long requests under way may take when the service ends, in seconds [default: 20].
    #[arg(long, value_name = "N", env = "COUNTERFOIL_DRAIN_SECONDS")]
    drain_seconds: Option<u64>,
    /// How the log is written, on standard error: text or json [default: text].
    #[arg(long, value_name = "FORM", env = "COUNTERFOIL_LOG_FORMAT")]
    log_format: Option<LogFormat>,
    /// What is logged: error, warn, info, debug, or a filter such as counterfoil_server=debug [default: info].
    #[arg(long, value_name = "FILTER", env = "COUNTERFOIL_LOG")]
    log: Option<String>,
}

impl Serve {
    pub(super) fn run(self) -> Outcome {
        let served = self.served()?;
        let file = self.config.as_deref().map(read).transpose()?.unwrap_or_default();
        let chosen = self.chosen.over(file);
        let log_format = chosen.log_format.unwrap_or_default();
        log::start(chosen.log.as_deref(), log_format)?;
        let settings = Settings { drill: self.drill, ..chosen.settings(self.read_only)? };
        let writes = settings.ship.is_some()
            || settings.ack == Ack::Shipped
            || settings.prune_keep.is_some()
            || settings.lake.is_some()
            || settings.rules.is_some()
            || settings.sinks.is_some()
            || settings.postgres.is_some();
        if self.read_only && writes {
            return Err(Failure::invalid(
                "a ledger that is only read is neither shipped, pruned nor watched: leave out --ship, --ack, --lake, --prune-keep, \
                 --rules, --sinks and --postgres",
            ));
        }
        settings.rules.as_deref().map(rules::refuse_missing).transpose()?;
        if settings.postgres.is_some() && settings.schedule.scrub.is_zero() {
            let hours = settings.schedule.whole.as_secs_f64() / 3600.0;
            tracing::warn!(
                "scrub-hours is 0: the table in PostgreSQL is compared every {hours} hours (verify-whole-hours)"
            );
        }
        let announcer = Announcer {
            ledger: &self.ledger,
            read_only: self.read_only,
            link: self.print_link,
            terminal: output::is_terminal(),
            log_alone: log_format == LogFormat::Json,
        };
        counterfoil_server::run(served, settings, |at| announcer.announce(at))
            .map_err(|error| ledgers::held(&self.ledger, error))?;
        Ok(Exit::Good)
    }
}

impl Serve {
    /// What the arguments name.
    fn served(&self) -> Result<Served, Failure> {
        match ledgers::location(&self.ledger)? {
            Some(location) if self.read_only => Ok(Served::Copy(location, ShipSettings::from_environment())),
            Some(location) => Err(Failure::invalid(format!(
                "{location} is only read: add --read-only, or bring it back first (counterfoil restore {location} NEW)"
            ))),
            None if self.read_only => {
                ledgers::check_folder(&self.ledger)?;
                Ok(Served::ReadOnly(self.ledger.clone()))
            }
            None => {
                ledgers::check_folder_to_write(&self.ledger)?;
                Ok(Served::Ledger(self.ledger.clone(), OpenOptions::default()))
            }
        }
    }
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "give IP:PORT, as 127.0.0.1:7411".to_owned())
}

/// The settings that a file holds, as a service would have them.
pub fn in_force(path: &Path) -> Result<InForce, Failure> {
    Ok(InForce::of(&read(path)?.settings(false)?))
}

/// The settings of a file.
pub(super) fn read(path: &Path) -> Result<Chosen, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path.display(), &error))?;
    toml::from_str(&text).map_err(|error| Failure::invalid(format!("{}: {error}", path.display())))
}

macro_rules! over {
    ($own:ident $file:ident $($name:ident)*) => { Chosen { $($name: $own.$name.or($file.$name),)* } };
}

impl Chosen {
    /// These settings, and those of the file where nothing was chosen.
    fn over(self, file: Self) -> Self {
        over!(self file listen pg otlp_grpc tls_cert tls_key tls_client_ca allow_plain_text tlog_public query_seconds
            query_memory_mib query_rows queries_at_once appends_at_once connections ship ship_retain ship_legal_hold ack
            lake prune_keep rules sinks verify_every_minutes verify_whole_hours scrub_hours postgres postgres_slot postgres_looked_into
            drain_seconds log_format log)
    }

    fn settings(self, read_only: bool) -> Result<Settings, Failure> {
        let default = Settings::default();
        let (schedule, postgres) = (self.schedule(read_only)?, self.postgres()?);
        if postgres.is_some() && !read_only && schedule.whole.is_zero() && schedule.scrub.is_zero() {
            return Err(Failure::invalid(
                "--postgres: the table is compared every --scrub-hours, or every --verify-whole-hours where that is 0; both are 0, so it \
                 never would be",
            ));
        }
        let tls = match (self.tls_cert, self.tls_key, self.tls_client_ca) {
            (Some(certificate), Some(key), client_authorities) => Some(Tls { certificate, key, client_authorities }),
            (None, None, None) => None,
            _ => return Err(Failure::invalid("TLS needs both --tls-cert and --tls-key")),
        };
        let ship = ship(self.ship.as_deref(), self.ship_retain.as_deref(), self.ship_legal_hold.unwrap_or_default())?;
        let ack = self.ack.unwrap_or_default();
        if ack == Ack::Shipped && ship.is_none() {
            return Err(Failure::invalid("--ack shipped needs a place to ship to: --ship s3://BUCKET/PREFIX"));
        }
        let beside = [("lake", self.lake.is_some()), ("prune-keep", self.prune_keep.is_some())];
        if let Some((name, _)) = beside.iter().find(|(_, chosen)| *chosen && ship.is_none()) {
            return Err(Failure::invalid(format!("--{name} needs a copy: --ship s3://BUCKET/PREFIX")));
        }
        let number = |name: &str, chosen: Option<usize>, default| match chosen.unwrap_or(default) {
            number @ 1..=MAX_AT_ONCE => Ok(number),
            _ => Err(Failure::invalid(format!("--{name} is 1 to {MAX_AT_ONCE}"))),
        };
        let seconds = |chosen: Option<u64>, default| chosen.map_or(default, Duration::from_secs);
        Ok(Settings {
            listen: self.listen.unwrap_or(default.listen),
            pg: self.pg,
            otlp_grpc: self.otlp_grpc,
            tls,
            allow_plain_text: self.allow_plain_text.unwrap_or_default(),
            tlog_public: self.tlog_public,
            query_time: seconds(self.query_seconds, default.query_time),
            query_memory_bytes: number("query-memory-mib", self.query_memory_mib, default.query_memory_bytes >> 20)?
                << 20,
            query_rows: self.query_rows.unwrap_or(default.query_rows),
            queries_at_once: number("queries-at-once", self.queries_at_once, default.queries_at_once)?,
            appends_at_once: number("appends-at-once", self.appends_at_once, default.appends_at_once)?,
            connections: number("connections", self.connections, default.connections)?,
            ship,
            ack,
            lake: self.lake.as_deref().map(str::parse).transpose()?,
            prune_keep: self.prune_keep.as_deref().map(str::parse).transpose()?,
            rules: self.rules,
            sinks: self.sinks.as_deref().map(Config::load).transpose()?,
            schedule,
            postgres,
            drain_time: seconds(self.drain_seconds, default.drain_time),
            drill: default.drill,
        })
    }
}

impl Chosen {
    /// How often is verified. A ledger that is only read is somebody else's to verify, unless asked.
    fn schedule(&self, read_only: bool) -> Result<Schedule, Failure> {
        let default = if read_only { Schedule::NEVER } else { Schedule::default() };
        Ok(Schedule {
            every: period("verify-every-minutes", self.verify_every_minutes, 60.0, default.every)?,
            whole: period("verify-whole-hours", self.verify_whole_hours, 3600.0, default.whole)?,
            scrub: period("scrub-hours", self.scrub_hours, 3600.0, default.scrub)?,
        })
    }

    /// The table that is compared, from the three settings that say so.
    fn postgres(&self) -> Result<Option<Postgres>, Failure> {
        let Some(dsn) = &self.postgres else {
            return match self.postgres_slot.is_some() || self.postgres_looked_into.is_some() {
                true => Err(Failure::invalid("--postgres-slot and --postgres-looked-into need --postgres DSN")),
                false => Ok(None),
            };
        };
        let slot = self.postgres_slot.clone().unwrap_or_else(|| "counterfoil".to_owned());
        let looked_into = self.postgres_looked_into.unwrap_or_default();
        Ok(Some(Postgres { dsn: Dsn::parse(dsn)?, slot, looked_into }))
    }
}

/// A time of so many units; parts of one are fine.
fn period(name: &str, chosen: Option<f64>, unit_seconds: f64, default: Duration) -> Result<Duration, Failure> {
    let Some(number) = chosen else { return Ok(default) };
    let seconds = number * unit_seconds;
    match seconds {
        0.0 => Ok(Duration::ZERO),
        1.0..=MAX_PERIOD_SECONDS => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(Failure::invalid(format!("--{name} is 0 for never, or a time from one second to a year"))),
    }
}

/// Where a copy is kept, from the three settings that say so.
fn ship(to: Option<&str>, retain: Option<&str>, legal_hold: bool) -> Result<Option<Ship>, Failure> {
    let retain = retain.map(str::parse::<Retention>).transpose()?;
    match (to, retain) {
        (Some(_), None) if legal_hold => Err(Failure::invalid("--ship-legal-hold needs --ship-retain MODE[:DAYS]")),
        (Some(to), retain) => {
            Ok(Some(Ship { to: to.parse()?, settings: ShipSettings::from_environment(), retain, legal_hold }))
        }
        (None, None) if !legal_hold => Ok(None),
        (None, _) => Err(Failure::invalid("--ship-retain and --ship-legal-hold need --ship s3://BUCKET/PREFIX")),
    }
}
