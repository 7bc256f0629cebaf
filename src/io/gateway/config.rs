//! Owns which providers there are, where they are and how they are asked. Never holds a key, only where one is.

use std::collections::BTreeMap;

use super::breaker::BreakerLimits;
use super::prices::Rates;
use crate::io::keys::KeySource;

/// Says what a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Anthropic's API.
    Anthropic,
    /// OpenAI's API, which many others speak too.
    OpenAi,
    /// Gemini's API.
    Gemini,
}

/// Says what becomes of a call to a model without a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownModels {
    /// It is refused.
    Refuse,
    /// It is free: the model runs on a machine of one's own.
    Free,
    /// It costs this.
    Cost(Rates),
}

/// Says how one provider is reached and what may be asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// What it speaks.
    pub speaks: Family,
    /// Where it is: `https://…`, without a slash at the end.
    pub base: String,
    /// Where its key is.
    pub key: KeySource,
    /// Globs of the models that may be asked.
    pub models: Vec<String>,
    /// Calls to one model at one time, in all sessions together.
    pub calls_at_once: u32,
    /// What becomes of a call to a model without a price.
    pub unknown_models: UnknownModels,
    /// Whether a request may ask for what costs more than tokens or reaches beyond the sandbox: tools that run at the
    /// provider, faster tiers.
    pub extras: bool,
}

impl Provider {
    /// Makes a provider that needs no key and may be asked for everything that has a price.
    pub fn at(speaks: Family, base: impl Into<String>) -> Self {
        Self {
            speaks,
            base: base.into(),
            key: KeySource::None,
            models: vec!["*".to_owned()],
            calls_at_once: 8,
            unknown_models: UnknownModels::Refuse,
            extras: false,
        }
    }
}

/// Configures the gateway; the user's own, never a repository's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayConfig {
    /// The providers, by the name that is the first part of each path.
    pub providers: BTreeMap<String, Provider>,
    /// When a session is cut off.
    pub breaker: BreakerLimits,
    /// Largest request body, in bytes.
    pub body_bytes_max: usize,
}

impl GatewayConfig {
    /// Tells whether a provider is known and there is where its key may come from, if it needs one.
    pub fn has_key(&self, provider: &str) -> bool {
        self.providers.get(provider).is_some_and(|provider| provider.key.is_set())
    }
}

/// Largest request body, in bytes.
pub(super) const BODY_BYTES_MAX: usize = 64 << 20;

impl Default for GatewayConfig {
    /// Knows no provider.
    fn default() -> Self {
        Self { providers: BTreeMap::new(), breaker: BreakerLimits::default(), body_bytes_max: BODY_BYTES_MAX }
    }
}
