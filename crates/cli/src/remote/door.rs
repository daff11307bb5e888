//! The ways to a service: TCP, TLS, the socket in a ledger's folder.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use counterfoil::{Disk, Error, ErrorKind, OsDisk};
use hyper::Uri;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_rustls::{TlsConnector, rustls};

use super::invalid;

/// A file of certificates that are trusted beside the system's.
const AUTHORITIES: &str = "COUNTERFOIL_CA_CERT";

/// Where a service listens in its ledger's folder.
const SOCKET: &str = "state/service.sock";

/// Where a service is.
pub enum Door {
    /// The socket in a ledger's folder.
    Folder(PathBuf),
    Url {
        uri: Uri,
        token: Option<String>,
    },
}

/// A connection.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Door {
    /// The service, in words.
    pub fn name(&self) -> String {
        match self {
            Self::Folder(ledger) => format!("the service behind {}", ledger.join(SOCKET).display()),
            Self::Url { uri, .. } => format!("the service at {}", uri.to_string().trim_end_matches('/')),
        }
    }

    pub async fn connect(&self) -> std::result::Result<Box<dyn Stream>, Broken> {
        let uri = match self {
            Self::Folder(ledger) => return Ok(Box::new(in_folder(ledger).map_err(Broken::way)?)),
            Self::Url { uri, .. } => uri,
        };
        let encrypted = uri.scheme_str() == Some("https");
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
        let stream = TcpStream::connect((host.as_str(), port)).await;
        let stream = stream.map_err(|error| self.unreached(Unreached::Silent, &error))?;
        stream.set_nodelay(true).map_err(Broken::way)?;
        if !encrypted {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(host).map_err(Broken::way)?;
        let connector = TlsConnector::from(Arc::new(encryption()?));
        let stream = connector.connect(name, stream).await.map_err(|error| match tls_fault(&error) {
            Some(rustls::Error::InvalidMessage(_)) => self.unreached(Unreached::NoTls, &error),
            _ => Broken::way(error),
        })?;
        Ok(Box::new(stream))
    }

    fn unreached(&self, why: Unreached, error: &io::Error) -> Broken {
        let message = format!("{}: {error}", self.name());
        Broken::Told(Error::new(ErrorKind::Unavailable, message).because(why))
    }
}

/// Why there is no answer.
pub enum Broken {
    Told(Error),
    Way(String),
}

impl Broken {
    pub fn way(error: impl std::fmt::Display) -> Self {
        Self::Way(error.to_string())
    }
}

/// Why a service was never spoken to, where that says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreached {
    /// Nobody is at the address.
    Silent,
    /// It was asked for TLS and does not speak it.
    NoTls,
}

impl std::fmt::Display for Unreached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Silent => "nobody answers there",
            Self::NoTls => "it does not speak TLS",
        })
    }
}

impl std::error::Error for Unreached {}

/// What went wrong inside TLS, if it was that.
fn tls_fault(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Connects to the socket in a ledger's folder, whose path may be longer than an address holds; only to one that the
/// folder's owner, or root, listens at.
fn in_folder(ledger: &Path) -> io::Result<tokio::net::UnixStream> {
    let (state, name) = SOCKET.split_once('/').expect("a folder and a name");
    let state = ledger.join(state);
    let is_true = !OsDisk.is_link(&state) && std::fs::symlink_metadata(state.join(name))?.file_type().is_socket();
    if !is_true {
        return Err(io::Error::other("it is no socket of this folder"));
    }
    let folder = File::open(state)?;
    let stream = UnixStream::connect(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()))?;
    stream.set_nonblocking(true)?;
    let stream = tokio::net::UnixStream::from_std(stream)?;
    let owner = std::fs::metadata(ledger)?.uid();
    match stream.peer_cred()?.uid() {
        uid if uid == owner || uid == 0 => Ok(stream),
        uid => Err(io::Error::other(format!("user {uid} listens there, and the folder is of user {owner}"))),
    }
}

fn encryption() -> std::result::Result<ClientConfig, Broken> {
    let told = |message: String| Broken::Told(invalid(message));
    let mut roots = RootCertStore::empty();
    let own = std::env::var_os(AUTHORITIES);
    match &own {
        Some(path) => {
            let path = Path::new(path);
            let read = CertificateDer::pem_file_iter(path)
                .and_then(|found| found.collect::<std::result::Result<Vec<_>, _>>())
                .map_err(|error| told(format!("{}: {error}", path.display())))?;
            roots.add_parsable_certificates(read);
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(told(format!("no authority is trusted: name a file of certificates in {AUTHORITIES}")));
    }
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(builder.map_err(Broken::way)?.with_root_certificates(roots).with_no_client_auth())
}
