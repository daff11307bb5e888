//! TLS by rustls: certificates that are read again when their files change, and client certificates as names.

use std::path::Path;
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime};

use counterfoil::{Error, ErrorKind, Result};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};
use tokio_rustls::server::TlsStream;

use crate::listen::HEAD_TIME;
use crate::settings::Tls;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// What encrypts the connections of a service.
pub(crate) struct Encryption {
    acceptor: TlsAcceptor,
    shown: Arc<Shown>,
    files: Tls,
}

/// The certificate that is shown at present.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().expect("no panic while held")))
    }
}

impl Encryption {
    /// Reads the files.
    ///
    /// # Errors
    /// `Invalid`, naming the file that is not what it should be.
    pub(crate) fn read(files: &Tls) -> Result<Arc<Self>> {
        let provider = Arc::new(crypto::ring::default_provider());
        let shown = Arc::new(Shown(RwLock::new(Arc::new(certified(files, &provider)?))));
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| invalid(&"TLS", &error))?;
        let builder = match &files.client_authorities {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(path)? {
                    roots.add(certificate).map_err(|error| invalid(&path.display(), &error))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .allow_unauthenticated()
                    .build()
                    .map_err(|error| invalid(&path.display(), &error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::<Shown>::clone(&shown));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(Self { acceptor: TlsAcceptor::from(Arc::new(config)), shown, files: files.clone() }))
    }

    /// The handshake: the stream, and the common name of the client's certificate. `None` when it fails.
    pub(crate) async fn accept(&self, stream: TcpStream) -> Option<(TlsStream<TcpStream>, Option<String>)> {
        match tokio::time::timeout(HEAD_TIME, self.acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                let certificates = stream.get_ref().1.peer_certificates();
                let name = certificates.and_then(|chain| common_name(chain.first()?));
                Some((stream, name))
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake failed");
                None
            }
            Err(_) => None,
        }
    }

    /// What other protocols accept connections with.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// Reads the files again whenever they change; a pair that does not fit is left alone and told.
    pub(crate) async fn keep_fresh(self: Arc<Self>) {
        let mut known = changed(&self.files);
        loop {
            tokio::time::sleep(LOOK).await;
            let now = changed(&self.files);
            if now == known {
                continue;
            }
            known = now;
            match certified(&self.files, &Arc::new(crypto::ring::default_provider())) {
                Ok(key) => {
                    *self.shown.0.write().expect("no panic while held") = Arc::new(key);
                    tracing::info!("the TLS certificate was read again");
                }
                Err(error) => tracing::error!(detail = error.message, "the new TLS certificate cannot be used"),
            }
        }
    }
}

fn changed(files: &Tls) -> [Option<SystemTime>; 2] {
    let time = |path: &Path| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    [time(&files.certificate), time(&files.key)]
}

fn certified(files: &Tls, provider: &Arc<crypto::CryptoProvider>) -> Result<CertifiedKey> {
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| invalid(&files.key.display(), &error))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| invalid(&files.key.display(), &error))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(|found| found.collect::<std::result::Result<Vec<_>, _>>());
    let found = read.map_err(|error| invalid(&path.display(), &error))?;
    if found.is_empty() {
        return Err(invalid(&path.display(), &"there is no certificate in it"));
    }
    Ok(found)
}

/// The common name of a certificate's subject.
fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let name = parsed.subject().iter_common_name().next()?.as_str().ok()?.to_owned();
    Some(name)
}

fn invalid(what: &dyn std::fmt::Display, error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Invalid, format!("{what}: {error}"))
}
