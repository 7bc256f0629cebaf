//! Owns the way to a server on another machine: what is asked, with which token, and how its refusals are told. Holds no
//! logic of a run.

use std::io::{self, Read};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, Response, StatusCode, Url};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::exit::Exit;
use super::fail::Fail;
use crate::io::http::client_for;
use crate::model::inert::inert_lines;

/// How long a server may take to be reached, and be silent: longer than it takes to say that it is still at it.
const CONNECT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(150);
/// How often that which has a key is asked again of a server that is still at it.
const AGAIN: u32 = 60;
/// Largest answer that is read and kept.
const BYTES_AT_MOST: usize = 1 << 30;
/// Largest refusal that is read.
const REFUSAL_BYTES_AT_MOST: usize = 16 << 20;

/// Leads to a server.
pub struct Remote {
    base: String,
    token: String,
    client: Client,
    runtime: Arc<Runtime>,
}

/// An answer with its headers.
pub struct Answered<T = Vec<u8>> {
    headers: HeaderMap,
    /// The body.
    pub body: T,
}

impl<T> Answered<T> {
    /// Gives the value of a header, where it is a text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A body that is read as it comes.
pub struct Coming {
    response: Response,
    runtime: Arc<Runtime>,
    piece: Bytes,
}

impl Read for Coming {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            let piece = self.runtime.block_on(self.response.chunk());
            match piece.map_err(|error| io::Error::other(error.without_url()))? {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let read = into.len().min(self.piece.len());
        into[..read].copy_from_slice(&self.piece.split_to(read));
        Ok(read)
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
        Ok(Self { base, token: token.to_owned(), client, runtime: Arc::new(runtime) })
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
        self.whole(path, self.send(&Method::GET, path, None, None)?)
    }

    /// Asks for something that is read as it comes, however large it is.
    ///
    /// # Errors
    /// As [`Remote::get`].
    pub fn open(&self, path: &str) -> Result<Answered<Coming>, Fail> {
        let response = self.send(&Method::GET, path, None, None)?;
        let (headers, runtime) = (response.headers().clone(), Arc::clone(&self.runtime));
        Ok(Answered { headers, body: Coming { response, runtime, piece: Bytes::new() } })
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
        let answered = self.whole(path, self.send(&Method::POST, path, key, Some(body))?)?;
        serde_json::from_slice(&answered.body).map_err(|error| self.garbled(path).because(error))
    }

    /// Says that an answer was not understood.
    pub fn garbled(&self, path: &str) -> Fail {
        self.unread(path).hint("is it another version of artel?")
    }

    fn unread(&self, path: &str) -> Fail {
        Fail::new(Exit::Unfit, format!("read what {}{path} answers", self.base))
    }

    fn whole(&self, path: &str, response: Response) -> Result<Answered, Fail> {
        let headers = response.headers().clone();
        let body = self.runtime.block_on(read(response, BYTES_AT_MOST)).map_err(|error| self.unreached(error))?;
        let body = body.ok_or_else(|| self.unread(path).because(format!("it has more than {BYTES_AT_MOST} bytes")))?;
        Ok(Answered { headers, body })
    }

    fn send(&self, method: &Method, path: &str, key: Option<&str>, body: Option<&Value>) -> Result<Response, Fail> {
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
                let status = response.status();
                if status.is_success() {
                    return Ok(response);
                }
                if status != StatusCode::REQUEST_TIMEOUT || left == 0 {
                    let told = read(response, REFUSAL_BYTES_AT_MOST).await.map_err(|error| self.unreached(error))?;
                    return Err(refused(status.as_u16(), &told.unwrap_or_default()));
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

/// Reads a body; nothing where it has more than so many bytes.
async fn read(mut response: Response, most: usize) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        if body.len() + piece.len() > most {
            return Ok(None);
        }
        body.extend_from_slice(&piece);
    }
    Ok(Some(body))
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
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use super::*;

    /// A server that gives these answers, each on a connection of its own, and then the heads of what it was asked.
    fn played(answers: &'static [&'static str]) -> (Remote, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = move |answer: &&str| {
            let mut wire = BufReader::new(listener.accept().unwrap().0);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert!(wire.read_line(&mut head).unwrap() > 0);
            }
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            wire.read_exact(&mut vec![0; length.unwrap_or(0)]).unwrap();
            wire.get_mut().write_all(format!("HTTP/1.1 {answer}").as_bytes()).unwrap();
            head
        };
        let asked = std::thread::spawn(move || answers.iter().map(answer).collect());
        (Remote::new(&url, "t").unwrap(), asked)
    }

    const AT_IT: &str = "408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const DONE: &str = "200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ntrue";

    #[test]
    fn what_is_still_being_done_is_asked_for_again_where_it_has_a_key() {
        let (remote, asked) = played(&[AT_IT, AT_IT, DONE]);
        assert_eq!(remote.post("/plans", Some("k"), &Value::Null).unwrap(), true);
        let asked = asked.join().unwrap();
        assert!(asked.iter().all(|head| head.contains("idempotency-key: k\r\n")), "{asked:?}");
        let (remote, asked) = played(&[AT_IT]);
        assert_eq!(remote.post("/links", None, &Value::Null).unwrap_err().exit(), Exit::Unfit);
        asked.join().unwrap();
    }

    #[test]
    fn no_part_of_an_answer_passes_for_all_of_it() {
        const CUT: &str = "200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\ntrue";
        let (remote, _) = played(&[DONE, DONE, DONE, CUT, CUT]);
        let kept = |most: usize| {
            let response = remote.send(&Method::GET, "/x", None, None).unwrap();
            remote.runtime.block_on(read(response, most)).unwrap()
        };
        assert_eq!((kept(4), kept(3)), (Some(b"true".to_vec()), None));
        let stream = || {
            let mut text = String::new();
            remote.open("/x").unwrap().body.read_to_string(&mut text).map(|_| text)
        };
        assert_eq!(stream().unwrap(), "true");
        assert!(stream().is_err());
        assert!(remote.get("/x").is_err());
    }

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
        let drawn =
            serde_json::json!({ "tried": "read", "why": "x", "exit": 3, "drawn": "goal.md:2:1: \u{1b}[2J\n ^" });
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
