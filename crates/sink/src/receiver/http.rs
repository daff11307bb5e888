//! The one HTTP client.

use std::path::Path;
use std::time::Duration;

use counterfoil::Result;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::{Failure, PATIENCE, tls};
use crate::config::invalid;

/// The most bytes of an answer that are read.
const MAX_ANSWER: u64 = 64 * 1024;
/// The most characters of an answer that are told.
const MAX_TOLD: usize = 300;

/// The client of one receiver.
pub(crate) struct Http {
    agent: ureq::Agent,
}

/// What a server said.
pub(crate) struct Answer {
    pub status: u16,
    pub retry_after: Option<Duration>,
    pub body: String,
}

impl Http {
    pub fn new(ca: Option<&Path>) -> Result<Self> {
        let roots = tls::roots(ca)?;
        let roots = roots.iter().map(|root| Certificate::from_der(root).to_owned());
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(tls::provider())
            .root_certs(RootCerts::from(roots))
            .build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(PATIENCE))
            .user_agent(concat!("counterfoil/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self { agent: config.new_agent() })
    }

    /// Posts a body; whatever the server answers is an answer.
    pub fn post(&self, url: &str, headers: &[(&str, &str)], body: &[u8]) -> std::result::Result<Answer, Failure> {
        let mut request = self.agent.post(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let unreachable = |error: ureq::Error| Failure::later(super::words(&error));
        let mut response = request.send(body).map_err(unreachable)?;
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec().map_err(unreachable)?;
        Ok(Answer {
            status: response.status().as_u16(),
            retry_after: retry_after.map(Duration::from_secs),
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }
}

impl Answer {
    /// The status with what the server said beside it.
    pub fn words(&self) -> String {
        let said = crate::text::line(self.body.trim(), MAX_TOLD);
        if said.is_empty() { format!("HTTP {}", self.status) } else { format!("HTTP {}: {said}", self.status) }
    }

    /// Success, or what the status means: 400, 413, 415 and 422 are about this message; everything else, credentials and
    /// addresses among it, is mended by somebody, and then the message is wanted.
    pub fn check(self) -> std::result::Result<Self, Failure> {
        match self.status {
            200..=299 => Ok(self),
            400 | 413 | 415 | 422 => Err(Failure::Never(self.words())),
            _ => Err(self.later()),
        }
    }

    pub fn later(&self) -> Failure {
        let hint = match self.status {
            401 | 403 => ": look at the credentials",
            300..=399 | 404 | 405 | 410 => ": look at the address",
            _ => "",
        };
        Failure::Later { words: format!("{}{hint}", self.words()), after: self.retry_after }
    }
}

/// Refuses an address that is no `https://`, or `http://` on this machine or where nothing secret goes.
pub(crate) fn check_address(address: &str, has_secret: bool) -> Result<()> {
    let url = url::Url::parse(address).map_err(|error| invalid(format!("address: {error}: write https://HOST")))?;
    match url.scheme() {
        _ if !url.username().is_empty() || url.password().is_some() => {
            Err(invalid("address: a credential does not stand there: take it out of the address"))
        }
        "https" => Ok(()),
        "http" if !has_secret || tls::is_loopback(url.host_str().unwrap_or_default()) => Ok(()),
        "http" => Err(invalid("address: http:// would show the credential to the network: write https://")),
        other => Err(invalid(format!("address: {other}:// is not HTTP: write https://HOST"))),
    }
}
