//! Browser sessions and one-time sign-in links. They live in memory: a restart signs everybody out.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use counterfoil::Result;

use crate::access::principal::Principal;
use crate::access::token::random;

/// The cookie's name.
pub(crate) const COOKIE: &str = "counterfoil_session";

/// How long a session lasts.
pub(crate) const SESSION_TIME: Duration = Duration::from_hours(12);

/// How long a sign-in link can be used.
const LINK_TIME: Duration = Duration::from_hours(1);

/// Most sessions at once; the oldest gives way.
const MAX_SESSIONS: usize = 10_000;

/// Most sessions of one principal at once; the oldest of its own gives way.
const MAX_OWN_SESSIONS: usize = 20;

#[derive(Debug)]
struct Session {
    principal: Principal,
    /// The token that opened it, to be asked again: a revoked one ends its sessions.
    token: Option<String>,
    since: Instant,
}

/// The sessions of one service.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    open: Mutex<HashMap<String, Session>>,
    links: Mutex<HashMap<String, Instant>>,
}

/// What a session's cookie stands for.
pub(crate) enum Holder {
    /// The token that opened the session.
    Token(String),
    /// A principal without a token.
    Principal(Principal),
}

impl Sessions {
    /// A code that signs the local administrator in, once.
    pub(crate) fn link(&self) -> Result<String> {
        let code = secret()?;
        let mut links = self.links.lock().expect("no panic while held");
        links.retain(|_, since| since.elapsed() < LINK_TIME);
        links.insert(code.clone(), Instant::now());
        Ok(code)
    }

    /// Uses a code up; whether it was good.
    pub(crate) fn use_link(&self, code: &str) -> bool {
        let since = self.links.lock().expect("no panic while held").remove(code);
        since.is_some_and(|since| since.elapsed() < LINK_TIME)
    }

    /// Opens a session: the cookie's value.
    pub(crate) fn open(&self, principal: Principal, token: Option<String>) -> Result<String> {
        let value = secret()?;
        let mut open = self.open.lock().expect("no panic while held");
        open.retain(|_, session| session.since.elapsed() < SESSION_TIME);
        let own = |session: &Session| session.principal.name == principal.name;
        let only_own = open.values().filter(|session| own(session)).count() >= MAX_OWN_SESSIONS;
        if only_own || open.len() >= MAX_SESSIONS {
            let may_go = open.iter().filter(|(_, session)| !only_own || own(session));
            let oldest = may_go.min_by_key(|(_, session)| session.since).map(|(value, _)| value.clone());
            oldest.and_then(|oldest| open.remove(&oldest));
        }
        open.insert(value.clone(), Session { principal, token, since: Instant::now() });
        Ok(value)
    }

    /// Who holds this cookie.
    pub(crate) fn holder(&self, value: &str) -> Option<Holder> {
        let open = self.open.lock().expect("no panic while held");
        let session = open.get(value).filter(|session| session.since.elapsed() < SESSION_TIME)?;
        Some(match &session.token {
            Some(token) => Holder::Token(token.clone()),
            None => Holder::Principal(session.principal.clone()),
        })
    }

    /// Ends a session.
    pub(crate) fn close(&self, value: &str) {
        self.open.lock().expect("no panic while held").remove(value);
    }
}

fn secret() -> Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(random::<32>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_signs_in_again_and_again_ends_nobody_elses_session() {
        let sessions = Sessions::default();
        let admin = sessions.open(Principal::local_administrator(), None).expect("opened");
        let writer = Principal { name: "etl".into(), ..Principal::local_administrator() };
        let opened: Vec<String> = (0..10_001).map(|_| sessions.open(writer.clone(), None).expect("opened")).collect();
        assert!(sessions.holder(&admin).is_some());
        let held = opened.iter().filter(|value| sessions.holder(value).is_some()).count();
        assert_eq!(held, 20);
        assert!(sessions.holder(&opened[10_000]).is_some(), "the newest");
    }
}
