//! Owns which headers pass the gateway, in either direction, and what they say of waiting. Names what passes; all else
//! is dropped, credentials first of all.

use std::time::Duration;

use hyper::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use serde::Deserialize;

/// Names what passes to a provider.
const TO_PROVIDER: [&str; 14] = [
    "content-type",
    "accept",
    "user-agent",
    "anthropic-version",
    "anthropic-beta",
    "openai-beta",
    "idempotency-key",
    "originator",
    "session_id",
    "session-id",
    "conversation_id",
    "x-app",
    "x-goog-api-client",
    "x-client-request-id",
];
/// Begins the names of what passes to a provider.
const TO_PROVIDER_BEGIN: [&str; 1] = ["x-stainless-"];
/// Names what passes to a client.
const TO_CLIENT: [&str; 9] = [
    "content-type",
    "content-encoding",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "request-id",
    "x-request-id",
    "openai-version",
    "openai-processing-ms",
];
/// Begins the names of what passes to a client.
const TO_CLIENT_BEGIN: [&str; 2] = ["anthropic-ratelimit-", "x-ratelimit-"];
/// Longest time that is believed.
const WAIT_MAX: Duration = Duration::from_secs(31 * 24 * 3600);

/// Gives what of a request's headers goes to a provider.
pub(super) fn to_provider(headers: &HeaderMap) -> HeaderMap {
    let mut kept = passing(headers, &TO_PROVIDER, &TO_PROVIDER_BEGIN);
    // What is packed cannot be counted.
    kept.insert("accept-encoding", HeaderValue::from_static("identity"));
    kept
}

/// Gives what of an answer's headers goes to a client.
pub(super) fn to_client(headers: &HeaderMap) -> HeaderMap {
    passing(headers, &TO_CLIENT, &TO_CLIENT_BEGIN)
}

fn passing(headers: &HeaderMap, names: &[&str], beginnings: &[&str]) -> HeaderMap {
    let passes = |name: &&HeaderName| {
        let name = name.as_str();
        names.contains(&name) || beginnings.iter().any(|beginning| name.starts_with(beginning))
    };
    let mut kept = HeaderMap::new();
    for name in headers.keys().filter(passes) {
        for value in headers.get_all(name) {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}

/// Tells how long a provider wants to be left alone, as far as an error says it.
pub(super) fn wait(headers: &HeaderMap, body: &[u8], now_ms: i64) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let millis =
        text("retry-after-ms").and_then(|text| text.split('.').next()?.parse().ok()).map(Duration::from_millis);
    let named = text(RETRY_AFTER.as_str()).and_then(|text| seconds(text).or_else(|| until(text, now_ms)));
    let of_plan = || {
        let at_s: i64 = text("anthropic-ratelimit-unified-reset")?.parse().ok()?;
        since(now_ms, at_s.checked_mul(1000)?)
    };
    millis.or(named).or_else(of_plan).or_else(|| in_body(body)).map(|wait| wait.min(WAIT_MAX))
}

/// Reads seconds with or without a fraction, rounded up.
fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = !whole.is_empty() && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    let up = u64::from(fraction.bytes().any(|byte| byte != b'0'));
    is_number.then(|| whole.parse::<u64>().unwrap_or(u64::MAX).saturating_add(up)).map(Duration::from_secs)
}

/// Reads a time of day as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn until(text: &str, now_ms: i64) -> Option<Duration> {
    let at = jiff::fmt::rfc2822::parse(text).ok()?;
    since(now_ms, at.timestamp().as_millisecond())
}

fn since(now_ms: i64, at_ms: i64) -> Option<Duration> {
    u64::try_from(at_ms.saturating_sub(now_ms)).ok().map(Duration::from_millis)
}

/// Reads where Gemini writes it: `{"error":{"details":[{"retryDelay":"31s"}]}}`, and where OpenAI does for the usage limits
/// of its accounts: `{"error":{"resets_in_seconds":7200}}`.
fn in_body(body: &[u8]) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Body {
        error: Error,
    }
    #[derive(Deserialize)]
    struct Error {
        #[serde(default)]
        details: Vec<Detail>,
        resets_in_seconds: Option<u64>,
    }
    #[derive(Deserialize)]
    struct Detail {
        #[serde(rename = "retryDelay")]
        delay: Option<String>,
    }
    let Body { error } = serde_json::from_slice(body).ok()?;
    if let Some(wait_s) = error.resets_in_seconds {
        return Some(Duration::from_secs(wait_s));
    }
    let delay = error.details.into_iter().find_map(|detail| detail.delay)?;
    seconds(delay.strip_suffix('s')?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn no_credential_and_nothing_of_the_hop_passes() {
        let sent = headers(&[
            ("authorization", "Bearer t"),
            ("proxy-authorization", "Basic t"),
            ("x-api-key", "t"),
            ("x-goog-api-key", "t"),
            ("api-key", "t"),
            ("cookie", "t"),
            ("openai-organization", "t"),
            ("x-goog-user-project", "t"),
            ("connection", "keep-alive, x-app"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("host", "127.0.0.1"),
            ("content-length", "3"),
            ("accept-encoding", "gzip"),
            ("x-forwarded-for", "1.2.3.4"),
            ("content-type", "application/json"),
            ("anthropic-version", "2023-06-01"),
            ("x-stainless-os", "Linux"),
        ]);
        let passed = to_provider(&sent);
        assert_eq!(names(&passed), ["accept-encoding", "anthropic-version", "content-type", "x-stainless-os"]);
        assert_eq!(passed["accept-encoding"], "identity");
        let answered = headers(&[
            ("content-type", "application/json"),
            ("set-cookie", "a=b"),
            ("server", "x"),
            ("anthropic-organization-id", "org"),
            ("anthropic-ratelimit-requests-limit", "5"),
            ("x-ratelimit-remaining-tokens", "5"),
            ("request-id", "r"),
            ("connection", "close"),
            ("transfer-encoding", "chunked"),
            ("content-length", "3"),
        ]);
        let passed = to_client(&answered);
        let expected =
            ["anthropic-ratelimit-requests-limit", "content-type", "request-id", "x-ratelimit-remaining-tokens"];
        assert_eq!(names(&passed), expected);
    }

    #[test]
    fn what_a_provider_says_of_waiting_is_understood() {
        let now_ms = 784_111_777_000;
        let ms = |pairs: &[(&'static str, &str)], body: &str| {
            wait(&headers(pairs), body.as_bytes(), now_ms).map(|wait| wait.as_millis())
        };
        assert_eq!(ms(&[("retry-after", "7")], ""), Some(7000));
        assert_eq!(ms(&[("retry-after", "0.2")], ""), Some(1000));
        assert_eq!(ms(&[("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT")], ""), Some(10_000));
        assert_eq!(ms(&[("retry-after", "Sun, 06 Nov 1994 08:49:27 GMT")], ""), None);
        assert_eq!(ms(&[("retry-after-ms", "250"), ("retry-after", "1")], ""), Some(250));
        assert_eq!(ms(&[("anthropic-ratelimit-unified-reset", "784111787")], ""), Some(10_000));
        let body = r#"{"error":{"code":429,"details":[{"@type":"x"},{"retryDelay":"31s"}]}}"#;
        assert_eq!(ms(&[], body), Some(31_000));
        assert_eq!(ms(&[], r#"{"error":{"type":"usage_limit_reached","resets_in_seconds":7200}}"#), Some(7_200_000));
        assert_eq!(ms(&[("retry-after", "99999999999999999999")], ""), Some(WAIT_MAX.as_millis()));
        for none in ["", "soon", "-5", "1e9", "NaN"] {
            assert_eq!(ms(&[("retry-after", none)], "{}"), None, "{none}");
        }
    }
}
