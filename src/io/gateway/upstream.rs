//! Owns the way to the providers: connections, TLS, the key on its way out. Never follows a redirect, never retries.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use globset::GlobSet;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName};

use super::config::{Family, Provider, UnknownModels};
use super::limits::Lanes;
use super::prices::{Price, Prices};
use super::shut::Shut;
use crate::io::http::{chain, client};
use crate::io::keys::{Key, Keyring};

/// Time that it may take to reach a provider.
const CONNECT: Duration = Duration::from_secs(30);
/// Time that a provider may be silent: whole answers of models that think come after minutes.
const SILENCE: Duration = Duration::from_secs(15 * 60);
/// Time after which the system asks whether an idle connection is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// Idle connections to one provider.
const IDLE: usize = 16;

/// Reaches one provider.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) name: String,
    pub(super) config: Provider,
    pub(super) models: GlobSet,
    pub(super) keys: Keyring,
    pub(super) lanes: Lanes,
    pub(super) shut: Shut,
    pub(super) way: Way,
}

/// Leads to providers.
#[derive(Debug, Clone)]
pub(super) enum Way {
    /// To those on this machine and in this network: no proxies, no certificates.
    Near(reqwest::Client),
    /// To those in the world, made when it is first taken: a machine without certificates may run what asks no model.
    Wide(Arc<OnceLock<Result<reqwest::Client, String>>>),
}

impl Way {
    /// Opens the way to what is near.
    pub(super) fn near() -> Result<Self, reqwest::Error> {
        plain().no_proxy().tls_certs_only([]).build().map(Self::Near)
    }

    fn client(&self) -> Result<&reqwest::Client, Unsent> {
        match self {
            Self::Near(client) => Ok(client),
            Self::Wide(made) => made
                .get_or_init(|| plain().https_only(true).build().map_err(|error| chain(&error)))
                .as_ref()
                .map_err(|why| Unsent { why: why.clone(), may_have_begun: false }),
        }
    }
}

/// Says why there is no answer, without a key.
#[derive(Debug)]
pub(super) struct Unsent {
    pub(super) why: String,
    /// Whether the provider may have begun to work.
    pub(super) may_have_begun: bool,
}

impl Upstream {
    /// Finds what a model costs: `Err` where that is not known, nothing where it is free.
    pub(super) fn price(&self, model: &str, prices: &Prices) -> Result<Option<Price>, ()> {
        if let Some(price) = prices.of(&self.name, model) {
            return Ok(Some(*price));
        }
        match self.config.unknown_models {
            UnknownModels::Refuse => Err(()),
            UnknownModels::Free => Ok(None),
            UnknownModels::Cost(rates) => Ok(Some(Price::of(rates))),
        }
    }

    /// Sends a request, with the key where this API has it.
    pub(super) async fn send(
        &self,
        path: &str,
        mut headers: HeaderMap,
        key: Option<&Key>,
        body: Bytes,
    ) -> Result<reqwest::Response, Unsent> {
        let client = self.way.client()?;
        let (name, prefix) = match self.config.speaks {
            Family::Anthropic => (HeaderName::from_static("x-api-key"), ""),
            Family::OpenAi => (AUTHORIZATION, "Bearer "),
            Family::Gemini => (HeaderName::from_static("x-goog-api-key"), ""),
        };
        if let Some(value) = key.and_then(|key| key.header(prefix)) {
            headers.insert(name, value);
        }
        let url = format!("{}{path}", self.config.base);
        client.post(url).headers(headers).body(body).send().await.map_err(|error| Unsent {
            may_have_begun: !error.is_connect() && !error.is_builder(),
            why: chain(&error.without_url()),
        })
    }
}

fn plain() -> reqwest::ClientBuilder {
    client()
        // What is packed passes as it is, and is told as such.
        .no_gzip()
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .tcp_keepalive(KEEP_ALIVE)
        // Idle connections cost no timer: they are dropped when the provider or the system says so.
        .pool_idle_timeout(None)
        .pool_max_idle_per_host(IDLE)
}
