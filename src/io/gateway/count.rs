//! Owns how a provider is asked how many tokens a text has for one of its models: a call that costs nothing and is no
//! session's. Never guesses a count.

use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::config::Family;
use super::fault::{Fault, fault};
use super::house::Gateway;
use super::refusal::Refusal;
use super::route::{Asks, route};
use super::upstream::Upstream;
use crate::io::http::chain;

/// Time that a provider has to count.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of an answer that are read.
const ANSWER_BYTES: usize = 64 << 10;
/// Characters of what a provider says of a failure that are told.
const SAID_MOST: usize = 300;

/// Says why a text was not counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Uncounted {
    /// The provider is not known.
    #[error("there is no provider `{0}`: say in gateway.toml where it is")]
    Unknown(String),
    /// What the provider speaks has no such call, as far as it says.
    #[error("`{0}` has no call that counts tokens")]
    NoCall(String),
    /// It was not asked, or does not take the key.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It was not reached, or broke off.
    #[error("`{provider}` did not answer: {why}")]
    Unreached {
        /// The provider.
        provider: String,
        /// What happened.
        why: String,
    },
    /// It answered something else.
    #[error("`{provider}` answered {status}: {said}")]
    Failed {
        /// The provider.
        provider: String,
        /// The HTTP status.
        status: u16,
        /// What it said, without the key.
        said: String,
    },
}

impl Gateway {
    /// Asks a provider how many tokens a text has for a model, as the only message of a user; with the key of the house.
    ///
    /// # Errors
    /// Says why nobody counted.
    pub async fn count(&self, provider: &str, model: &str, text: &str) -> Result<u64, Uncounted> {
        let policy = self.policy();
        let unknown = || Uncounted::Unknown(provider.to_owned());
        let upstream = policy.upstreams.get(provider).ok_or_else(unknown)?;
        if !upstream.models.is_match(model) {
            let allowed = upstream.config.models.join(", ");
            return Err(Refusal::Model { model: model.to_owned(), allowed }.into());
        }
        let late = |_| Uncounted::Unreached { provider: provider.to_owned(), why: "its time was over".to_owned() };
        timeout(PATIENCE, ask(upstream, model, text)).await.map_err(late)?
    }
}

async fn ask(upstream: &Upstream, model: &str, text: &str) -> Result<u64, Uncounted> {
    let provider = &upstream.name;
    let no_key = |why| Refusal::NoKey { provider: provider.clone(), why };
    if !upstream.keys.is_set() {
        return Err(no_key("none is set".to_owned()).into());
    }
    let path = path(upstream, model)?;
    let key = upstream.keys.key().await.map_err(no_key)?;
    let unreached = |why| Uncounted::Unreached { provider: provider.clone(), why };
    let body = Bytes::from(question(upstream.config.speaks, model, text).to_string());
    let sent = upstream.send(&path, headers(upstream.config.speaks), key.as_ref(), body).await;
    let mut answer = sent.map_err(|unsent| unreached(unsent.why))?;
    let status = answer.status();
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER_BYTES
        && let Some(chunk) = answer.chunk().await.map_err(|error| unreached(chain(&error.without_url())))?
    {
        bytes.extend_from_slice(&chunk[..chunk.len().min(ANSWER_BYTES - bytes.len())]);
    }
    let count = counted(upstream.config.speaks, &bytes).filter(|_| status.is_success());
    // What was said is masked as it is told: in JSON a key may be written otherwise.
    let masked = |said: &str| key.as_ref().map_or_else(|| said.into(), |key| key.mask(said.as_bytes()));
    count.ok_or_else(|| failed(upstream, status, &bytes, masked))
}

/// Finds the path by which it is asked: one of those that the gateway knows.
fn path(upstream: &Upstream, model: &str) -> Result<String, Refusal> {
    let rest = match upstream.config.speaks {
        Family::Anthropic => "v1/messages/count_tokens".to_owned(),
        Family::OpenAi => "v1/responses/input_tokens".to_owned(),
        Family::Gemini => format!("v1beta/models/{model}:countTokens"),
    };
    let no_path = |_| Refusal::bad("the model has no name that can stand in a path");
    let target: Uri = format!("/{}/{rest}", upstream.name).parse().map_err(no_path)?;
    let found = route(&Method::POST, &target, |_| Some(upstream.config.speaks))?;
    let counts = matches!(found.asks, Asks::Count(_)) && found.model.as_deref().is_none_or(|it| it == model);
    if counts { Ok(found.path) } else { Err(Refusal::bad("the model's name would make another call")) }
}

fn question(speaks: Family, model: &str, text: &str) -> Value {
    match speaks {
        Family::Anthropic => json!({"model": model, "messages": [{"role": "user", "content": text}]}),
        Family::OpenAi => json!({"model": model, "input": text}),
        Family::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}),
    }
}

fn headers(speaks: Family) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if speaks == Family::Anthropic {
        headers.insert(HeaderName::from_static("anthropic-version"), HeaderValue::from_static("2023-06-01"));
    }
    headers
}

fn counted(speaks: Family, body: &[u8]) -> Option<u64> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let name = match speaks {
        Family::Anthropic | Family::OpenAi => "input_tokens",
        Family::Gemini => "totalTokens",
    };
    answer.get(name)?.as_u64()
}

fn failed(upstream: &Upstream, status: StatusCode, body: &[u8], masked: impl Fn(&str) -> Vec<u8>) -> Uncounted {
    let provider = upstream.name.clone();
    if fault(status.as_u16(), body) == Fault::Key {
        // What it says of a key may hold a part of it.
        return Refusal::KeyRefused { provider }.into();
    }
    // Of those who speak this, only its maker is sure to count.
    let is_unknown = matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED);
    if is_unknown && upstream.config.speaks == Family::OpenAi && provider != "openai" {
        return Uncounted::NoCall(provider);
    }
    let said = serde_json::from_slice::<Value>(body).ok();
    let said = said.as_ref().and_then(|said| said.pointer("/error/message")?.as_str());
    let said = masked(&said.map_or_else(|| String::from_utf8_lossy(body), Into::into));
    let said = String::from_utf8_lossy(&said);
    Uncounted::Failed { provider, status: status.as_u16(), said: said.trim().chars().take(SAID_MOST).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::gateway::testing::{KEY, Plan, Room, Said};
    use crate::io::gateway::{KeySource, Provider};

    #[tokio::test]
    async fn each_api_is_asked_by_its_own_call_with_the_key_of_the_house() {
        let room = Room::new(|heard| match heard.line.split(' ').nth(1).unwrap_or_default() {
            "/v1/messages/count_tokens" => Said::json(r#"{"input_tokens":7}"#),
            "/v1/responses/input_tokens" => Said::json(r#"{"object":"response.input_tokens","input_tokens":8}"#),
            "/v1beta/models/m:countTokens" => Said::json(r#"{"totalTokens":9}"#),
            _ => Said::Whole(500, Vec::new(), String::new()),
        })
        .await;
        for (provider, count) in [("anthropic", 7), ("openai", 8), ("gemini", 9)] {
            assert_eq!(room.gateway.count(provider, "m", "a brief").await, Ok(count), "{provider}");
        }
        let heard = room.fake.heard();
        assert!(heard.iter().all(|it| it.everything().contains(KEY) && it.text().contains("a brief")));
        assert_eq!(heard[0].headers["anthropic-version"], "2023-06-01");
        let named: Vec<String> = heard[..2].iter().map(|it| it.json()["model"].to_string()).collect();
        assert_eq!(named, ["\"m\"", "\"m\""]);
        assert!(room.end().await.1.is_empty(), "it is no session's call");
    }

    #[tokio::test]
    async fn who_does_not_count_says_why_and_shows_no_key() {
        let room = Room::new(|heard| match (heard.text(), heard.line.contains("/v1beta/")) {
            (text, _) if text.contains("refused") => {
                Said::Whole(401, Vec::new(), r#"{"error":{"type":"authentication_error","message":"x"}}"#.into())
            }
            (text, _) if text.contains("odd") => Said::json(r#"{"input_tokens":"many"}"#),
            (text, _) if text.contains("written") => {
                let key: String = KEY.chars().map(|letter| format!("\\u{:04x}", u32::from(letter))).collect();
                Said::Whole(500, Vec::new(), format!(r#"{{"error":{{"message":"no {key}"}}}}"#))
            }
            (_, true) => Said::Whole(500, Vec::new(), format!("no {KEY}\n")),
            _ => Said::Whole(404, Vec::new(), r#"{"error":{"message":"no such model"}}"#.into()),
        })
        .await;
        let why = async |provider, model, text| match room.gateway.count(provider, model, text).await {
            Ok(count) => panic!("{count}"),
            Err(why) => why.to_string(),
        };
        assert_eq!(why("nobody", "m", "").await, "there is no provider `nobody`: say in gateway.toml where it is");
        assert_eq!(why("local", "m", "").await, "`local` has no call that counts tokens");
        assert_eq!(why("openai", "m", "").await, "`openai` answered 404: no such model");
        assert_eq!(why("anthropic", "m", "refused").await, "`anthropic` does not accept the key that artel has for it");
        assert_eq!(why("anthropic", "m", "odd").await, r#"`anthropic` answered 200: {"input_tokens":"many"}"#);
        for text in ["", "written"] {
            let masked = "*".repeat(KEY.len());
            assert_eq!(why("gemini", "m", text).await, format!("`gemini` answered 500: no {masked}"));
        }
        let asked = room.fake.heard().len();
        for model in
            ["../m", "m:generateContent?", "m:generateContent#", "m:generateContent?key=", "m#-small", "a b", ""]
        {
            assert!(matches!(room.gateway.count("gemini", model, "").await, Err(Uncounted::Refused(_))), "{model}");
        }
        assert_eq!(room.fake.heard().len(), asked, "what leads elsewhere is not sent");
    }

    #[tokio::test]
    async fn nobody_is_asked_without_a_key_or_for_a_model_that_is_not_allowed() {
        let key = KeySource::Env { name: "NO_SUCH_KEY".to_owned(), value: None };
        let mut plan = Plan { key, ..Plan::default() };
        let mut narrow = Provider::at(Family::Anthropic, "http://127.0.0.1:9".to_owned());
        narrow.models = vec!["small-*".to_owned()];
        plan.config.providers.insert("narrow".to_owned(), narrow);
        let room = Room::of(plan, |_| Said::json("{}")).await;
        let why = room.gateway.count("openai", "m", "").await.unwrap_err().to_string();
        assert_eq!(why, "there is no key for `openai`: none is set");
        let why = room.gateway.count("narrow", "large", "").await.unwrap_err().to_string();
        assert_eq!(why, "the model `large` is not allowed here; allowed are small-*");
        assert!(room.fake.heard().is_empty());
    }
}
