//! Syslog: RFC 5424 messages over TLS (RFC 5425), TCP with counted octets (RFC 6587), or UDP (RFC 5426).
//!
//! Syslog has no answer. Over TLS and TCP a batch has arrived when the receiver, told that nothing more comes, has read to
//! the end and ended the session from its side; a session that breaks instead means that the batch is sent again.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs, UdpSocket};
use std::sync::Arc;

use counterfoil::Result;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Stream};
use serde::Deserialize;
use serde_json::json;

use super::{Failure, Format, PATIENCE, Receiver, Sent, tls};
use crate::config::{Ca, invalid};
use crate::event::Event;
use crate::filter::Level;
use crate::message::Message;
use crate::text;

/// Facility "log audit".
const FACILITY: u8 = 13;
/// Severity of entries that are no alerts: notice.
const NOTICE: u8 = 5;
/// The most bytes of a message. What is longer is told without its entry.
const MAX_BYTES: usize = 60_000;
const MAX_BYTES_UDP: usize = 8_192;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Options {
    /// `tls://HOST:6514`, `tcp://HOST:601` or `udp://HOST:514`
    pub address: String,
    #[serde(default = "audit")]
    pub facility: u8,
    #[serde(default)]
    pub format: Format,
    pub ca: Ca,
}

fn audit() -> u8 {
    FACILITY
}

enum Way {
    Tls(Arc<ClientConfig>),
    Tcp,
    Udp,
}

/// A syslog server.
pub(crate) struct Syslog {
    way: Way,
    host: String,
    port: u16,
    options: Options,
}

impl Syslog {
    pub fn open(options: &Options) -> Result<Self> {
        let wanted = "write tls://HOST:6514, tcp://HOST:601 or udp://HOST:514";
        let url = url::Url::parse(&options.address);
        let url = url.map_err(|error| invalid(format!("address: {error}: {wanted}")))?;
        let way = match url.scheme() {
            "tls" => Way::Tls(tls::client(options.ca.as_deref())?),
            "tcp" => Way::Tcp,
            "udp" => Way::Udp,
            _ => return Err(invalid(format!("address: {wanted}"))),
        };
        if options.facility > 23 {
            return Err(invalid("facility: a number from 0 to 23; 13 is log audit, 16 to 23 are local0 to local7"));
        }
        let host =
            url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| invalid(format!("address: {wanted}")))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = url.port().ok_or_else(|| invalid(format!("address: {wanted}")))?;
        Ok(Self { way, host, port, options: options.clone() })
    }

    fn deliver(&self, messages: &[String]) -> io::Result<()> {
        if let Way::Udp = self.way {
            return self.deliver_datagrams(messages);
        }
        let counted: String = messages.iter().map(|message| format!("{} {message}", message.len())).collect();
        let mut socket = self.connect()?;
        match &self.way {
            Way::Tls(config) => {
                let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
                let mut connection = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
                let mut stream = Stream::new(&mut connection, &mut socket);
                stream.write_all(counted.as_bytes())?;
                stream.conn.send_close_notify();
                stream.flush()?;
                stream.sock.shutdown(Shutdown::Write)?;
                read_to_end(&mut stream)
            }
            _ => {
                socket.write_all(counted.as_bytes())?;
                socket.shutdown(Shutdown::Write)?;
                read_to_end(&mut socket)
            }
        }
    }

    fn deliver_datagrams(&self, messages: &[String]) -> io::Result<()> {
        let address = self.addresses()?.next().ok_or_else(|| io::Error::other("the host has no address"))?;
        let local = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(local)?;
        socket.connect(address)?;
        messages.iter().try_for_each(|message| socket.send(message.as_bytes()).map(drop))
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::other("the host has no address");
        for address in self.addresses()? {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(socket) => {
                    socket.set_read_timeout(Some(PATIENCE))?;
                    socket.set_write_timeout(Some(PATIENCE))?;
                    return Ok(socket);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn addresses(&self) -> io::Result<std::vec::IntoIter<std::net::SocketAddr>> {
        (self.host.as_str(), self.port).to_socket_addrs()
    }

    fn line(&self, event: &Event, message: &Message<'_>) -> String {
        let (severity, id) = match &event.alert {
            Some(alert) => (severity(alert.level), format!("alert_{}", alert.change.name())),
            None => (NOTICE, event.event_type.clone()),
        };
        let priority = self.options.facility * 8 + severity;
        let moment = &event.recorded_at;
        let head = format!(
            "<{priority}>1 {moment} {} counterfoil - {} {}",
            name(message.origin, 255),
            name(&id, 32),
            structured(event, message)
        );
        let body = self.options.format.json(event, message.origin);
        let most = if let Way::Udp = self.way { MAX_BYTES_UDP } else { MAX_BYTES };
        if head.len() + 1 + body.get().len() <= most {
            return format!("{head} {}", body.get());
        }
        let short = json!({
            "origin": message.origin, "index": event.index, "sentence": text::line(&event.sentence(), 300), "cut": true,
        });
        format!("{head} {short}")
    }
}

impl Receiver for Syslog {
    fn send(&mut self, message: &Message<'_>) -> std::result::Result<Sent, Failure> {
        let lines: Vec<String> = message.events.iter().map(|event| self.line(event, message)).collect();
        self.deliver(&lines).map_err(|error| Failure::later(super::words(&error)))?;
        Ok(Sent::saying(match self.way {
            Way::Udp => "sent; UDP has no answer: it may be lost without anybody knowing",
            _ => "read to the end by the receiver",
        }))
    }
}

/// Reads what comes until the other side ends. A connection that is reset is an error; one that goes silent too.
fn read_to_end(socket: &mut impl Read) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the receiver does not end the session"));
            }
            Err(error) => return Err(error),
        }
    }
}

fn severity(level: Level) -> u8 {
    match level {
        Level::Critical => 2,
        Level::High => 3,
        Level::Medium => 4,
        Level::Low => 5,
        Level::Informational => 6,
    }
}

/// A header's field: printable ASCII without spaces.
fn name(text: &str, most: usize) -> String {
    let name: String = text.chars().map(|c| if c.is_ascii_graphic() { c } else { '_' }).take(most).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

/// The structured data. 32473 is the number that RFC 5612 keeps for those who have none.
fn structured(event: &Event, message: &Message<'_>) -> String {
    let mut out = "[counterfoil@32473".to_owned();
    let mut value = |name: &str, value: &str| {
        let _ = write!(out, " {name}=\"");
        for c in text::line(value, 200).chars() {
            if matches!(c, '"' | '\\' | ']') {
                out.push('\\');
            }
            out.push(c);
        }
        out.push('"');
    };
    value("index", &event.index.to_string());
    value("dedup", &message.dedup_key);
    value("entity", &event.entity_id);
    if let Some(alert) = &event.alert {
        value("level", alert.level.name());
        value("rule", &alert.rule);
        value("title", &alert.title);
    }
    if event.is_test {
        value("test", "true");
    }
    out.push(']');
    out
}
