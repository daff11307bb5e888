//! Connections: accepted, counted, wrapped in TLS, and let go of in time.

mod socket;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use counterfoil::{Error, ErrorKind, Result};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::ServiceExt;

use crate::access::{Certified, Local, Peer};
use crate::service::Service;
use crate::settings::Settings;

pub(crate) use socket::Socket;
pub(crate) use tls::Encryption;

/// How long a handshake or the head of a request may take; an idle connection is closed after it too.
pub(crate) const HEAD_TIME: Duration = Duration::from_secs(30);

/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 200;

/// Accepts connections of one protocol after another and hands each to a task.
pub(crate) struct Doors {
    service: Arc<Service>,
    places: Arc<Semaphore>,
    builder: auto::Builder<TokioExecutor>,
    graceful: GracefulShutdown,
}

/// What is known of a connection before its first request.
#[derive(Clone)]
struct Origin {
    peer: Peer,
    local: bool,
    certified: Option<Certified>,
}

impl Doors {
    pub(crate) fn new(service: &Arc<Service>) -> Self {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .keep_alive_interval(HEAD_TIME)
            .keep_alive_timeout(HEAD_TIME);
        Self {
            service: Arc::clone(service),
            places: Arc::new(Semaphore::new(service.settings.connections)),
            builder,
            graceful: GracefulShutdown::new(),
        }
    }

    /// Answers HTTP on a TCP listener until the service ends.
    pub(crate) async fn http(&self, listener: TcpListener, app: Router, encryption: Option<Arc<Encryption>>) {
        loop {
            let Some((stream, peer)) = self.accept(&listener).await else { return };
            let Some(place) = self.place() else { continue };
            let connected = self.service.metrics.connected();
            let (app, builder, watcher) = (app.clone(), self.builder.clone(), self.graceful.watcher());
            let encryption = encryption.clone();
            tokio::spawn(async move {
                let _held = (place, connected);
                let origin = Origin { peer: Peer(peer.ip().to_string().into()), local: false, certified: None };
                match encryption {
                    None => converse(stream, origin, app, builder, watcher).await,
                    Some(encryption) => {
                        let Some((stream, name)) = encryption.accept(stream).await else { return };
                        let origin = Origin { certified: name.map(|name| Certified(name.into())), ..origin };
                        converse(stream, origin, app, builder, watcher).await;
                    }
                }
            });
        }
    }

    /// Answers HTTP on the socket in the ledger's folder until the service ends.
    pub(crate) async fn local(&self, socket: &Socket, app: Router) {
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                () = self.service.ended() => return,
            };
            let Ok(stream) = accepted else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let (app, builder, watcher) = (app.clone(), self.builder.clone(), self.graceful.watcher());
            let origin = Origin { peer: Peer("local".into()), local: true, certified: None };
            tokio::spawn(converse(stream, origin, app, builder, watcher));
        }
    }

    /// The next connection; `None` when the service ends.
    pub(crate) async fn accept(&self, listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.service.ended() => return None,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let _ = stream.set_nodelay(true);
                    return Some((stream, peer));
                }
                Err(error) => {
                    // Too many open files, mostly: some will close.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// A place among the connections; none when all are taken: the connection is closed at once.
    pub(crate) fn place(&self) -> Option<tokio::sync::OwnedSemaphorePermit> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok();
        if place.is_none() {
            self.service.metrics.refused("connections");
        }
        place
    }

    /// Lets requests under way end, for as long as the settings allow.
    pub(crate) async fn drain(self) {
        let time = self.service.settings.drain_time;
        if tokio::time::timeout(time, self.graceful.shutdown()).await.is_err() {
            tracing::warn!(seconds = time.as_secs(), "connections were cut: their requests took too long to end");
        }
    }
}

/// Answers the requests of one connection.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    origin: Origin,
    app: Router,
    builder: auto::Builder<TokioExecutor>,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let spoken = Arc::new(AtomicBool::new(false));
    let heard = Arc::clone(&spoken);
    let service = tower::service_fn(move |request: Request<Incoming>| {
        heard.store(true, Ordering::Relaxed);
        let mut request = request.map(Body::new);
        let extensions = request.extensions_mut();
        extensions.insert(origin.peer.clone());
        if origin.local {
            extensions.insert(Local);
        }
        if let Some(certified) = &origin.certified {
            extensions.insert(certified.clone());
        }
        app.clone().oneshot(request)
    });
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).into_owned();
    tokio::select! {
        ended = watcher.watch(connection) => if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        },
        () = silence(&spoken) => tracing::debug!("a connection without any request was closed"),
    }
}

/// Ends when a connection has had no request in the time that its first may take: hyper waits for ever for the first bytes.
async fn silence(spoken: &AtomicBool) {
    tokio::time::sleep(HEAD_TIME).await;
    if spoken.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

/// Binds an address; beyond loopback only with TLS, or when told so.
///
/// # Errors
/// `Denied` for plain text beyond loopback, `Unavailable` when the address cannot be had.
pub(crate) async fn bind(address: SocketAddr, what: &str, settings: &Settings) -> Result<TcpListener> {
    if !address.ip().is_loopback() && settings.tls.is_none() && !settings.allow_plain_text {
        let message = format!(
            "{what} would listen on {address} without TLS, where others could read tokens and entries: give a \
             certificate and key (--tls-cert, --tls-key), or listen on 127.0.0.1, or allow plain text \
             (--allow-plain-text) if something in front adds TLS"
        );
        return Err(Error::new(ErrorKind::Denied, message));
    }
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| {
        Error::new(ErrorKind::Unavailable, format!("{what} cannot listen on {address}: {error}")).because(error)
    })
}
