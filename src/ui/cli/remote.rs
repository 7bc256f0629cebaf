//! Owns the way to a server on another machine: what is asked, with which token, and how its refusals are told. Holds no
//! logic of a run.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, Response, StatusCode, Url};
use serde_json::Value;

use super::exit::Exit;
use super::fail::Fail;
use crate::io::http::client_for;
use crate::model::inert::inert_lines;

/// How long a server may take to be reached, and be silent: longer than it takes to say that it is still at it.
const CONNECT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(150);
/// How often that which has a key is asked again of a server that is still at it.
const AGAIN: u32 = 60;
/// Largest answer that is read.
const BYTES_AT_MOST: usize = 1 << 30;

/// Leads to a server.
pub struct Remote {
    base: String,
    token: String,
    client: Client,
    runtime: tokio::runtime::Runtime,
}

/// An answer with its headers.
pub struct Answered {
    headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answered {
    /// Gives the value of a header, where it is a text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Remote {
    /// Opens the way.
    ///
    /// # Errors
    /// Where the address is none.
    pub fn new(url: &str, token: &str) -> Result<Self, Fail> {
        let tried = || Fail::new(Exit::Usage, format!("use the server `{url}`"));
        let base = url.trim_end_matches('/').to_owned();
        if !base.starts_with("http://") && !base.starts_with("https://") {
            return Err(tried().because("it begins neither with http:// nor with https://"));
        }
        // No proxy is told a token that is not encrypted.
        let builder = client_for(&base).connect_timeout(CONNECT).read_timeout(SILENCE);
        let client = builder.build().map_err(|error| tried().because(error))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Fail::new(Exit::Unfit, "start what asks a server").because(error))?;
        Ok(Self { base, token: token.to_owned(), client, runtime })
    }

    /// Gives its address.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Tells whether nobody else can read what is sent: it is encrypted, or does not leave this machine unless by a tunnel.
    pub fn is_private(&self) -> bool {
        let host = Url::parse(&self.base).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        self.base.starts_with("https://") || host == "localhost" || address.is_ok_and(|at| at.is_loopback())
    }

    /// Asks for something.
    ///
    /// # Errors
    /// Where the server is not reached or refuses.
    pub fn get(&self, path: &str) -> Result<Answered, Fail> {
        self.send(&Method::GET, path, None, None)
    }

    /// Asks for JSON.
    ///
    /// # Errors
    /// As [`Remote::get`], and where the answer is none.
    pub fn json<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, Fail> {
        let body = self.get(path)?.body;
        serde_json::from_slice(&body).map_err(|error| self.garbled(path).because(error))
    }

    /// Asks for something to be done.
    ///
    /// # Errors
    /// As [`Remote::json`].
    pub fn post(&self, path: &str, key: Option<&str>, body: &Value) -> Result<Value, Fail> {
        let answered = self.send(&Method::POST, path, key, Some(body))?;
        serde_json::from_slice(&answered.body).map_err(|error| self.garbled(path).because(error))
    }

    /// Says that an answer was not understood.
    pub fn garbled(&self, path: &str) -> Fail {
        Fail::new(Exit::Unfit, format!("read what {}{path} answers", self.base)).hint("is it another version of artel?")
    }

    fn send(&self, method: &Method, path: &str, key: Option<&str>, body: Option<&Value>) -> Result<Answered, Fail> {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.base)).bearer_auth(&self.token);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        // What has a key is done once, however often it is asked.
        let mut left = key.map_or(0, |_| AGAIN);
        self.runtime.block_on(async {
            loop {
                let request = request.try_clone().ok_or_else(|| Fail::new(Exit::Bug, "ask a server once more"))?;
                let response = request.send().await.map_err(|error| self.unreached(error))?;
                let (status, headers) = (response.status(), response.headers().clone());
                let body = read(response).await.map_err(|error| self.unreached(error))?;
                if status.is_success() {
                    return Ok(Answered { headers, body });
                }
                if status != StatusCode::REQUEST_TIMEOUT || left == 0 {
                    return Err(refused(status.as_u16(), &body));
                }
                left -= 1;
            }
        })
    }

    fn unreached(&self, error: reqwest::Error) -> Fail {
        Fail::new(Exit::Unfit, format!("ask the server at {}", self.base))
            .because(error.without_url())
            .hint("does `artel serve` run there, and is the way to it open?")
            .passing()
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        if body.len() + piece.len() > BYTES_AT_MOST {
            break;
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// Tells a refusal as if it had been met here.
fn refused(status: u16, body: &[u8]) -> Fail {
    let told: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| told["error"][name].as_str().map(str::to_owned);
    let met = told["error"]["exit"].as_u64().and_then(Exit::of_failure);
    let exit = met.unwrap_or(match status {
        404 => Exit::Missing,
        401 | 403 | 409 => Exit::Refused,
        422 => Exit::Faulty,
        _ => Exit::Unfit,
    });
    if let Some(drawn) = text("drawn") {
        return Fail::rendered(exit, inert_lines(&drawn));
    }
    let tried = text("tried").unwrap_or_else(|| "ask the server".to_owned());
    let fail = match text("why") {
        // All is said by what was tried.
        Some(why) if why.is_empty() => Fail::new(exit, tried),
        Some(why) => Fail::new(exit, tried).because(why),
        None => Fail::new(exit, tried).because(format!("it answered with status {status}")),
    };
    // Too much was asked at once, or what stands before a server does not reach it.
    let fail = if matches!(status, 429 | 502..=504) { fail.passing() } else { fail };
    match text("next") {
        Some(next) => fail.hint(next),
        None => fail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_with_the_exit_code_that_it_has_there_and_never_as_done() {
        let of = |status: u16, error: Value| {
            let fail = refused(status, &serde_json::to_vec(&serde_json::json!({ "error": error })).unwrap());
            (fail.exit(), fail.render(super::super::paint::Paint::plain()))
        };
        let told = |exit: Value| serde_json::json!({ "tried": "open a run", "why": "held", "exit": exit });
        assert_eq!(of(409, told(12.into())).0, Exit::Held);
        assert_eq!(of(500, told(70.into())).0, Exit::JournalLost);
        for other in [0.into(), 77.into(), (-1).into(), "12".into(), Value::Null] {
            assert_eq!(of(409, told(other)).0, Exit::Refused);
        }
        let drawn = serde_json::json!({ "tried": "read", "why": "x", "exit": 3, "drawn": "goal.md:2:1: \u{1b}[2J\n ^" });
        assert_eq!(of(422, drawn), (Exit::Faulty, "goal.md:2:1: \\x1b[2J\n ^\n".to_owned()));
    }

    #[test]
    fn what_is_encrypted_or_stays_on_this_machine_is_private() {
        for (url, is_private) in [
            ("https://host", true),
            ("http://localhost:7433", true),
            ("http://127.0.0.1:1", true),
            ("http://[::1]:7433/", true),
            ("http://host:7433", false),
            ("http://localhost.example", false),
            ("http://127.0.0.1@host", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(Remote::new(url, "t").unwrap().is_private(), is_private, "{url}");
        }
    }
}
