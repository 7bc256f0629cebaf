//! Owns what the user's files say as it is in force: the providers with their keys, connections and lanes, the prices, the
//! bounds, and the version by which all that is known again. Never opens a file.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::breaker::BreakerLimits;
use super::config::{GatewayConfig, Provider};
use super::house::GatewayError;
use super::limits::Lanes;
use super::prices::Prices;
use super::session;
use super::shut::Shut;
use super::upstream::{Upstream, Way};
use crate::io::keys::Keyring;

/// Holds what the user's files say.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The providers and bounds.
    pub config: GatewayConfig,
    /// What models cost.
    pub prices: Prices,
    /// Stands for the files' texts; refusals are journalled with it.
    pub version: String,
}

/// Holds the rules that are in force, for as long as a call is made by them.
#[derive(Debug)]
pub(super) struct Policy {
    pub(super) upstreams: BTreeMap<String, Arc<Upstream>>,
    pub(super) prices: Prices,
    pub(super) breaker: BreakerLimits,
    pub(super) version: String,
}

/// Leads to providers that are near and to those that are far.
#[derive(Debug)]
pub(super) struct Ways {
    pub(super) near: Way,
    pub(super) wide: Way,
}

impl Policy {
    /// Puts rules in force; what is known of a provider that stays as it was before stays known.
    pub(super) fn of(rules: Rules, ways: &Ways, before: Option<&Self>) -> Result<Self, GatewayError> {
        let mut upstreams = BTreeMap::new();
        for (name, provider) in rules.config.providers {
            let kept = before.and_then(|before| before.upstreams.get(&name)).filter(|it| it.config == provider);
            let upstream = match kept {
                Some(kept) => Arc::clone(kept),
                None => Arc::new(upstream(&name, provider, ways)?),
            };
            upstreams.insert(name, upstream);
        }
        Ok(Self { upstreams, prices: rules.prices, breaker: rules.config.breaker, version: rules.version })
    }
}

fn upstream(name: &str, provider: Provider, ways: &Ways) -> Result<Upstream, GatewayError> {
    let source = |source| GatewayError::Models { provider: name.to_owned(), source };
    let is_wide = provider.base.starts_with("https://");
    Ok(Upstream {
        name: name.to_owned(),
        models: session::globs(&provider.models).map_err(source)?,
        keys: Keyring::new(provider.key.clone()),
        lanes: Lanes::new(provider.calls_at_once),
        shut: Shut::default(),
        way: if is_wide { ways.wide.clone() } else { ways.near.clone() },
        config: provider,
    })
}
