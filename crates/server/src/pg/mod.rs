//! The PostgreSQL protocol, version 3: `audit_log` for everything that speaks it, read-only.
//!
//! The database is `audit`, the password a token, the user's name anything. What reads `audit_log` is answered by the
//! query engine over the ledger, row by row; what asks for names and types is answered by a [`catalog`] beside it that
//! holds no entry. What clients can do stands in docs/guides/sql.md.

mod adaptation;
mod cancel;
mod catalog;
mod command;
mod connection;
mod entrance;
mod execution;
mod frame;
mod functions;
mod information;
mod names;
mod parameters;
mod portal;
mod preferences;
mod refusal;
mod rows;
mod statement;
mod transaction;
mod value;
mod wire;

use std::sync::Arc;

use counterfoil::Result;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::listen::{Doors, Encryption, HEAD_TIME};
use crate::pg::cancel::Cancels;
use crate::pg::catalog::Catalog;
use crate::pg::connection::Connection;
use crate::pg::entrance::Entrance;
use crate::service::Service;

/// What answers the protocol on one listener.
pub(crate) struct Postgres {
    service: Arc<Service>,
    entrance: Arc<Entrance>,
    catalog: Arc<Catalog>,
    connections: JoinSet<()>,
}

impl Postgres {
    /// The protocol for a service.
    ///
    /// # Errors
    /// `Internal` when the catalog cannot be set up.
    pub(crate) async fn new(service: &Arc<Service>, encryption: Option<&Arc<Encryption>>) -> Result<Self> {
        let entrance = Entrance {
            service: Arc::clone(service),
            tls: encryption.map(|encryption| entrance::tls(&encryption.acceptor())),
            cancels: Arc::new(Cancels::default()),
            patience: service.settings.query_time.max(HEAD_TIME),
        };
        let catalog = Arc::new(Catalog::new(&service.engine).await?);
        Ok(Self { service: Arc::clone(service), entrance: Arc::new(entrance), catalog, connections: JoinSet::new() })
    }

    /// Answers on a listener until the service ends.
    pub(crate) async fn serve(&mut self, doors: &Doors, listener: TcpListener) {
        while let Some((stream, peer)) = doors.accept(&listener).await {
            while self.connections.try_join_next().is_some() {}
            let Some(place) = doors.place() else { continue };
            let connected = self.service.metrics.connected();
            let (entrance, catalog) = (Arc::clone(&self.entrance), Arc::clone(&self.catalog));
            let service = Arc::clone(&self.service);
            self.connections.spawn(async move {
                let _held = (place, connected);
                let peer = peer.ip().to_string();
                let admitted = tokio::select! {
                    admitted = tokio::time::timeout(HEAD_TIME, entrance.admit(stream, &peer)) => admitted,
                    () = service.ended() => return,
                };
                let Ok(Some(guest)) = admitted else { return };
                match entrance.cancels.join() {
                    Ok(cancel) => Connection::new(&service, &catalog, guest, peer, cancel).converse().await,
                    Err(error) => tracing::error!(%error, "the system gives no randomness: a connection was closed"),
                }
            });
        }
    }

    /// Lets statements under way end, for as long as the settings allow.
    pub(crate) async fn drain(mut self) {
        let time = self.service.settings.drain_time;
        let ended = async { while self.connections.join_next().await.is_some() {} };
        if tokio::time::timeout(time, ended).await.is_err() {
            tracing::warn!(seconds = time.as_secs(), "PostgreSQL connections were cut: their statements took too long");
            self.connections.shutdown().await;
        }
    }
}
