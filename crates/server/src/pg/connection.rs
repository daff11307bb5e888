//! A connection of somebody who is signed in: its messages, one after another.

use std::collections::HashMap;
use std::sync::Arc;

use pgwire::messages::PgWireBackendMessage as Message;
use pgwire::messages::data::{NoData, ParameterDescription};
use pgwire::messages::extendedquery::{BindComplete, CloseComplete, ParseComplete};
use pgwire::messages::response::{EmptyQueryResponse, ReadyForQuery, TransactionStatus};
use pgwire::messages::startup::{BackendKeyData, ParameterStatus, SecretKey};
use postgres_types::Type;
use tokio::time::Instant;

use crate::access::{Caller, Credential, Right};
use crate::pg::cancel::Cancellable;
use crate::pg::catalog::Catalog;
use crate::pg::entrance::{Guest, deny};
use crate::pg::frame::{Bind, Frame, Target};
use crate::pg::parameters;
use crate::pg::portal::{Portal, Prepared, State};
use crate::pg::preferences::Preferences;
use crate::pg::refusal::{Broken, Refusal};
use crate::pg::statement::{Statement, parse};
use crate::pg::transaction::Transaction;
use crate::pg::wire::Wire;
use crate::service::Service;

/// Most prepared statements of a connection, and most bytes of their texts.
const MAX_STATEMENTS: usize = 500;
const MAX_STATEMENT_BYTES: usize = 2 << 20;

/// Most portals and cursors of a connection.
const MAX_PORTALS: usize = 100;

/// A connection.
pub(crate) struct Connection {
    pub(super) service: Arc<Service>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) wire: Wire,
    pub(super) cancel: Cancellable,
    pub(super) preferences: Preferences,
    pub(super) transaction: Transaction,
    pub(super) statements: HashMap<String, Arc<Prepared>>,
    pub(super) portals: HashMap<String, Portal>,
    /// The name of whoever signed in.
    pub(super) name: Arc<str>,
    token: String,
    peer: String,
    /// Whether messages are passed over until the next Sync, because one before it failed.
    skipping: bool,
}

impl Connection {
    pub(crate) fn new(
        service: &Arc<Service>,
        catalog: &Arc<Catalog>,
        guest: Guest,
        peer: String,
        cancel: Cancellable,
    ) -> Self {
        let mut preferences = Preferences::new(guest.user);
        for (name, value) in guest.wishes {
            // What cannot be kept to is reported as it is, which every client that cares looks at.
            let _ = preferences.set(&name, &value);
        }
        Self {
            service: Arc::clone(service),
            catalog: Arc::clone(catalog),
            wire: guest.wire,
            cancel,
            preferences,
            transaction: Transaction::default(),
            statements: HashMap::new(),
            portals: HashMap::new(),
            name: guest.name,
            token: guest.token,
            peer,
            skipping: false,
        }
    }

    /// Answers messages until the client leaves or the service ends.
    pub(crate) async fn converse(mut self) {
        let ended = match self.greet().await {
            Ok(()) => self.answer_all().await,
            Err(broken) => broken,
        };
        if let Broken::Told(refusal) = ended {
            self.wire.close(Some(refusal)).await;
        }
    }

    async fn greet(&mut self) -> Result<(), Broken> {
        for (name, value) in self.preferences.reported() {
            let status = ParameterStatus::new(name.to_owned(), value.to_owned());
            self.wire.feed(Message::ParameterStatus(status)).await?;
        }
        let (number, secret) = self.cancel.key;
        let key = BackendKeyData::new(number, SecretKey::I32(secret));
        self.wire.feed(Message::BackendKeyData(key)).await?;
        self.ready().await
    }

    async fn answer_all(&mut self) -> Broken {
        loop {
            let frame = tokio::select! {
                biased;
                () = self.service.ended() => return Refusal::fatal("57P01", "the service ends").into(),
                frame = self.wire.next() => frame,
                () = until(self.portals.values().filter_map(Portal::deadline).min()) => {
                    self.end_late_portals();
                    continue;
                }
            };
            let answered = match frame {
                Ok(Frame::Terminate) => return Broken::Gone,
                Ok(frame) => self.answer(frame).await,
                Err(broken) => return broken,
            };
            match answered {
                Ok(()) => {}
                Err(Broken::Told(refusal)) if !refusal.fatal => {
                    self.transaction.fail();
                    self.skipping = true;
                    if let Err(broken) = self.wire.feed(refusal.into_message()).await {
                        return broken;
                    }
                }
                Err(broken) => return broken,
            }
        }
    }

    async fn answer(&mut self, frame: Frame) -> Result<(), Broken> {
        match frame {
            Frame::Query(sql) => return self.simple(sql).await,
            Frame::Sync => {
                self.skipping = false;
                return self.ready().await;
            }
            _ if self.skipping => return Ok(()),
            Frame::Parse { name, sql, types } => self.parse(name, sql, &types).await?,
            Frame::Bind(bind) => self.bind(bind).await?,
            Frame::Describe { target, name } => return self.describe(target, &name).await,
            Frame::Execute { portal, rows } => return self.execute(&portal, rows).await,
            Frame::Close { target, name } => {
                match target {
                    Target::Statement => drop(self.statements.remove(&name)),
                    Target::Portal => drop(self.portals.remove(&name)),
                }
                return self.wire.feed(Message::CloseComplete(CloseComplete::new())).await;
            }
            Frame::Flush => return self.wire.flush().await,
            Frame::Password(_) => return Err(Refusal::protocol("nobody asked for a password").into()),
            Frame::Terminate | Frame::Ignored => return Ok(()),
        }
        Ok(())
    }

    /// A text with any number of statements: all are run, until one fails.
    async fn simple(&mut self, sql: String) -> Result<(), Broken> {
        self.skipping = false;
        if let Err(broken) = self.simply(sql).await {
            match broken {
                Broken::Told(refusal) if !refusal.fatal => {
                    self.transaction.fail();
                    self.wire.feed(refusal.into_message()).await?;
                }
                broken => return Err(broken),
            }
        }
        self.ready().await
    }

    async fn simply(&mut self, sql: String) -> Result<(), Broken> {
        self.caller().await?;
        let statements = self.parsed(sql.into()).await?;
        if statements.is_empty() {
            return self.wire.feed(Message::EmptyQueryResponse(EmptyQueryResponse::new())).await;
        }
        for statement in statements {
            if statement.reads().is_some_and(|read| read.parameters > 0) {
                return Err(Refusal::new("42P02", "parameters such as $1 need a statement that was prepared").into());
            }
            self.run_simply(&statement).await?;
        }
        Ok(())
    }

    async fn parsed(&self, sql: Arc<str>) -> Result<Vec<Statement>, Refusal> {
        let catalog = Arc::clone(&self.catalog);
        self.deeply(move || parse(&sql, &catalog.rewriting)).await
    }

    /// Does what recurses on threads with stacks for it.
    pub(super) async fn deeply<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let done = self.service.engine.on_workers(async move { work() }).await;
        done.unwrap_or_else(|error| Err(Refusal::of(&error, "")))
    }

    async fn parse(&mut self, name: String, sql: String, declared: &[u32]) -> Result<(), Broken> {
        self.caller().await?;
        if name.is_empty() {
            self.statements.remove("");
        } else if self.statements.contains_key(&name) {
            return Err(Refusal::new("42P05", format!("there is a prepared statement {name:?} already")).into());
        }
        let bytes = sql.len() + self.statements.values().map(|prepared| prepared.bytes).sum::<usize>();
        if self.statements.len() >= MAX_STATEMENTS || bytes > MAX_STATEMENT_BYTES {
            let message = format!("a connection keeps {MAX_STATEMENTS} prepared statements, of 2 MiB; give some up");
            return Err(Refusal::new("54000", message).into());
        }
        let bytes = sql.len();
        let mut statements = self.parsed(sql.into()).await?;
        if statements.len() > 1 {
            return Err(Refusal::new("42601", "a prepared statement is one statement").into());
        }
        let statement = statements.pop();
        let types = self.types(statement.as_ref(), declared).await?;
        self.statements.insert(name, Arc::new(Prepared { statement, types, bytes }));
        self.wire.feed(Message::ParseComplete(ParseComplete::new())).await
    }

    async fn types(&self, statement: Option<&Statement>, declared: &[u32]) -> Result<Vec<Type>, Refusal> {
        let Some(read) = statement.and_then(Statement::reads).filter(|read| read.parameters > 0) else {
            return Ok(Vec::new());
        };
        let open = read.clone();
        let prepared = self.deeply(move || open.open()).await?;
        let (engine, tables) = self.names(read.from);
        // A statement that can be planned only with its values is told of when it has them.
        let inferred = engine.parameters(tables, prepared).await.unwrap_or_default();
        Ok(parameters::types(read.parameters, declared, &inferred))
    }

    async fn bind(&mut self, bind: Bind) -> Result<(), Broken> {
        let prepared = self.statement(&bind.statement)?;
        let values = parameters::values(&bind, &prepared.types)?;
        if bind.portal.is_empty() {
            self.portals.remove("");
        }
        self.room_for_portal(&bind.portal)?;
        let portal =
            Portal { statement: Some(prepared), values, formats: bind.results, state: State::Bound, hold: false };
        self.portals.insert(bind.portal, portal);
        self.wire.feed(Message::BindComplete(BindComplete::new())).await
    }

    fn statement(&self, name: &str) -> Result<Arc<Prepared>, Refusal> {
        let prepared = self.statements.get(name).cloned();
        prepared.ok_or_else(|| Refusal::new("26000", format!("there is no prepared statement {name:?}")))
    }

    /// Checks that one more portal of this name can be kept.
    pub(super) fn room_for_portal(&self, name: &str) -> Result<(), Refusal> {
        if self.portals.contains_key(name) {
            return Err(Refusal::new("42P03", format!("there is a cursor or portal {name:?} already")));
        }
        match self.portals.len() < MAX_PORTALS {
            true => Ok(()),
            false => Err(Refusal::new("54000", format!("a connection keeps {MAX_PORTALS} cursors; close some"))),
        }
    }

    async fn describe(&mut self, target: Target, name: &str) -> Result<(), Broken> {
        let columns = match target {
            Target::Statement => {
                let prepared = self.statement(name)?;
                let types = prepared.types.iter().map(Type::oid).collect();
                self.wire.feed(Message::ParameterDescription(ParameterDescription::new(types))).await?;
                self.columns_of(&prepared, &[]).await?
            }
            Target::Portal => self.columns_of_portal(name).await?,
        };
        match columns {
            Some(columns) => self.wire.feed(Message::RowDescription(columns.description())).await,
            None => self.wire.feed(Message::NoData(NoData::new())).await,
        }
    }

    /// Who asks, as long as the token holds: it is looked at again for each statement.
    pub(super) async fn caller(&self) -> Result<Caller, Broken> {
        match Caller::recognise(Credential::Token(self.token.clone()), &self.service, Some(Right::Read)) {
            Ok(caller) => Ok(caller),
            Err(problem) if ["unauthenticated", "denied"].contains(&problem.kind) => {
                let reason = "the token was revoked or has expired: sign in again";
                deny(&self.service, "unknown", &self.peer, "PostgreSQL statement", reason).await;
                Err(Refusal::fatal("28000", reason).into())
            }
            Err(problem) => Err(Refusal { fatal: true, ..Refusal::from(problem) }.into()),
        }
    }

    /// Tells that the next statement is waited for.
    async fn ready(&mut self) -> Result<(), Broken> {
        let status = self.transaction.status();
        if status == TransactionStatus::Idle {
            self.portals.retain(|_, portal| portal.hold);
        }
        self.wire.feed(Message::ReadyForQuery(ReadyForQuery::new(status))).await?;
        self.wire.flush().await
    }

    /// Ends cursors whose time is up while nobody takes from them: they hold a place among the queries.
    fn end_late_portals(&mut self) {
        let now = Instant::now();
        for portal in self.portals.values_mut().filter(|portal| portal.deadline().is_some_and(|end| end <= now)) {
            portal.state = State::Late;
        }
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
