//! From an accepted connection to somebody who is signed in: TLS, the database, the token.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use pgwire::messages::PgWireBackendMessage as Message;
use pgwire::messages::startup::{Authentication, NegotiateProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::access::{Caller, Credential, Denial, Right};
use crate::pg::cancel::{Cancels, Key};
use crate::pg::catalog::DATABASE;
use crate::pg::frame::{Fields, Frame};
use crate::pg::refusal::{Broken, Refusal};
use crate::pg::wire::{Carrier, Wire};
use crate::service::Service;

/// What PostgreSQL's clients name the protocol by, in the handshake of TLS.
const ALPN: &[u8] = b"postgresql";

/// The first byte of a TLS handshake.
const TLS_HANDSHAKE: u8 = 0x16;

const CANCEL: i32 = 80_877_102;
const SSL: i32 = 80_877_103;
const GSS_ENCRYPTION: i32 = 80_877_104;

/// The protocol's version, as this and the first minor ones are numbered.
const MAJOR: i32 = 3;

/// Somebody who signed in.
pub(crate) struct Guest {
    pub(crate) wire: Wire,
    pub(crate) token: String,
    /// The name that the token stands for.
    pub(crate) name: Arc<str>,
    /// The name that the client gave itself.
    pub(crate) user: String,
    /// What the client sets from the start.
    pub(crate) wishes: BTreeMap<String, String>,
}

/// Where clients come in.
pub(crate) struct Entrance {
    pub(crate) service: Arc<Service>,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) cancels: Arc<Cancels>,
    /// How long a client may take nothing of what it asked for.
    pub(crate) patience: Duration,
}

/// A connection and its first message.
struct Opened {
    wire: Wire,
    first: Result<Opening, Broken>,
    encrypted: bool,
}

/// Who signed in, and what was wished for.
struct SignedIn {
    token: String,
    name: Arc<str>,
    user: String,
    wishes: BTreeMap<String, String>,
}

/// What a connection begins with.
enum Opening {
    Ssl,
    GssEncryption,
    Cancel(Key),
    Startup { minor: i32, wishes: BTreeMap<String, String> },
}

/// A listener's TLS under this protocol's name.
pub(crate) fn tls(acceptor: &TlsAcceptor) -> TlsAcceptor {
    let mut config = acceptor.config().as_ref().clone();
    config.alpn_protocols = vec![ALPN.to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

impl Entrance {
    /// Lets a client in, or tells it why not; `None` for one that only came to cancel, or left.
    pub(crate) async fn admit(&self, stream: TcpStream, peer: &str) -> Option<Guest> {
        let Opened { mut wire, first, encrypted } = self.open(stream).await?;
        let signed_in = match first {
            Ok(opening) => self.sign_in(&mut wire, opening, encrypted, peer).await,
            Err(broken) => Err(broken),
        };
        match signed_in {
            Ok(signed_in) => {
                let SignedIn { token, name, user, wishes } = signed_in?;
                wire.trust();
                Some(Guest { wire, token, name, user, wishes })
            }
            Err(Broken::Told(refusal)) => {
                wire.close(Some(refusal)).await;
                None
            }
            Err(Broken::Gone) => None,
        }
    }

    /// The encryption that both sides agree on, and the first message inside it; `None` when they do not agree.
    async fn open(&self, mut stream: TcpStream) -> Option<Opened> {
        let mut first = [0];
        stream.peek(&mut first).await.ok().filter(|bytes| *bytes == 1)?;
        if first[0] == TLS_HANDSHAKE {
            return self.encrypted(stream, true).await;
        }
        // Eight bytes and not one more are read before TLS: what a third party put behind them would pass for encrypted.
        let mut head = [0; 8];
        loop {
            stream.read_exact(&mut head).await.ok()?;
            let code = i32::from_be_bytes(head[4..].try_into().expect("four bytes"));
            match (head[..4] == 8_i32.to_be_bytes(), code) {
                (true, SSL) if self.tls.is_some() => {
                    stream.write_all(b"S").await.ok()?;
                    return self.encrypted(stream, false).await;
                }
                (true, SSL | GSS_ENCRYPTION) => stream.write_all(b"N").await.ok()?,
                _ => return Some(self.opened(Box::new(stream), &head, false).await),
            }
        }
    }

    async fn encrypted(&self, stream: TcpStream, direct: bool) -> Option<Opened> {
        let stream = self.tls.as_ref()?.accept(stream).await.ok()?;
        if direct && stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            return None;
        }
        Some(self.opened(Box::new(stream), &[], true).await)
    }

    async fn opened(&self, stream: Box<dyn Carrier>, read: &[u8], encrypted: bool) -> Opened {
        let mut wire = Wire::begun(stream, read, self.patience);
        let first = wire.opening().await.and_then(|body| Ok(opening(body)?));
        Opened { wire, first, encrypted }
    }

    async fn sign_in(
        &self,
        wire: &mut Wire,
        opening: Opening,
        encrypted: bool,
        peer: &str,
    ) -> Result<Option<SignedIn>, Broken> {
        let (minor, wishes) = match opening {
            Opening::Startup { minor, wishes } => (minor, wishes),
            Opening::Cancel(key) => {
                self.cancels.cancel(key);
                return Ok(None);
            }
            Opening::Ssl | Opening::GssEncryption => return Err(Refusal::protocol("TLS was agreed on already").into()),
        };
        if self.tls.is_some() && !encrypted {
            let message = "this service takes connections by TLS only: set sslmode=require";
            return Err(self.denied("unknown", peer, Refusal::fatal("28000", message)).await);
        }
        if minor > 0 || wishes.keys().any(|name| name.starts_with("_pq_.")) {
            let unknown = wishes.keys().filter(|name| name.starts_with("_pq_.")).cloned().collect();
            wire.feed(Message::NegotiateProtocolVersion(NegotiateProtocolVersion::new(0, unknown))).await?;
        }
        wire.feed(Message::Authentication(Authentication::CleartextPassword)).await?;
        wire.flush().await?;
        let Frame::Password(token) = wire.next().await? else {
            return Err(Refusal::protocol("a password was expected").into());
        };
        let name = self.check(&token, peer).await?;
        let user = wishes.get("user").cloned().unwrap_or_default();
        let database = wishes.get("database").unwrap_or(&user);
        if database != DATABASE {
            let message = format!("there is no database {database:?}: the one database is {DATABASE:?}");
            return Err(Refusal::fatal("3D000", message).into());
        }
        if wishes.get("replication").is_some_and(|value| !["false", "off", "no", "0"].contains(&value.as_str())) {
            return Err(Refusal::fatal("0A000", "there is no replication by this protocol").into());
        }
        wire.feed(Message::Authentication(Authentication::Ok)).await?;
        Ok(Some(SignedIn { token, name, user, wishes }))
    }

    /// Whose token this is.
    async fn check(&self, token: &str, peer: &str) -> Result<Arc<str>, Broken> {
        let problem = match Caller::recognise(Credential::Token(token.to_owned()), &self.service, Some(Right::Read)) {
            Ok(caller) => return Ok(caller.principal.name),
            Err(problem) => problem,
        };
        let who = problem.who.clone().unwrap_or_else(|| "unknown".into());
        Err(match problem.kind {
            "unauthenticated" => {
                let message = "the password is no valid token: give one that begins with cf_, not revoked or expired";
                self.denied(&who, peer, Refusal::fatal("28P01", message)).await
            }
            "denied" => self.denied(&who, peer, Refusal::fatal("28000", problem.detail)).await,
            _ => Refusal { fatal: true, ..Refusal::from(problem) }.into(),
        })
    }

    async fn denied(&self, who: &str, peer: &str, refusal: Refusal) -> Broken {
        deny(&self.service, who, peer, "PostgreSQL sign-in", &refusal.message).await;
        refusal.into()
    }
}

/// Notes that somebody was not allowed something.
pub(crate) async fn deny(service: &Arc<Service>, who: &str, peer: &str, what: &str, reason: &str) {
    let denial =
        Denial { who: who.to_owned(), peer: peer.to_owned(), what: what.to_owned(), reason: reason.to_owned() };
    service.metrics.refused("denied");
    service.deny(denial).await;
}

fn opening(body: Bytes) -> Result<Opening, Refusal> {
    let mut fields = Fields(body);
    let code = fields.int32()?;
    Ok(match code {
        SSL => Opening::Ssl,
        GSS_ENCRYPTION => Opening::GssEncryption,
        CANCEL => Opening::Cancel((fields.int32()?, fields.int32()?)),
        _ if code >> 16 == MAJOR => {
            let mut wishes = BTreeMap::new();
            while fields.0.remaining() > 1 {
                let name = fields.text()?;
                wishes.insert(name, fields.text()?);
            }
            Opening::Startup { minor: code & 0xffff, wishes }
        }
        _ => return Err(Refusal::fatal("0A000", "only version 3 of the protocol is spoken here")),
    })
}
