//! The design document of a ledger: its configuration as it is in force.

use std::collections::BTreeMap;
use std::path::Path;

use counterfoil::{ErrorKind, Registration, Status};
use counterfoil_entry::Fields;
use counterfoil_query::Limits;
use counterfoil_report::document::{
    ClientKey, Contact, Document, Keys, Locations, Rule, Schedule, Service, Sink, Token, Watch,
};
use counterfoil_report::report::{Checkpoint, Copy};
use counterfoil_report::{Moment, sql};
use counterfoil_server::in_force::{self, InForce, Verification};
use counterfoil_server::{TlogPublic, Tokens};

use super::answers::Answers;
use super::{gathering, state};
use crate::exit::Failure;
use crate::ledgers;
use crate::remote::{Call, Remote};
use crate::view::View;

/// What the sources of followed tables begin with.
const POSTGRES: &str = "postgres:";

/// What a design document is asked for.
pub struct Asked<'a> {
    /// The ledger, as the command was told.
    pub ledger: &'a Path,
    /// The settings of the service, from a file; those of a running service go before.
    pub settings: Option<InForce>,
    /// Where a copy is, if that was said.
    pub copy: Option<&'a str>,
    pub contacts: Vec<Contact>,
    /// What verifies the ledger from outside.
    pub outside: Vec<String>,
    /// When the document is written.
    pub now: Moment,
}

/// The configuration of a ledger.
pub fn describe(view: &View, asked: Asked<'_>) -> Result<Document, Failure> {
    let running = running(view, asked.ledger)?;
    let live = match &running {
        Some(service) => Some(service.ask::<InForce>(Call::get("/api/v1/settings")).map_err(needs_admin)?),
        None => None,
    };
    let settings = live.or(asked.settings);
    let answers = Answers::up_to(view, view.size(), &[]);
    let status = view.status()?;
    let place = match settings.as_ref().and_then(|settings| settings.ship.as_ref()) {
        Some(ship) => Some(ship.to.clone()),
        None => answers.rows(sql::SHIPPED)?.first().and_then(|row| row["place"].as_str().map(str::to_owned)),
    };
    let copy = match asked.copy {
        Some(place) => Some(state::named_copy(view, place, asked.now)?),
        None => place.map(|place| state::copy(view, &place, 0, asked.now)),
    };
    let last = answers.listed(sql::LAST_VERIFICATION)?.rows.pop();
    let every = |of: fn(&Verification) -> u64| {
        settings.as_ref().map(|settings| of(&settings.verification)).filter(|seconds| *seconds > 0)
    };
    Ok(Document {
        origin: view.origin()?.to_string(),
        earlier_origins: gathering::earlier_origins(&answers)?,
        written: asked.now,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        size: view.size(),
        in_use: answers.listed(sql::EVENT_TYPES)?,
        keys: Keys {
            verifier_key: view.verifier_key()?.to_string(),
            clients: client_keys(view)?,
            witnesses: witnesses(view)?,
        },
        tokens: tokens(view, running.as_ref())?,
        verification: Schedule {
            new_seconds: every(|verification| verification.new_seconds),
            whole_seconds: every(|verification| verification.whole_seconds),
            scrub_seconds: every(|verification| verification.scrub_seconds),
            last,
            outside: asked.outside,
        },
        holds: answers.listed(sql::HOLDS)?,
        contacts: asked.contacts,
        retention_class: retention_class(view),
        retain: settings.as_ref().and_then(retain),
        locations: locations(asked.ledger, &status, settings.as_ref(), copy),
        watch: settings.map(watch),
        bundle: None,
    })
}

/// The service that can be asked: at the URL, or behind the folder.
fn running(view: &View, ledger: &Path) -> Result<Option<Remote>, Failure> {
    match view {
        View::Service { .. } => Ok(Remote::of(ledger)?),
        View::Folder { path, .. } if ledgers::location(path)?.is_none() => Ok(Remote::in_folder(path)?),
        View::Folder { .. } => Ok(None),
    }
}

fn needs_admin(error: counterfoil::Error) -> Failure {
    let denied = error.kind == ErrorKind::Denied;
    let failure = Failure::from(error);
    match denied {
        true => {
            failure.advise("Settings and tokens are for administrators: put the token of one into COUNTERFOIL_TOKEN.")
        }
        false => failure,
    }
}

fn locations(ledger: &Path, status: &Status, settings: Option<&InForce>, copy: Option<Copy>) -> Locations {
    let service = settings.map(|settings| {
        let mut addresses =
            vec![(settings.listen.to_string(), "HTTP: API, OTLP, CloudEvents, /tlog, console".to_owned())];
        addresses.extend(settings.pg.map(|at| (at.to_string(), "the PostgreSQL protocol".to_owned())));
        addresses.extend(settings.otlp_grpc.map(|at| (at.to_string(), "OTLP over gRPC".to_owned())));
        let tlog_public = match settings.tlog_public {
            None if settings.listen.ip().is_loopback() => "all of /tlog, on loopback",
            None | Some(TlogPublic::None) => "nothing",
            Some(TlogPublic::Checkpoint) => "the checkpoint",
            Some(TlogPublic::Tiles) => "the checkpoint and the hashes",
            Some(TlogPublic::All) => "all of /tlog, the entries too",
        };
        Service { addresses, tls: settings.tls, tlog_public: tlog_public.to_owned() }
    });
    let followed =
        status.sources.iter().filter(|known| known.source.starts_with(POSTGRES)).map(|known| known.source.clone());
    Locations {
        folder: ledger.display().to_string(),
        segment_span: status.segment_span,
        service,
        copy,
        lake: settings.and_then(|settings| settings.lake.clone()),
        prune_keep: settings.and_then(|settings| settings.prune_keep.clone()),
        postgres: followed.collect(),
        compared: settings.and_then(|settings| settings.postgres.clone()),
    }
}

fn retain(settings: &InForce) -> Option<String> {
    let ship = settings.ship.as_ref()?;
    let hold = if ship.legal_hold { ", under a legal hold" } else { "" };
    Some(format!("{}{hold}", ship.retain.as_deref().unwrap_or("as the bucket says")))
}

/// Who cosigned the newest checkpoint, as its note says.
fn witnesses(view: &View) -> Result<Vec<String>, Failure> {
    let newest = Checkpoint { size: view.size(), root: String::new(), note: Some(view.checkpoint().to_owned()) };
    Ok(newest.witnesses(view.origin()?.as_str()))
}

/// The class of entries whose type names none; only the folder says it.
fn retention_class(view: &View) -> Option<String> {
    match view {
        View::Folder { snapshot, .. } => Some(snapshot.retention_class().to_owned()),
        View::Service { .. } => None,
    }
}

fn watch(settings: InForce) -> Watch {
    let sink = |sink: in_force::Sink| Sink { name: sink.name, kind: sink.r#type, target: sink.address };
    let rule = |rule: in_force::Rule| Rule { title: rule.title, level: rule.level, purpose: rule.description };
    let (loaded, left_out) = settings.rules.map_or_else(Default::default, |rules| (rules.loaded, rules.skipped));
    Watch {
        rules: loaded.into_iter().map(rule).collect(),
        left_out,
        sinks: settings.sinks.into_iter().map(sink).collect(),
    }
}

/// The tokens, as the service or the folder knows them; a bucket does not.
fn tokens(view: &View, running: Option<&Remote>) -> Result<Option<Vec<Token>>, Failure> {
    #[derive(serde::Deserialize)]
    struct Listed {
        tokens: Vec<Named>,
    }
    #[derive(serde::Deserialize)]
    struct Named {
        name: String,
        role: String,
        #[serde(default)]
        prefixes: Vec<String>,
        expires_at: Option<Moment>,
    }
    let named =
        |one: Named| Token { name: one.name, role: one.role, prefixes: one.prefixes, expires_at: one.expires_at };
    let in_folder = |path: &Path| -> Result<Vec<Token>, Failure> {
        let token = |one: &counterfoil_server::TokenRecord| Token {
            name: one.name.clone(),
            role: one.role.name().to_owned(),
            prefixes: one.prefixes.clone(),
            expires_at: one.expires_at.as_deref().and_then(|at| super::moment(at).ok()),
        };
        Ok(Tokens::in_folder(path).list()?.iter().map(token).collect())
    };
    match (running, view) {
        (Some(service), _) => {
            let listed = service.ask::<Listed>(Call::get("/api/v1/tokens")).map_err(needs_admin)?;
            Ok(Some(listed.tokens.into_iter().map(named).collect()))
        }
        (None, View::Folder { path, .. }) if ledgers::location(path)?.is_none() => in_folder(path).map(Some),
        (None, _) => Ok(None),
    }
}

/// The keys of clients as the entries about them say.
fn client_keys(view: &View) -> Result<Vec<ClientKey>, Failure> {
    let about = "event_type IN ('ledger.key_registered', 'ledger.key_revoked')";
    let indices = view.select(about, Limits::default())?;
    let mut keys: BTreeMap<String, ClientKey> = BTreeMap::new();
    view.each_entry(indices, |_, canonical| {
        let fields = Fields::split(canonical)?;
        let (id, at) = (fields.entity_id.to_string(), Moment(fields.recorded_at));
        match fields.context.and_then(Registration::read).filter(|_| fields.event_type == "ledger.key_registered") {
            Some(registered) => {
                let actors = registered.actors;
                keys.insert(id.clone(), ClientKey { id, actors, registered_at: at, revoked_at: None });
            }
            None => {
                if let Some(key) = keys.get_mut(&id) {
                    key.revoked_at = Some(at);
                }
            }
        }
        Ok(())
    })?;
    let mut keys: Vec<ClientKey> = keys.into_values().collect();
    keys.sort_by_key(|key| key.registered_at);
    Ok(keys)
}
