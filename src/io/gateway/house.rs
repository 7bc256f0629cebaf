//! Owns what all sessions share: the providers with their keys, connections and lanes, the prices, and the bounds.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::breaker::BreakerLimits;
use super::config::{Family, GatewayConfig};
use super::keys::Keyring;
use super::limits::Lanes;
use super::prices::Prices;
use super::purse::Purse;
use super::session::{self, Session, Terms, TermsError};
use super::shut::Shut;
use super::upstream::{Upstream, Way};
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
    pub(super) upstreams: BTreeMap<String, Arc<Upstream>>,
    pub(super) prices: Prices,
    pub(super) breaker: BreakerLimits,
    pub(super) body_bytes_max: usize,
    pub(super) clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for House {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("House").field("upstreams", &self.upstreams).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Makes a gateway; reads no key and no certificate and connects to nobody until a call needs it.
    ///
    /// # Errors
    /// Fails where the system lets nobody connect, or a model's name is no glob.
    pub fn new(config: GatewayConfig, prices: Prices, clock: Arc<dyn Clock>) -> Result<Self, GatewayError> {
        let near = Way::near().map_err(GatewayError::Client)?;
        let wide = Way::Wide(Arc::default());
        let mut upstreams = BTreeMap::new();
        for (name, provider) in config.providers {
            let source = |source| GatewayError::Models { provider: name.clone(), source };
            let is_wide = provider.base.starts_with("https://");
            let upstream = Upstream {
                name: name.clone(),
                models: session::globs(&provider.models).map_err(source)?,
                keys: Keyring::new(provider.key.clone()),
                lanes: Lanes::new(provider.calls_at_once),
                shut: Shut::default(),
                way: if is_wide { wide.clone() } else { near.clone() },
                config: provider,
            };
            upstreams.insert(name, Arc::new(upstream));
        }
        let (breaker, body_bytes_max) = (config.breaker, config.body_bytes_max);
        Ok(Self { house: Arc::new(House { upstreams, prices, breaker, body_bytes_max, clock }) })
    }

    /// Tells whether a provider is known and there is where its key may come from, if it needs one.
    pub fn has_key(&self, provider: &str) -> bool {
        self.house.upstreams.get(provider).is_some_and(|upstream| upstream.keys.is_set())
    }

    /// Tells what a provider speaks; nothing where it is not known.
    pub fn speaks(&self, provider: &str) -> Option<Family> {
        self.house.upstreams.get(provider).map(|upstream| upstream.config.speaks)
    }

    /// Lets calls be sent at once that wait for a provider to take some again: somebody knows that it does.
    pub fn try_at_once(&self) {
        self.house.upstreams.values().for_each(|upstream| upstream.lanes.open());
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
