//! A service from its start to its end.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use counterfoil::{Error, ErrorKind, Result};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::listen::{Doors, Encryption, Socket, bind};
use crate::pg::Postgres;
use crate::routes::routes;
use crate::served::Served;
use crate::service::Service;
use crate::settings::Settings;
use crate::state;
use crate::{conditions, searches, verification};

/// Where a service answers, once it does.
#[derive(Debug, Clone)]
pub struct Announcement {
    /// The address of the API and the console.
    pub url: String,
    /// Whether this program has its console.
    pub console: bool,
    /// Signs the local administrator in, once, within an hour.
    pub sign_in: String,
    /// Where the PostgreSQL protocol is answered.
    pub pg: Option<SocketAddr>,
    /// Where OTLP over gRPC is answered.
    pub otlp_grpc: Option<SocketAddr>,
}

/// Opens a ledger and answers until SIGTERM or SIGINT; calls `ready` once it answers.
///
/// # Errors
/// Those of [`counterfoil::Ledger::open`]; `Denied` for plain text beyond loopback; `Unavailable` for an address that
/// cannot be had; `Invalid` for TLS files that are none.
pub fn run(served: Served, settings: Settings, ready: impl FnOnce(&Announcement)) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::new(ErrorKind::Unavailable, format!("no threads: {error}")))?;
    let service = runtime.block_on(serve(served, settings, ready))?;
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    service.close()
}

async fn serve(served: Served, settings: Settings, ready: impl FnOnce(&Announcement)) -> Result<Arc<Service>> {
    let encryption = settings.tls.as_ref().map(Encryption::read).transpose()?;
    let listener = bind(settings.listen, "the service", &settings).await?;
    let pg = bind_if(settings.pg, "the PostgreSQL protocol", &settings).await?;
    let grpc = bind_if(settings.otlp_grpc, "OTLP over gRPC", &settings).await?;
    let address = |listener: &tokio::net::TcpListener| listener.local_addr().ok();
    let mut set = settings.clone();
    // Where port 0 was asked for, the one that was given.
    set.listen = address(&listener).unwrap_or(settings.listen);
    (set.pg, set.otlp_grpc) = (pg.as_ref().and_then(address), grpc.as_ref().and_then(address));
    let opened = tokio::task::spawn_blocking(move || Service::open(served, set)).await;
    let service = opened.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))??;
    let no_socket = |error| Error::new(ErrorKind::Unavailable, format!("no socket in the ledger's folder: {error}"));
    let socket = service.backing.folder().map(Socket::bind).transpose().map_err(no_socket)?;
    let scheme = if encryption.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}", address(&listener).unwrap_or(settings.listen));
    let announcement = Announcement {
        console: crate::console::is_built(),
        sign_in: format!("{url}/sign-in?code={}", service.sessions.link()?),
        url,
        pg: pg.as_ref().and_then(address),
        otlp_grpc: grpc.as_ref().and_then(address),
    };
    let note = service.backing.folder().map(|folder| Note::write(folder, &announcement)).transpose()?;

    let mut postgres = Postgres::new(&service, encryption.as_ref()).await?;
    // From here on nothing fails: what started also stops, in the ledger too.
    let told = |problem: crate::problem::Problem| Error::new(ErrorKind::Unavailable, problem.detail);
    service.record_life("ledger.service_started").await.map_err(told)?;
    let doors = Doors::new(&service);
    let app = routes(&service);
    let kept = tokio::spawn(Arc::clone(&service).keep_watch());
    let fresh = encryption.clone().map(|encryption| tokio::spawn(encryption.keep_fresh()));
    let looking = tokio::spawn(Arc::clone(&service).keep_looking());
    let conditions = tokio::spawn(conditions::keep_looking(Arc::clone(&service)));
    let searches = tokio::spawn(searches::keep_running(Arc::clone(&service)));
    let rounds = tokio::spawn(verification::rounds(Arc::clone(&service)));
    let ending = tokio::spawn(end_on_signal(Arc::clone(&service)));
    if service.settings.drill {
        end_with_input(&service);
    }
    let [pg_at, grpc_at] = [announcement.pg, announcement.otlp_grpc].map(|at| at.map(tracing::field::display));
    tracing::info!(url = announcement.url, pg = pg_at, otlp_grpc = grpc_at, "the service answers");
    ready(&announcement);
    tokio::join!(
        doors.http(listener, app.clone(), encryption.clone()),
        if_some(socket.as_ref(), |socket| doors.local(socket, app)),
        if_some(pg, |listener| postgres.serve(&doors, listener)),
        if_some(grpc, |listener| doors.http(listener, crate::receivers::grpc(&service), encryption.clone())),
    );
    tokio::join!(doors.drain(), postgres.drain());
    for task in [Some(kept), fresh, Some(looking), Some(rounds), Some(searches), Some(conditions), Some(ending)]
        .into_iter()
        .flatten()
    {
        task.abort();
        let _ = task.await;
    }
    service.settle(true).await;
    if let Err(problem) = service.record_life("ledger.service_stopped").await {
        tracing::error!(detail = problem.detail, "the end of the service could not be recorded");
    }
    drop((note, socket));
    Ok(service)
}

async fn bind_if(
    address: Option<SocketAddr>,
    what: &str,
    settings: &Settings,
) -> Result<Option<tokio::net::TcpListener>> {
    match address {
        Some(address) => bind(address, what, settings).await.map(Some),
        None => Ok(None),
    }
}

async fn if_some<T, F: Future<Output = ()>>(value: Option<T>, then: impl FnOnce(T) -> F) {
    if let Some(value) = value {
        then(value).await;
    }
}

async fn end_on_signal(service: Arc<Service>) {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        tracing::error!("signals cannot be heard: the service ends only when it is killed");
        return;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    tracing::info!("ending: requests under way are finished first");
    service.end();
}

/// Ends the service when nothing more can come on standard input: whoever holds the drill is gone, however that ended.
fn end_with_input(service: &Arc<Service>) {
    let service = Arc::downgrade(service);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        if let Some(service) = service.upgrade() {
            service.end();
        }
    });
}

/// `state/service.json`: tells other commands where the service answers, as long as it does.
struct Note(PathBuf);

impl Note {
    fn write(folder: &Path, announcement: &Announcement) -> Result<Self> {
        let path = folder.join("state").join("service.json");
        let text = json!({"url": announcement.url, "pid": std::process::id()}).to_string();
        state::replace(&path, text.as_bytes())
            .map_err(|error| Error::new(ErrorKind::Unavailable, format!("{}: {error}", path.display())))?;
        Ok(Self(path))
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
