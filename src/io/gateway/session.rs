//! Owns one session: its token, its terms, its books, and that each request of it comes to an end that is told. Never
//! speaks HTTP.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use globset::{Glob, GlobSet, GlobSetBuilder};
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, watch};

use super::bound::Bound;
use super::call::{Call, Metered, Outcome};
use super::house::House;
use super::ledger::Ledger;
use super::purse::Purse;
use super::refusal::Refusal;
use super::server;
use super::token::Token;
use crate::io::tools::Server;

/// Refusals of one session that are told one by one; more are only counted.
const TOLD_REFUSALS: u64 = 100;

/// Tunnels of one session at one time; more wait.
const TUNNELS: usize = 32;

/// Says what a session may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// Globs of the models that it may ask; none allows none, and says so.
    pub models: Vec<String>,
    /// Calls that it may make, those that only count tokens among them.
    pub calls: Option<u64>,
    /// Tokens that it may use: what its calls may use at most counts until it is known what they used.
    pub tokens: Option<u64>,
    /// What it may spend, in nano-dollars; counts in the same way.
    pub nano_usd: Option<u64>,
    /// Hosts that it may reach beside models, by TLS.
    pub hosts: BTreeSet<String>,
}

/// Says why a session could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum TermsError {
    /// A model is named by what is no glob.
    #[error("read the glob `{glob}` of the session's models")]
    Glob {
        /// What was written.
        glob: String,
        /// What is wrong with it.
        #[source]
        source: globset::Error,
    },
    /// The system gave no randomness for a token.
    #[error("draw a token: the system has no randomness to give")]
    Token,
}

/// Lets one attempt ask models, until it is closed.
#[derive(Debug)]
pub struct Session {
    inner: Arc<Inner>,
}

impl Session {
    /// Gives the token that the session's clients are to send as their key.
    pub fn token(&self) -> &Token {
        &self.inner.token
    }

    /// Serves whoever connects to a listener, until the future is dropped; what is under way then ends as where a
    /// client goes away. Several listeners may be served at one time.
    pub fn serve(&self, listener: TcpListener) -> impl Future<Output = ()> + Send + use<> {
        server::serve(Arc::clone(&self.inner), listener)
    }

    /// Tells what was counted so far.
    pub fn metered(&self) -> Metered {
        self.inner.ledger().metered.clone()
    }

    /// Ends the session: takes no more requests, breaks off what is under way, and answers when all is settled.
    pub async fn close(self) -> Metered {
        self.inner.close();
        loop {
            let mut changed = std::pin::pin!(self.inner.changed.notified());
            changed.as_mut().enable();
            {
                let ledger = self.inner.ledger();
                if ledger.open == 0 {
                    return ledger.metered.clone();
                }
            }
            changed.await;
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.inner.close();
    }
}

/// Holds what all requests of a session share.
pub(super) struct Inner {
    pub(super) name: String,
    pub(super) token: Token,
    pub(super) terms: Terms,
    pub(super) models: GlobSet,
    pub(super) purse: Arc<dyn Purse>,
    /// What its client may call beside models.
    pub(super) tools: Option<Server>,
    pub(super) house: Arc<House>,
    /// Bounds the tunnels that are open at one time.
    pub(super) tunnels: Arc<Semaphore>,
    ledger: Mutex<Ledger>,
    changed: Notify,
    closing: watch::Sender<bool>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("name", &self.name).field("terms", &self.terms).finish_non_exhaustive()
    }
}

/// Opens a session in a house.
pub(super) fn open(
    house: Arc<House>,
    name: String,
    terms: Terms,
    purse: Arc<dyn Purse>,
    tools: Option<Server>,
) -> Result<Session, TermsError> {
    let models = globs(&terms.models)?;
    let token = Token::draw().ok_or(TermsError::Token)?;
    let ledger = Mutex::new(Ledger::new(house.policy().breaker));
    let inner = Inner {
        name,
        token,
        terms,
        models,
        purse,
        tools,
        house,
        tunnels: Arc::new(Semaphore::new(TUNNELS)),
        ledger,
        changed: Notify::new(),
        closing: watch::Sender::new(false),
    };
    Ok(Session { inner: Arc::new(inner) })
}

/// Makes one matcher of several globs.
pub(super) fn globs(written: &[String]) -> Result<GlobSet, TermsError> {
    let mut set = GlobSetBuilder::new();
    for glob in written {
        set.add(Glob::new(glob).map_err(|source| TermsError::Glob { glob: glob.clone(), source })?);
    }
    set.build().map_err(|source| TermsError::Glob { glob: written.join(", "), source })
}

impl Inner {
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // The books are whole after each statement that changes them.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.ledger().is_closed = true;
        self.closing.send_replace(true);
        self.changed.notify_waiters();
    }

    /// Waits until the session is over.
    pub(super) async fn closing(&self) {
        // The sender lives as long as this.
        let _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }

    /// Notes a request whose end is not told yet, until what this gives is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> (u64, Open) {
        let mut ledger = self.ledger();
        ledger.open += 1;
        (ledger.number(), Open(Arc::clone(self)))
    }

    /// Holds what a call may use, when others have settled.
    pub(super) async fn hold(&self, bound: &Bound) -> Result<(), Refusal> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let answer = self.ledger().hold(bound, &self.terms);
            match answer {
                Some(answer) => return answer,
                None => changed.await,
            }
        }
    }

    /// Enters a request that has ended in the place of what was held for it, and tells it.
    pub(super) async fn settle(&self, call: Call, held: Option<Bound>) {
        let is_told = {
            let mut ledger = self.ledger();
            ledger.enter(&call);
            if let Some(bound) = held {
                ledger.release(&bound);
            }
            match &call.outcome {
                Outcome::Refused(_) => held.is_some() || ledger.metered.refusals <= TOLD_REFUSALS,
                Outcome::Complete | Outcome::Cut | Outcome::Failed => true,
            }
        };
        self.changed.notify_waiters();
        if is_told {
            self.purse.settle(call).await;
        }
    }
}

/// Stands for a request whose end is not told yet.
#[derive(Debug)]
pub(super) struct Open(Arc<Inner>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.ledger().open -= 1;
        self.0.changed.notify_waiters();
    }
}
