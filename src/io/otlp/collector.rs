//! Owns the way to a collector of telemetry: OTLP over HTTP, one request at a time, nothing followed or tried again by
//! itself. Knows no run.

use std::time::Duration;

use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};

use super::config::OtlpConfig;
use super::wire;
use crate::io::http::{chain, client_for};
use crate::model::telemetry::{Metric, Span};

/// How long a collector may take to be reached, and to answer.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);
/// The longest wait that a collector may ask for.
const WAIT_AT_MOST: Duration = Duration::from_secs(300);

/// Leads to a collector.
#[derive(Debug)]
pub struct Collector {
    endpoint: String,
    headers: HeaderMap,
    resource: Vec<(String, String)>,
    client: Client,
}

/// Says why telemetry was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// It may be taken later.
    #[error("{why}")]
    Later {
        /// What happened.
        why: String,
        /// How long the collector asks to be left alone.
        wait: Option<Duration>,
    },
    /// It will never be taken.
    #[error("{why}")]
    Never {
        /// What happened.
        why: String,
    },
}

impl Collector {
    /// Opens the way; `instance` names whoever sends.
    ///
    /// # Errors
    /// Where a header is none, or there is nothing to make connections with.
    pub fn new(config: &OtlpConfig, instance: &str) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in &config.headers {
            let wrong = || format!("`{name}` of OTEL_EXPORTER_OTLP_HEADERS is no header");
            let mut value = HeaderValue::from_str(value).map_err(|_| wrong())?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?, value);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let builder = client_for(&config.endpoint).connect_timeout(CONNECT).timeout(ANSWER);
        let client = builder.build().map_err(|error| error.to_string())?;
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut resource = vec![
            pair("service.name", &config.service),
            pair("service.version", env!("CARGO_PKG_VERSION")),
            pair("service.instance.id", instance),
        ];
        resource.extend(config.resource.iter().cloned());
        Ok(Self { endpoint: config.endpoint.clone(), headers, resource, client })
    }

    /// Tells spans.
    ///
    /// # Errors
    /// Where they are not taken.
    pub async fn spans(&self, spans: &[Span]) -> Result<(), Unsent> {
        self.post("/v1/traces", wire::spans(&self.resource, spans)).await
    }

    /// Tells metrics: since when, and as of when, in milliseconds since 1970.
    ///
    /// # Errors
    /// Where they are not taken.
    pub async fn metrics(&self, metrics: &[Metric], span: (i64, i64)) -> Result<(), Unsent> {
        self.post("/v1/metrics", wire::metrics(&self.resource, metrics, span)).await
    }

    async fn post(&self, path: &str, body: Vec<u8>) -> Result<(), Unsent> {
        let url = format!("{}{path}", self.endpoint);
        let sent = self.client.post(url).headers(self.headers.clone()).body(body).send().await;
        let answer = sent.map_err(|error| {
            let why = format!("the collector at {} is not reached: {}", self.endpoint, chain(&error.without_url()));
            Unsent::Later { why, wait: None }
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let why = format!("the collector at {} answers {path} with status {}", self.endpoint, status.as_u16());
        if matches!(status.as_u16(), 429 | 502 | 503 | 504) {
            let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            let wait = seconds.map(|seconds| Duration::from_secs(seconds).min(WAIT_AT_MOST));
            return Err(Unsent::Later { why, wait });
        }
        Err(Unsent::Never { why })
    }
}
