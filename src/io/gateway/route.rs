//! Owns the only paths that there are: what a request asks for, read from its method and target alone. Never forwards
//! a path that it did not write itself.

use hyper::{Method, Uri};

use super::call::Api;
use super::config::Family;
use super::refusal::Refusal;

/// Says what a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    /// An answer of a model.
    Answer(Api),
    /// How many tokens a request would have; costs nothing.
    Count(Api),
    /// Which models there are; answered by the gateway itself.
    Models,
    /// Whether anybody is there; answered by the gateway itself.
    Hello,
}

/// Describes a request that has a place to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    /// The provider, by its name in the configuration.
    pub(super) provider: String,
    /// What it asks for.
    pub(super) asks: Asks,
    /// The model, where the path names it.
    pub(super) model: Option<String>,
    /// Whether the answer is to be a stream, where the path says so.
    pub(super) streamed: Option<bool>,
    /// What follows the provider's base, the query with it; empty where nothing is forwarded.
    pub(super) path: String,
}

/// Longest target that is read, in bytes.
const TARGET_BYTES: usize = 4 << 10;
/// Longest name of a model, in bytes.
pub(super) const MODEL_BYTES: usize = 200;

/// Finds where a request goes.
///
/// # Errors
/// The refusal says which part leads nowhere.
pub(super) fn route(method: &Method, uri: &Uri, speaks: impl Fn(&str) -> Option<Family>) -> Result<Route, Refusal> {
    if uri.scheme().is_some() || uri.authority().is_some() || method == Method::CONNECT {
        return Err(Refusal::bad("the gateway is no proxy: send the path alone"));
    }
    let (path, query) = (uri.path(), uri.query().unwrap_or_default());
    if path.len() + query.len() > TARGET_BYTES {
        return Err(Refusal::Stray { status: 414, what: "the target is too long".to_owned() });
    }
    let lost = || Refusal::Stray { status: 404, what: format!("there is no such path: {}", readable(path)) };
    let (provider, rest) = path.strip_prefix('/').and_then(|path| path.split_once('/')).ok_or_else(lost)?;
    let family = speaks(provider).ok_or_else(lost)?;
    let mut found = match family {
        Family::Anthropic => anthropic(rest),
        Family::OpenAi => openai(rest),
        Family::Gemini => gemini(rest),
    }
    .ok_or_else(lost)?;
    let fits = match found.asks {
        Asks::Answer(_) | Asks::Count(_) => method == Method::POST,
        Asks::Models => method == Method::GET,
        Asks::Hello => method == Method::GET || method == Method::HEAD,
    };
    if !fits {
        return Err(Refusal::Stray {
            status: 405,
            what: format!("{} is not for this path", readable(method.as_str())),
        });
    }
    if let Asks::Answer(api) | Asks::Count(api) = found.asks {
        found.path.push_str(&forwarded(api, query)?);
    }
    found.provider = provider.to_owned();
    Ok(found)
}

fn to(asks: Asks, path: &str) -> Option<Route> {
    Some(Route { provider: String::new(), asks, model: None, streamed: None, path: path.to_owned() })
}

fn anthropic(rest: &str) -> Option<Route> {
    match rest {
        "v1/messages" => to(Asks::Answer(Api::Messages), "/v1/messages"),
        "v1/messages/count_tokens" => to(Asks::Count(Api::Messages), "/v1/messages/count_tokens"),
        "v1/models" => to(Asks::Models, ""),
        "api/hello" => to(Asks::Hello, ""),
        _ => None,
    }
}

fn openai(rest: &str) -> Option<Route> {
    match rest {
        "v1/responses" => to(Asks::Answer(Api::Responses), "/responses"),
        "v1/responses/input_tokens" => to(Asks::Count(Api::Responses), "/responses/input_tokens"),
        "v1/chat/completions" => to(Asks::Answer(Api::Chat), "/chat/completions"),
        "v1/models" => to(Asks::Models, ""),
        _ => None,
    }
}

fn gemini(rest: &str) -> Option<Route> {
    if rest == "v1beta/models" {
        return to(Asks::Models, "");
    }
    let (model, verb) = rest.strip_prefix("v1beta/models/")?.split_once(':')?;
    let is_name = !model.is_empty()
        && model.len() <= MODEL_BYTES
        && model != "."
        && model != ".."
        && model.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    let (asks, streamed) = match verb {
        "generateContent" => (Asks::Answer(Api::Gemini), false),
        "streamGenerateContent" => (Asks::Answer(Api::Gemini), true),
        "countTokens" => (Asks::Count(Api::Gemini), false),
        _ => return None,
    };
    let path = format!("/v1beta/models/{model}:{verb}");
    let mut route = to(asks, &path)?;
    (route.model, route.streamed) = (Some(model.to_owned()), Some(streamed));
    is_name.then_some(route)
}

/// Gives what of a query goes to the provider, with the question mark: never a key.
fn forwarded(api: Api, query: &str) -> Result<String, Refusal> {
    let mut kept = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match (api, pair) {
            (Api::Messages, "beta=true") | (Api::Gemini, "alt=sse" | "alt=json") => kept.push(pair),
            (_, pair) if pair.starts_with("key=") => {}
            (Api::Messages | Api::Responses | Api::Chat | Api::Gemini, pair) => {
                let name = pair.split('=').next().unwrap_or_default();
                return Err(Refusal::bad(format!("the query has an unknown part: {}", readable(name))));
            }
        }
    }
    Ok(if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) })
}

/// Shows what a client wrote, short and harmless.
fn readable(text: &str) -> String {
    crate::model::written::shown(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn speaks(name: &str) -> Option<Family> {
        match name {
            "anthropic" => Some(Family::Anthropic),
            "openai" | "local" => Some(Family::OpenAi),
            "gemini" => Some(Family::Gemini),
            _ => None,
        }
    }

    fn found(line: &str) -> Result<Route, Refusal> {
        let (method, target) = line.split_once(' ').unwrap();
        route(&method.parse().unwrap(), &target.parse().unwrap(), speaks)
    }

    #[test]
    fn each_known_path_has_its_place() {
        for (line, asks, path) in [
            ("POST /anthropic/v1/messages", Asks::Answer(Api::Messages), "/v1/messages"),
            ("POST /anthropic/v1/messages?beta=true", Asks::Answer(Api::Messages), "/v1/messages?beta=true"),
            ("POST /anthropic/v1/messages/count_tokens", Asks::Count(Api::Messages), "/v1/messages/count_tokens"),
            ("HEAD /anthropic/api/hello", Asks::Hello, ""),
            ("GET /anthropic/v1/models?limit=1000", Asks::Models, ""),
            ("POST /openai/v1/responses", Asks::Answer(Api::Responses), "/responses"),
            ("POST /openai/v1/responses/input_tokens", Asks::Count(Api::Responses), "/responses/input_tokens"),
            ("POST /openai/v1/chat/completions", Asks::Answer(Api::Chat), "/chat/completions"),
            ("POST /local/v1/chat/completions?key=x", Asks::Answer(Api::Chat), "/chat/completions"),
            ("GET /openai/v1/models?client_version=1", Asks::Models, ""),
            (
                "POST /gemini/v1beta/models/gemini-2.5-pro:streamGenerateContent?key=secret&alt=sse",
                Asks::Answer(Api::Gemini),
                "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
            ),
            (
                "POST /gemini/v1beta/models/gemini-2.5-pro:countTokens",
                Asks::Count(Api::Gemini),
                "/v1beta/models/gemini-2.5-pro:countTokens",
            ),
        ] {
            let route = found(line).unwrap();
            assert_eq!((route.asks, route.path.as_str()), (asks, path), "{line}");
        }
        let route = found("POST /gemini/v1beta/models/g:generateContent").unwrap();
        assert_eq!(
            (route.model.as_deref(), route.streamed, route.provider.as_str()),
            (Some("g"), Some(false), "gemini")
        );
    }

    #[test]
    fn everything_else_leads_nowhere() {
        for (line, status) in [
            ("GET /anthropic/v1/messages", 405),
            ("PUT /anthropic/v1/messages", 405),
            ("POST /anthropic/v1/models", 405),
            ("DELETE /openai/v1/models", 405),
            ("OPTIONS /openai/v1/responses", 405),
            ("POST /anthropic/v1/messages/batches", 404),
            ("POST /anthropic/v1/files", 404),
            ("POST /anthropic/v1/messages/", 404),
            ("POST //anthropic/v1/messages", 404),
            ("POST /anthropic//v1/messages", 404),
            ("POST /anthropic/v1/../v1/messages", 404),
            ("POST /anthropic/v1/%2e%2e/messages", 404),
            ("POST /anthropic/v1%2fmessages", 404),
            ("POST /anthropic/v1/messages%00", 404),
            ("POST /anthropic/v1/messages;a", 404),
            ("POST /Anthropic/v1/messages", 404),
            ("POST /openai/v1/messages", 404),
            ("POST /openai/v1/responses/compact", 404),
            ("GET /openai/v1/responses/resp_1", 404),
            ("POST /gemini/v1beta/models/a%2fb:generateContent", 404),
            ("POST /gemini/v1beta/models/..:generateContent", 404),
            ("POST /gemini/v1beta/models/a/b:generateContent", 404),
            ("POST /gemini/v1beta/models/:generateContent", 404),
            ("POST /gemini/v1beta/models/a:embedContent", 404),
            ("POST /gemini/v1beta/models/a:generateContent:x", 404),
            ("POST /other/v1/messages", 404),
            ("GET /", 404),
            ("GET /anthropic", 404),
            ("OPTIONS *", 404),
            ("POST http://evil.example/anthropic/v1/messages", 400),
            ("CONNECT evil.example:443", 400),
            ("POST /anthropic/v1/messages?beta=false", 400),
            ("POST /openai/v1/responses?alt=sse", 400),
            ("POST /gemini/v1beta/models/a:generateContent?alt=media", 400),
        ] {
            assert_eq!(found(line).unwrap_err().status(), status, "{line}");
        }
        let long = format!("POST /anthropic/v1/messages?key={}", "x".repeat(TARGET_BYTES));
        assert_eq!(found(&long).unwrap_err().status(), 414);
    }

    proptest! {
        #[test]
        fn what_is_forwarded_is_one_of_few_paths(target in "/(anthropic|openai|gemini)/(v1|v1beta)?/?[a-zA-Z0-9/%.:;~_-]{0,40}(\\?[a-z=&%]{0,20})?") {
            let Ok(uri) = target.parse::<Uri>() else { return Ok(()) };
            if let Ok(route) = route(&Method::POST, &uri, speaks) {
                let path = route.path.split('?').next().unwrap();
                let counts = ["/v1/messages/count_tokens", "/responses/input_tokens"];
                let is_known = ["/v1/messages", "/responses", "/chat/completions"].contains(&path) || counts.contains(&path);
                let is_gemini = route.model.is_some_and(|model| path.starts_with(&format!("/v1beta/models/{model}:")));
                prop_assert!(is_known || is_gemini, "{target}: {path}");
            }
        }
    }
}
