//! Cancel requests: they come on connections of their own and name another by its key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

/// What a client shows to cancel what its connection runs.
pub(crate) type Key = (i32, i32);

/// The connections that can be told to cancel.
#[derive(Debug, Default)]
pub(crate) struct Cancels(Mutex<HashMap<Key, watch::Sender<()>>>);

/// One connection among them, for as long as this is held.
pub(crate) struct Cancellable {
    pub(crate) key: Key,
    asked: watch::Receiver<()>,
    among: Arc<Cancels>,
}

impl Cancels {
    /// Takes a connection in under a fresh key.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub(crate) fn join(self: &Arc<Self>) -> Result<Cancellable, getrandom::Error> {
        let mut connections = self.0.lock().expect("no panic while held");
        loop {
            let random = getrandom::u64()?;
            let key = ((random >> 33) as i32, random as i32);
            // Clients show the number to people, who tell connections apart by it.
            if key.0 == 0 || connections.keys().any(|(number, _)| *number == key.0) {
                continue;
            }
            let (tell, asked) = watch::channel(());
            connections.insert(key, tell);
            return Ok(Cancellable { key, asked, among: Arc::clone(self) });
        }
    }

    /// Cancels what a connection runs; nothing for a key that is none.
    pub(crate) fn cancel(&self, key: Key) {
        if let Some(tell) = self.0.lock().expect("no panic while held").get(&key) {
            tell.send_replace(());
        }
    }
}

impl Cancellable {
    /// A new statement begins: what was asked before is no longer meant.
    pub(crate) fn begin(&mut self) {
        self.asked.mark_unchanged();
    }

    /// Resolves when the statement is to be cancelled.
    pub(crate) async fn cancelled(&mut self) {
        if self.asked.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

impl Drop for Cancellable {
    fn drop(&mut self) {
        self.among.0.lock().expect("no panic while held").remove(&self.key);
    }
}
