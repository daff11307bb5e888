//! Who may do what: principals and roles, tokens, browser sessions, and what is recorded of those that were denied.

mod caller;
mod denials;
mod principal;
mod session;
mod token;

pub(crate) use caller::{
    Administers, Caller, Certified, Credential, Exports, Local, Peer, Proves, Reads, Records, Reviews, session_cookie,
};
pub(crate) use denials::{Denial, Denials, PERIOD as DENIALS_PERIOD, note_refusals};
pub use principal::{LOCAL_ADMINISTRATOR, Principal, Right, Role};
pub(crate) use session::{COOKIE, SESSION_TIME, Sessions};
pub use token::{NewToken, TOKEN_PREFIX, TokenRecord, Tokens};
