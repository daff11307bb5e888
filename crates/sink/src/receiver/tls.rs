//! Whom we trust, and the TLS of what is neither HTTP nor mail.

use std::path::Path;
use std::sync::Arc;

use counterfoil::{Error, ErrorKind, Result};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// The certificates of a file, or those of the system.
pub(crate) fn roots(ca: Option<&Path>) -> Result<Vec<CertificateDer<'static>>> {
    let Some(path) = ca else { return Ok(rustls_native_certs::load_native_certs().certs) };
    let unreadable = |reason: String| Error::new(ErrorKind::Invalid, format!("ca: {}: {reason}", path.display()));
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(error.to_string()))?;
    let certificates: std::result::Result<Vec<_>, _> = certificates.collect();
    let certificates = certificates.map_err(|error| unreadable(error.to_string()))?;
    if certificates.is_empty() {
        return Err(unreadable("there is no certificate in it".to_owned()));
    }
    Ok(certificates)
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A client that trusts these certificates.
pub(crate) fn client(ca: Option<&Path>) -> Result<Arc<ClientConfig>> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots(ca)?);
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Error::new(ErrorKind::Internal, format!("TLS: {error}")))?;
    Ok(Arc::new(builder.with_root_certificates(store).with_no_client_auth()))
}

/// Whether a host is this machine: nobody else reads what is sent there.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
