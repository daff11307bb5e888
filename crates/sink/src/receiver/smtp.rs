//! Mail.

use std::fmt::Write;
use std::path::Path;

use counterfoil::Result;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{SmtpTransport, Transport};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Failure, PATIENCE, Receiver, Sent, tls};
use crate::config::{Ca, invalid, minute};
use crate::message::{MAX_LINES, MAX_SENTENCE, Message};
use crate::secret::Secret;
use crate::text;

/// The most recipients.
const MAX_RECIPIENTS: usize = 50;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Options {
    /// `smtp://HOST:587` with STARTTLS, or `smtps://HOST:465`.
    pub address: String,
    pub from: String,
    pub to: Vec<String>,
    pub username: Option<String>,
    pub password: Option<Secret>,
    /// `"none"` on loopback alone.
    pub tls: Option<String>,
    pub ca: Ca,
    #[serde(default = "minute")]
    pub group_s: u64,
}

/// A mail server.
pub(crate) struct Mail {
    transport: SmtpTransport,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Mail {
    pub fn open(options: &Options) -> Result<Self> {
        let url = url::Url::parse(&options.address);
        let url = url.map_err(|error| invalid(format!("address: {error}: write smtp://HOST:587")))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        if host.is_empty() || !url.username().is_empty() {
            return Err(invalid("address: write smtp://HOST:587, and credentials in username and password"));
        }
        let parameters = || parameters(&host, options.ca.as_deref());
        let (tls, port) = match (url.scheme(), options.tls.as_deref()) {
            ("smtp", None) => (Tls::Required(parameters()?), 587),
            ("smtps", None) => (Tls::Wrapper(parameters()?), 465),
            ("smtp", Some("none")) if tls::is_loopback(&host) => (Tls::None, 25),
            (_, Some("none")) => {
                return Err(invalid("tls: \"none\" is for a server on this machine alone: leave it out"));
            }
            (_, Some(other)) => return Err(invalid(format!("tls: {other:?}: leave it out, or write \"none\""))),
            (other, None) => {
                return Err(invalid(format!("address: {other}:// is not mail: write smtp:// or smtps://")));
            }
        };
        let port = url.port().unwrap_or(port);
        let transport = SmtpTransport::builder_dangerous(&host).port(port).tls(tls).timeout(Some(PATIENCE));
        let transport = match (&options.username, &options.password) {
            (Some(name), Some(password)) => {
                transport.credentials(Credentials::new(name.clone(), password.read("password")?))
            }
            (None, None) => transport,
            _ => return Err(invalid("username and password come both or neither")),
        };
        if options.to.is_empty() || options.to.len() > MAX_RECIPIENTS {
            return Err(invalid(format!("to: write 1 to {MAX_RECIPIENTS} addresses")));
        }
        let from = mailbox("from", &options.from)?;
        let to = options.to.iter().map(|to| mailbox("to", to)).collect::<Result<_>>()?;
        Ok(Self { transport: transport.build(), from, to })
    }

    fn mail(&self, message: &Message<'_>) -> std::result::Result<lettre::Message, lettre::error::Error> {
        let digest = hex::encode(&Sha256::digest(format!("{}\n{}", message.dedup_key, self.to[0]))[..16]);
        let id = format!("<{digest}@{}>", self.from.email.domain());
        let generated = HeaderName::new_from_ascii_str("Auto-Submitted");
        let mut builder = lettre::Message::builder()
            .from(self.from.clone())
            .subject(message.title())
            .message_id(Some(id))
            .raw_header(HeaderValue::new(generated, "auto-generated".to_owned()));
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        builder.multipart(MultiPart::alternative_plain_html(plain(message), html(message)))
    }
}

impl Receiver for Mail {
    fn send(&mut self, message: &Message<'_>) -> std::result::Result<Sent, Failure> {
        let mail = self.mail(message).map_err(|error| Failure::Never(super::words(&error)))?;
        let answer = self.transport.send(&mail).map_err(|error| failure(&error))?;
        let said: Vec<&str> = answer.message().collect();
        Ok(Sent::saying(format!("{} {}", answer.code(), said.join(" "))))
    }
}

/// A 5xx is about this message, unless it is about who we are (53x) or about the server.
fn failure(error: &SmtpError) -> Failure {
    let words = super::words(error);
    let code = error.status().map(u16::from);
    match code {
        Some(550..=559) => Failure::Never(words),
        Some(530..=539) => Failure::later(format!("{words}: look at username, password and TLS")),
        _ => Failure::later(words),
    }
}

fn parameters(host: &str, ca: Option<&Path>) -> Result<TlsParameters> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if ca.is_some() {
        builder = builder.certificate_store(CertificateStore::None);
        for root in tls::roots(ca)? {
            let root = Certificate::from_der(root.to_vec());
            builder = builder.add_root_certificate(root.map_err(|error| invalid(format!("ca: {error}")))?);
        }
    }
    builder.build_rustls().map_err(|error| invalid(format!("ca: {}", super::words(&error))))
}

fn mailbox(member: &str, text: &str) -> Result<Mailbox> {
    let read = text.parse::<Mailbox>();
    read.map_err(|error| invalid(format!("{member}: {text:?}: {error}: write name@example.com")))
}

fn plain(message: &Message<'_>) -> String {
    let mut out = format!("{}\n\n", message.sentence());
    for (name, value) in message.facts() {
        let _ = writeln!(out, "{name}: {value}");
    }
    if let Some(note) = message.checkpoint() {
        let _ =
            writeln!(out, "\nThe newest checkpoint, a file for `counterfoil verify --checkpoint`:\n\n{}", lines(note));
    }
    out.push_str("\nEntries:\n");
    for index in message.causes() {
        let link = message.link(index).map(|link| format!("  {link}")).unwrap_or_default();
        let _ = writeln!(out, "  {index}{link}");
    }
    for event in message.events.iter().skip(1).take(MAX_LINES) {
        let _ = writeln!(out, "\nEntry {}: {}", event.index, text::line(&event.sentence(), 300));
    }
    let _ = writeln!(out, "\n-- \nSent by Counterfoil. Known again by: {}", message.dedup_key);
    out
}

/// A text of several lines, each made harmless.
fn lines(text: &str) -> String {
    text.split('\n').take(MAX_LINES).map(|line| text::line(line, MAX_SENTENCE)).collect::<Vec<_>>().join("\n")
}

fn html(message: &Message<'_>) -> String {
    let row =
        |(name, value): (&str, String)| format!("<tr><th align=left>{name}</th><td>{}</td></tr>", text::html(&value));
    let facts: String = message.facts().into_iter().map(row).collect();
    let entry = |index: u64| match message.link(index) {
        Some(link) => format!("<li><a href=\"{}\">Entry {index}</a></li>", text::html(&link)),
        None => format!("<li>Entry {index}</li>"),
    };
    let causes: String = message.causes().into_iter().map(entry).collect();
    let note = message.checkpoint().map(|note| format!("<pre>{}</pre>", text::html(&lines(note)))).unwrap_or_default();
    let more = message.events.iter().skip(1).take(MAX_LINES);
    let more: String = more
        .map(|event| format!("<p>Entry {}: {}</p>", event.index, text::html(&text::line(&event.sentence(), 300))))
        .collect();
    format!(
        "<!doctype html><html><body style=\"font-family:sans-serif\"><h2>{}</h2><p>{}</p><table>{facts}</table>{note}\
         <ul>{causes}</ul>{more}<p style=\"color:#666\">Sent by Counterfoil. Known again by: {}</p></body></html>",
        text::html(&message.title()),
        text::html(&message.sentence()),
        text::html(&message.dedup_key),
    )
}
