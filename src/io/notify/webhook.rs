//! Owns how a notice is sent to a web address: what is written, how it is signed, which answers mean that it was taken.
//! Never follows a redirect, never tries again.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, StatusCode};
use serde::Serialize;
use sha2::Sha256;

use super::config::Body;
use super::config_text::sound;
use super::unsent::Unsent;
use crate::io::http::{chain, client_for};
use crate::model::notice::Notice;

/// How long it may take to be reached, and to answer.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(20);

/// What is sent: the notice, and a line that says it.
#[derive(Serialize)]
struct Whole<'a> {
    version: u32,
    #[serde(flatten)]
    notice: &'a Notice,
    text: String,
}

/// Writes what is sent.
pub(super) fn body(body: Body, notice: &Notice) -> String {
    let written = match body {
        Body::Artel => serde_json::to_string(&Whole { version: 1, notice, text: notice.line() }),
        Body::Slack => {
            // Slack reads what stands in angle brackets as links and as calls for everybody.
            let plain = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let text = format!("{}\n`{}`", plain(&notice.line()), plain(&notice.next).replace('`', "'"));
            serde_json::to_string(&serde_json::json!({ "text": text }))
        }
    };
    match written {
        Ok(text) => text,
        Err(error) => panic!("bug: a notice could not be written as JSON: {error}"),
    }
}

/// Signs a body that is sent at a time, in seconds since 1970: the HMAC-SHA256 of `TIME.BODY`, in hexadecimal digits
/// behind the version of this scheme.
///
/// # Panics
/// Never: a key of any length signs.
pub fn signature(secret: &str, at_s: i64, body: &str) -> String {
    let mut mac = match Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        Ok(mac) => mac,
        Err(error) => panic!("bug: a key does not sign: {error}"),
    };
    mac.update(format!("{at_s}.{body}").as_bytes());
    let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v1={digits}")
}

/// Sends a notice.
pub(super) async fn send(
    url: &str,
    secret: Option<&str>,
    kind: Body,
    notice: &Notice,
    at_s: i64,
) -> Result<(), Unsent> {
    // The address may be a secret: it is not told.
    sound(url).map_err(|why| Unsent::for_good(format!("the address {why}")))?;
    let client = client(url).map_err(|error| Unsent::for_now(chain(&error)))?;
    let body = body(kind, notice);
    let mut request = client
        .post(url)
        .header("content-type", "application/json")
        .header("user-agent", concat!("artel/", env!("CARGO_PKG_VERSION")))
        .header("artel-notice", &notice.id)
        .header("artel-timestamp", at_s);
    if let Some(secret) = secret {
        request = request.header("artel-signature", signature(secret, at_s, &body));
    }
    let answer = request.body(body).send().await.map_err(|error| Unsent::for_now(chain(&error.without_url())))?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        status @ (StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS) => {
            Err(Unsent::for_now(format!("it answered with {status}")))
        }
        status if status.is_client_error() || status.is_redirection() => {
            Err(Unsent::for_good(format!("it answered with {status}")))
        }
        status => Err(Unsent::for_now(format!("it answered with {status}"))),
    }
}

fn client(url: &str) -> Result<Client, reqwest::Error> {
    client_for(url).connect_timeout(CONNECT).timeout(ANSWER).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::notice::Cause;

    fn notice(why: &str) -> Notice {
        Notice {
            id: "r-7k2m-12-1".to_owned(),
            cause: Cause::NeedsInput,
            run: "r-7k2m".parse().unwrap(),
            name: Some("TICKET-1".to_owned()),
            task: Some("t3".parse().unwrap()),
            title: "src/lib.rs".to_owned(),
            why: why.to_owned(),
            next: "artel answer r-7k2m/t3 ANSWER".to_owned(),
            percent: None,
            seq: 12,
            number: 1,
            at_ms: 5,
        }
    }

    #[test]
    fn a_signature_is_what_others_compute() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac s3cret
        assert_eq!(
            signature("s3cret", 1_700_000_000, "{\"a\":1}"),
            "v1=1698a50bc74d1ff1db85c4e0a5297c2ad9fdba245d5737cdb789e4cc6e098940"
        );
        assert_ne!(signature("s3cret", 1_700_000_001, "{\"a\":1}"), signature("s3cret", 1_700_000_000, "{\"a\":1}"));
    }

    #[test]
    fn a_body_says_all_and_calls_nobody() {
        insta::assert_snapshot!(body(Body::Artel, &notice("which licence?")));
        let slack = body(Body::Slack, &notice("<!channel> & <https://x|y>"));
        insta::assert_snapshot!(slack);
        assert!(!slack.contains('<') && !slack.contains('>'));
    }
}
