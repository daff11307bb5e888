//! The bytes between us and the server: TCP or a Unix socket, plain or in TLS.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use counterfoil::{Error, ErrorKind, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::advice;
use crate::dsn::{Certificates, Dsn, Tls};

/// How long each step of a connection may take, and how long a send may wait.
pub(crate) const CONNECTS_WITHIN: Duration = Duration::from_secs(10);
/// The same for a connection that only asks the server to stop.
pub(crate) const CANCELS_WITHIN: Duration = Duration::from_millis(500);

pub(crate) enum Stream {
    Plain(Socket),
    Tls(Box<StreamOwned<ClientConnection, Socket>>),
}

pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Opens a connection, encrypted if the DSN asks for it; each step of it takes no longer than `within`.
    pub fn open(dsn: &Dsn, within: Duration) -> Result<Self> {
        let failed = |error: io::Error| unavailable(dsn, &error);
        let mut socket = Socket::open(dsn, within).map_err(|error| advice::on_connect(dsn, &error))?;
        let Tls::Verified(certificates) = &dsn.tls else { return Ok(Self::Plain(socket)) };
        let mut request = bytes::BytesMut::new();
        postgres_protocol::message::frontend::ssl_request(&mut request);
        socket.write_all(&request).map_err(failed)?;
        let mut answer = [0];
        socket.read_exact(&mut answer).map_err(failed)?;
        if answer != [b'S'] {
            let message = format!("{dsn}: the server does not offer TLS");
            return Err(Error::new(ErrorKind::Denied, message + "; set ssl = on there, or sslmode=disable here"));
        }
        let name = ServerName::try_from(dsn.host.clone());
        let name = name.map_err(|_| Error::new(ErrorKind::Invalid, format!("{dsn}: TLS needs a host name")))?;
        let connection = ClientConnection::new(Arc::new(config(certificates)?), name);
        let connection = connection.map_err(|error| Error::new(ErrorKind::Internal, format!("TLS: {error}")))?;
        let mut stream = StreamOwned::new(connection, socket);
        // The whole handshake: later reads wait for moments only.
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).map_err(failed)?;
        }
        Ok(Self::Tls(Box::new(stream)))
    }

    /// How long a read waits before it answers `WouldBlock`.
    pub fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        let timeout = Some(timeout);
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &stream.sock,
        };
        match socket {
            Socket::Tcp(stream) => stream.set_read_timeout(timeout),
            Socket::Unix(stream) => stream.set_read_timeout(timeout),
        }
    }
}

impl Socket {
    fn open(dsn: &Dsn, within: Duration) -> io::Result<Self> {
        if dsn.host.starts_with('/') {
            let stream = UnixStream::connect(Path::new(&dsn.host).join(format!(".s.PGSQL.{}", dsn.port)))?;
            stream.set_read_timeout(Some(within))?;
            stream.set_write_timeout(Some(within))?;
            return Ok(Self::Unix(stream));
        }
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in std::net::ToSocketAddrs::to_socket_addrs(&(dsn.host.as_str(), dsn.port))? {
            match TcpStream::connect_timeout(&address, within) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(within))?;
                    stream.set_write_timeout(Some(within))?;
                    return Ok(Self::Tcp(stream));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

fn config(certificates: &Certificates) -> Result<ClientConfig> {
    let mut store = RootCertStore::empty();
    match &certificates.roots {
        Some(path) => {
            for certificate in read_certificates(path)? {
                store.add(certificate).map_err(|error| unreadable(path, &error))?;
            }
        }
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Error::new(ErrorKind::Internal, format!("TLS: {error}")))?;
    let builder = builder.with_root_certificates(store);
    let Some((certificate, key)) = &certificates.own else { return Ok(builder.with_no_client_auth()) };
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
    builder.with_client_auth_cert(read_certificates(certificate)?, private).map_err(|error| unreadable(key, &error))
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(path, &error))?;
    certificates.collect::<std::result::Result<_, _>>().map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Invalid, format!("{}: {error}", path.display()))
}

pub(crate) fn unavailable(dsn: &Dsn, error: &io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("{dsn}: {error}"))
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(buffer),
            Self::Tls(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(buffer),
            Self::Unix(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            Self::Unix(stream) => stream.flush(),
        }
    }
}
