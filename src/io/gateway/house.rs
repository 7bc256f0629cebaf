//! Owns what all sessions share: the rules that are in force, and the ways to the providers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::breaker::Rate;
use super::config::{Family, GatewayConfig};
use super::follow::Follow;
use super::policy::{Policy, Rules, Ways};
use super::prices::Prices;
use super::purse::Purse;
use super::session::{self, Session, Terms, TermsError};
use super::upstream::Way;
use crate::io::clock::Clock;
use crate::io::tools::{Server, Toolbox};

/// Says why there is no gateway.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// There is no way to the providers.
    #[error("make a client for the providers")]
    Client(#[source] reqwest::Error),
    /// A model is named by what is no glob.
    #[error("read the models of `{provider}`")]
    Models {
        /// The provider.
        provider: String,
        /// What is wrong.
        #[source]
        source: TermsError,
    },
}

/// Lets sessions ask models; one for each coordinator's process.
#[derive(Debug, Clone)]
pub struct Gateway {
    house: Arc<House>,
}

/// Holds what all sessions share.
pub(super) struct House {
    policy: RwLock<Arc<Policy>>,
    ways: Ways,
    follow: Option<Follow>,
    rate: Mutex<Rate>,
    pub(super) body_bytes_max: usize,
    pub(super) clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for House {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("House").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl House {
    /// Gives the rules that are in force, read anew where the user has changed them.
    pub(super) fn policy(&self) -> Arc<Policy> {
        if let Some(follow) = &self.follow
            && let Some(rules) = follow.changed()
        {
            match Policy::of(rules, &self.ways, Some(&self.in_force())) {
                Ok(policy) => *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy),
                Err(error) => follow.tell(error.to_string()),
            }
        }
        self.in_force()
    }

    /// Watches over what all sessions spend.
    pub(super) fn rate(&self) -> MutexGuard<'_, Rate> {
        // The sums are whole after each statement that changes them.
        self.rate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_force(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Gateway {
    /// Makes a gateway whose rules stay as they are; reads no key and no certificate and connects to nobody until a call
    /// needs it.
    ///
    /// # Errors
    /// Fails where the system lets nobody connect, or a model's name is no glob.
    pub fn new(config: GatewayConfig, prices: Prices, clock: Arc<dyn Clock>) -> Result<Self, GatewayError> {
        Self::by(Rules { config, prices, version: String::new() }, None, clock)
    }

    /// Makes a gateway that reads its rules again when one of their files has changed: they are in force on the next call. Where
    /// they cannot be read, those before stay in force, and that is told.
    ///
    /// # Errors
    /// As [`Gateway::new`].
    pub fn following(rules: Rules, follow: Follow, clock: Arc<dyn Clock>) -> Result<Self, GatewayError> {
        Self::by(rules, Some(follow), clock)
    }

    fn by(rules: Rules, follow: Option<Follow>, clock: Arc<dyn Clock>) -> Result<Self, GatewayError> {
        let ways = Ways { near: Way::near().map_err(GatewayError::Client)?, wide: Way::Wide(Arc::default()) };
        let body_bytes_max = rules.config.body_bytes_max;
        let policy = RwLock::new(Arc::new(Policy::of(rules, &ways, None)?));
        Ok(Self { house: Arc::new(House { policy, ways, follow, rate: Mutex::default(), body_bytes_max, clock }) })
    }

    /// Gives the rules that are in force.
    pub(super) fn policy(&self) -> Arc<Policy> {
        self.house.policy()
    }

    /// Tells whether a provider is known and there is where its key may come from, if it needs one.
    pub fn has_key(&self, provider: &str) -> bool {
        self.policy().upstreams.get(provider).is_some_and(|upstream| upstream.keys.is_set())
    }

    /// Tells what a provider speaks; nothing where it is not known.
    pub fn speaks(&self, provider: &str) -> Option<Family> {
        self.house.policy().upstreams.get(provider).map(|upstream| upstream.config.speaks)
    }

    /// Lets calls be sent at once that wait for a provider to take some again: somebody knows that it does.
    pub fn try_at_once(&self) {
        self.house.policy().upstreams.values().for_each(|upstream| upstream.lanes.open());
    }

    /// Opens a session for an attempt: its name is for those who read logs.
    ///
    /// # Errors
    /// Fails where a model of the terms is no glob, or the system gives no randomness.
    pub fn open(&self, name: impl Into<String>, terms: Terms, purse: Arc<dyn Purse>) -> Result<Session, TermsError> {
        session::open(Arc::clone(&self.house), name.into(), terms, purse, None)
    }

    /// Opens a session that has tools beside what its terms allow of models.
    ///
    /// # Errors
    /// As [`Gateway::open`].
    pub fn open_with_tools(
        &self,
        name: impl Into<String>,
        terms: Terms,
        purse: Arc<dyn Purse>,
        toolbox: Arc<dyn Toolbox>,
    ) -> Result<Session, TermsError> {
        session::open(Arc::clone(&self.house), name.into(), terms, purse, Some(Server::of(toolbox)))
    }
}
