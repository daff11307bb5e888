//! Running statements: their columns, their rows, and what they do to the connection.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::record_batch::RecordBatch;
use counterfoil_query::{Answer, Engine, Limits, Tables};
use pgwire::messages::PgWireBackendMessage as Message;
use pgwire::messages::extendedquery::PortalSuspended;
use pgwire::messages::response::{CommandComplete, EmptyQueryResponse};
use pgwire::messages::startup::ParameterStatus;
use postgres_types::Type;
use serde_json::json;

use crate::pg::command::Command;
use crate::pg::connection::Connection;
use crate::pg::portal::{Portal, Prepared, Running, State};
use crate::pg::preferences::Preferences;
use crate::pg::refusal::{Broken, Refusal};
use crate::pg::rows::Columns;
use crate::pg::statement::{From, Read, Statement};
use crate::pg::value::Value;

/// How rows are sent.
struct Sending<'a> {
    formats: &'a [i16],
    /// Most rows; 0 for all.
    rows: usize,
    /// Whether the columns are described first.
    described: bool,
}

impl Connection {
    /// Runs a statement of a simple query.
    pub(super) async fn run_simply(&mut self, statement: &Statement) -> Result<(), Broken> {
        self.begin_statement(statement)?;
        let sending = Sending { formats: &[], rows: 0, described: true };
        match statement {
            Statement::Read(read) => {
                let mut running = self.start(read, &[], &[]).await?;
                let (sent, _) = self.send(&mut running, &sending).await?;
                self.complete(format!("{} {sent}", running.tag)).await
            }
            Statement::Command(command) => self.command(command, (&[], &[]), &sending).await,
        }
    }

    /// Runs a portal, or goes on with it.
    pub(super) async fn execute(&mut self, name: &str, rows: usize) -> Result<(), Broken> {
        self.caller().await?;
        let Some(mut portal) = self.portals.remove(name) else {
            return Err(no_cursor(name).into());
        };
        let executed = self.execute_portal(&mut portal, rows).await;
        // A command may have put another one in its place, or have ended all.
        self.portals.entry(name.to_owned()).or_insert(portal);
        executed
    }

    async fn execute_portal(&mut self, portal: &mut Portal, rows: usize) -> Result<(), Broken> {
        let prepared = portal.statement.clone();
        let Some(statement) = prepared.as_ref().and_then(|prepared| prepared.statement.as_ref()) else {
            return self.wire.feed(Message::EmptyQueryResponse(EmptyQueryResponse::new())).await;
        };
        let types = prepared.as_ref().map_or(&[][..], |prepared| &prepared.types);
        if let Statement::Command(command) = statement {
            self.begin_statement(statement)?;
            let sending = Sending { formats: &portal.formats, rows, described: false };
            return self.command(command, (&portal.values, types), &sending).await;
        }
        self.begin_portal(portal).await?;
        let sending = Sending { formats: &portal.formats, rows, described: false };
        let State::Running(running) = &mut portal.state else {
            return match portal.state {
                State::Late => Err(late().into()),
                _ => self.complete("SELECT 0".to_owned()).await,
            };
        };
        let (sent, more) = self.send(running, &sending).await?;
        match more {
            true => self.wire.feed(Message::PortalSuspended(PortalSuspended::new())).await,
            false => {
                let tag = running.tag;
                portal.state = State::Ended;
                self.complete(format!("{tag} {sent}")).await
            }
        }
    }

    /// Begins to answer what a portal asks, unless that is under way.
    async fn begin_portal(&mut self, portal: &mut Portal) -> Result<(), Broken> {
        let (State::Bound, Some(prepared)) = (&portal.state, portal.statement.clone()) else { return Ok(()) };
        if let Some(statement @ Statement::Read(read)) = &prepared.statement {
            self.begin_statement(statement)?;
            portal.state = State::Running(Box::new(self.start(read, &portal.values, &prepared.types).await?));
        }
        Ok(())
    }

    fn begin_statement(&mut self, statement: &Statement) -> Result<(), Refusal> {
        self.cancel.begin();
        let ends_failure = matches!(statement, Statement::Command(command) if command.ends_failure());
        match self.transaction.failed() && !ends_failure {
            true => Err(Refusal::new("25P02", "the transaction failed: only ROLLBACK is taken now")),
            false => Ok(()),
        }
    }

    /// Begins to answer a statement that reads.
    async fn start(&mut self, read: &Read, values: &[Value], types: &[Type]) -> Result<Running, Broken> {
        let caller = self.caller().await?;
        let (engine, tables) = match read.from {
            From::Catalog => {
                let (engine, tables) = self.names(read.from);
                (engine.holding(self.catalog.place().await?), tables)
            }
            From::Ledger => {
                let engine = self.service.query_engine().await.map_err(Refusal::from)?;
                let parameters: Vec<_> = values.iter().map(Value::shown).collect();
                let context = json!({"sql": &*read.sql, "form": "postgresql", "parameters": parameters});
                self.service.record_reading(&caller, context).await.map_err(Refusal::from)?;
                let snapshot = self.transaction.snapshot(|| self.service.snapshot());
                (self.limited(engine), Tables::Ledger(Arc::new(snapshot)))
            }
        };
        let time = engine.limits().time;
        let answer = self.ask(engine, tables, read, values, types).await?;
        Ok(Running::new(answer, time, read))
    }

    async fn ask(
        &mut self,
        engine: Engine,
        tables: Tables,
        read: &Read,
        values: &[Value],
        types: &[Type],
    ) -> Result<Answer, Broken> {
        let (filled, values, types) = (read.clone(), values.to_vec(), types.to_vec());
        let prepared = self.deeply(move || filled.filled(&values, &types)).await?;
        tokio::select! {
            answer = engine.answer(tables, prepared) => Ok(answer.map_err(|error| Refusal::of(&error, &read.sql))?),
            () = self.cancel.cancelled() => Err(Refusal::cancelled().into()),
            () = self.wire.left() => Err(Broken::Gone),
        }
    }

    /// The engine under the limits that the client set, beside the service's.
    fn limited(&self, engine: Engine) -> Engine {
        match self.preferences.statement_timeout() {
            None => engine,
            Some(time) => {
                let limits = engine.limits();
                engine.with_limits(Limits { time: time.min(limits.time), ..limits })
            }
        }
    }

    /// The engine and tables that answer what a statement's columns are, without an entry.
    pub(super) fn names(&self, from: From) -> (Engine, Tables) {
        match from {
            From::Ledger => (self.service.engine.clone(), Tables::empty()),
            From::Catalog => (self.catalog.engine().clone(), self.catalog.tables(&self.name)),
        }
    }

    /// Sends rows; how many, and whether there may be more.
    async fn send(&mut self, running: &mut Running, sending: &Sending<'_>) -> Result<(usize, bool), Broken> {
        let columns = running.columns(sending.formats)?;
        if sending.described {
            self.wire.feed(Message::RowDescription(columns.description())).await?;
        }
        let mut encoder = columns.encoder();
        let mut sent = 0;
        loop {
            let more = tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(Refusal::cancelled().into()),
                more = running.advance() => more?,
                () = self.wire.left() => return Err(Broken::Gone),
            };
            if !more {
                return Ok((sent, false));
            }
            while let Some((batch, row)) = running.take() {
                self.wire.feed(Message::DataRow(encoder.row(batch, row)?)).await?;
                sent += 1;
                if sent == sending.rows {
                    return Ok((sent, true));
                }
            }
        }
    }

    async fn complete(&mut self, tag: String) -> Result<(), Broken> {
        self.wire.feed(Message::CommandComplete(CommandComplete::new(tag))).await
    }

    async fn command(
        &mut self,
        command: &Command,
        (values, types): (&[Value], &[Type]),
        sending: &Sending<'_>,
    ) -> Result<(), Broken> {
        let mut tag = command.tag();
        match command {
            Command::Begin { steady } => self.transaction.begin(*steady),
            Command::Commit => {
                if self.transaction.failed() {
                    tag = "ROLLBACK";
                }
                self.end_transaction();
            }
            Command::Rollback => self.end_transaction(),
            Command::RollbackTo => {
                self.in_transaction(tag)?;
                self.transaction.recover();
            }
            Command::Savepoint(_) => self.in_transaction(tag)?,
            Command::SetTransaction { steady, session } => self.transaction.set_steady(*steady, *session),
            Command::Set { name, value } => self.set(name, value).await?,
            Command::Reset(name) => self.preferences.reset(name.as_deref()),
            Command::Discard(what) => {
                if *what == "DISCARD ALL" {
                    self.statements.clear();
                    self.portals.clear();
                    self.preferences.reset(None);
                }
            }
            Command::Deallocate(None) => self.statements.clear(),
            Command::Deallocate(Some(name)) => {
                let gone = self.statements.remove(name);
                gone.ok_or_else(|| Refusal::new("26000", format!("there is no prepared statement {name:?}")))?;
            }
            Command::Declare { name, hold, read } => {
                self.room_for_portal(name)?;
                if !hold && !self.transaction.is_open() {
                    return Err(Refusal::new("25P01", "a cursor needs a transaction, or WITH HOLD").into());
                }
                let running = self.start(read, values, types).await?;
                self.portals.insert(name.clone(), Portal::cursor(running, *hold));
            }
            Command::Close(None) => self.portals.clear(),
            Command::Close(Some(name)) => drop(self.portals.remove(name).ok_or_else(|| no_cursor(name))?),
            Command::Show(name) => {
                self.preferences.note_isolation(self.transaction.is_steady());
                let mut running = Running::ready(shown_settings(&self.preferences, name.as_deref())?, tag);
                self.send(&mut running, &Sending { rows: 0, ..*sending }).await?;
            }
            Command::Fetch { name, rows } => return self.fetch(name, &Sending { rows: *rows, ..*sending }).await,
            Command::Nothing(_) => {}
        }
        self.complete(tag.to_owned()).await
    }

    async fn fetch(&mut self, name: &str, sending: &Sending<'_>) -> Result<(), Broken> {
        let mut portal = self.portals.remove(name).ok_or_else(|| no_cursor(name))?;
        let sent = match &mut portal.state {
            State::Running(running) => self.send(running, sending).await.map(|(sent, _)| sent),
            State::Late => Err(late().into()),
            State::Bound | State::Ended => Ok(0),
        };
        self.portals.insert(name.to_owned(), portal);
        self.complete(format!("FETCH {}", sent?)).await
    }

    async fn set(&mut self, name: &str, value: &str) -> Result<(), Broken> {
        let name = self.preferences.set(name, value)?;
        if name == "application_name" {
            let status = ParameterStatus::new(name.to_owned(), value.to_owned());
            self.wire.feed(Message::ParameterStatus(status)).await?;
        }
        Ok(())
    }

    fn in_transaction(&self, what: &str) -> Result<(), Refusal> {
        match self.transaction.is_open() {
            true => Ok(()),
            false => Err(Refusal::new("25P01", format!("{what} needs a transaction"))),
        }
    }

    fn end_transaction(&mut self) {
        self.transaction.end();
        self.portals.retain(|_, portal| portal.hold);
    }

    /// The columns that a prepared statement answers.
    pub(super) async fn columns_of(&mut self, prepared: &Prepared, formats: &[i16]) -> Result<Option<Columns>, Broken> {
        match &prepared.statement {
            None => Ok(None),
            Some(Statement::Read(read)) => {
                let (engine, tables) = self.names(read.from);
                let nulls = vec![Value::Null; prepared.types.len()];
                let answer = self.ask(engine, tables, read, &nulls, &prepared.types).await?;
                Ok(Some(Columns::new(&read.named(answer.schema()), formats)?))
            }
            Some(Statement::Command(Command::Show(name))) => {
                let shown = shown_settings(&self.preferences, name.as_deref())?;
                Ok(Some(Columns::new(&shown.schema(), formats)?))
            }
            Some(Statement::Command(Command::Fetch { name, .. })) => match self.portals.get(name).map(|it| &it.state) {
                Some(State::Running(running)) => Ok(Some(running.columns(formats)?)),
                Some(_) => Ok(None),
                None => Err(no_cursor(name).into()),
            },
            Some(Statement::Command(_)) => Ok(None),
        }
    }

    /// The columns that a portal or cursor answers. What it asks begins here, so that it is planned only once.
    pub(super) async fn columns_of_portal(&mut self, name: &str) -> Result<Option<Columns>, Broken> {
        let mut portal = self.portals.remove(name).ok_or_else(|| no_cursor(name))?;
        let begun = self.begin_portal(&mut portal).await;
        let columns = match (&begun, &portal.state) {
            (Ok(()), State::Running(running)) => running.columns(&portal.formats).map(Some).map_err(Broken::from),
            (Ok(()), _) => match &portal.statement {
                Some(prepared) => self.columns_of(prepared, &portal.formats).await,
                None => Ok(None),
            },
            (Err(_), _) => Ok(None),
        };
        self.portals.insert(name.to_owned(), portal);
        begun.and(columns)
    }
}

fn no_cursor(name: &str) -> Refusal {
    Refusal::new("34000", format!("there is no cursor or portal {name:?}"))
}

fn late() -> Refusal {
    Refusal::new("57014", "time limit reached: the rows of this cursor were not taken in time")
}

/// A setting as the one row of a table, or all of them.
fn shown_settings(preferences: &Preferences, name: Option<&str>) -> Result<RecordBatch, Refusal> {
    let text = |values: Vec<&str>| Arc::new(StringArray::from(values)) as ArrayRef;
    let batch = match name {
        Some(wanted) => {
            let known = preferences.get(wanted);
            let (name, value) = known.ok_or_else(|| Refusal::new("42704", format!("there is no setting {wanted}")))?;
            RecordBatch::try_from_iter([(name, text(vec![value]))])
        }
        None => {
            let (names, values): (Vec<&str>, Vec<&str>) = preferences.all().unzip();
            let descriptions = vec![""; names.len()];
            RecordBatch::try_from_iter([
                ("name", text(names)),
                ("setting", text(values)),
                ("description", text(descriptions)),
            ])
        }
    };
    batch.map_err(|error| Refusal::new("XX000", error.to_string()))
}
