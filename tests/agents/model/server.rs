//! Owns the server: listens on loopback, chooses who answers, and keeps what was asked. Ends its threads when it is dropped.

use std::collections::BTreeMap;
use std::io::{self, BufReader};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use serde_json::{Value, json};

use super::answer::{Answer, Blanks, Event, Said};
use super::api::{Api, credentials};
use super::gate::PATIENCE;
use super::http::{self, Request, Stream};
use super::schema;
use super::script::{Ending, Script, Turn, Usage};
use super::seen::{Seen, Taken};
use super::tools::{Offer, offered};
use super::vendor;

/// A model that plays scripts as long as this lives.
pub struct Model {
    desk: Arc<Desk>,
    address: SocketAddr,
    listening: Option<JoinHandle<()>>,
}

impl Model {
    /// Listens, and answers each request by the first script that is for it, whatever its key.
    pub fn plays(scripts: impl IntoIterator<Item = Script>) -> Self {
        Self::listen(scripts.into_iter().collect(), None)
    }

    /// Answers only those who show this key and no other; all else it refuses by 401.
    pub fn plays_for(key: &str, scripts: impl IntoIterator<Item = Script>) -> Self {
        Self::listen(scripts.into_iter().collect(), Some(key.to_owned()))
    }

    fn listen(scripts: Vec<Script>, key: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let desk = Arc::new(Desk { scripts, key, ..Desk::default() });
        let at = Arc::clone(&desk);
        let listening = thread::spawn(move || {
            let mut serving = Vec::new();
            for stream in listener.incoming().flatten() {
                if at.is_closed.load(Ordering::SeqCst) {
                    break;
                }
                // Held by its thread alone, so that it is closed when that is done with it.
                let stream = Arc::new(stream);
                at.streams.lock().unwrap().push(Arc::downgrade(&stream));
                let desk = Arc::clone(&at);
                // Of a connection that breaks off, what is to be known was kept before.
                serving.push(thread::spawn(move || drop(desk.serve(&stream))));
            }
            at.close();
            for thread in serving {
                let _ = thread.join();
            }
        });
        Self { desk, address, listening: Some(listening) }
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Gives all requests so far, in the order in which they came.
    pub fn seen(&self) -> Vec<Seen> {
        self.desk.seen.lock().unwrap().clone()
    }

    /// Gives the requests to the APIs themselves, without probes and the like.
    pub fn asked(&self) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.api.is_some()).collect()
    }

    /// Waits until as many requests as this have come to the APIs, and gives them.
    #[track_caller]
    pub fn is_asked(&self, times: usize) -> Vec<Seen> {
        self.waits(&format!("{times} requests"), |seen| seen.iter().filter(|it| it.api.is_some()).count() >= times);
        self.asked()
    }

    /// Waits until what was seen is as it should be.
    #[track_caller]
    pub fn waits(&self, what: &str, is_so: impl Fn(&[Seen]) -> bool) {
        let seen = self.desk.seen.lock().unwrap();
        let (seen, late) = self.desk.news.wait_timeout_while(seen, PATIENCE, |seen| !is_so(seen)).unwrap();
        assert!(!late.timed_out(), "{what} did not come; these did: {seen:#?}");
    }

    /// Adds up all usage that was told.
    pub fn told(&self) -> Usage {
        self.told_of(|_| true)
    }

    /// Adds up the usage that was told to some.
    pub fn told_of(&self, is_one: impl Fn(&Seen) -> bool) -> Usage {
        self.asked().iter().filter(|seen| is_one(seen)).filter_map(|seen| seen.told).sum()
    }

    /// Asserts that all requests carried this key and no other credential, and that there were some.
    #[track_caller]
    pub fn was_asked_only_by(&self, key: &str) {
        let seen = self.seen();
        let others: Vec<_> = seen.iter().filter(|it| !it.is_by(key)).map(|it| (&it.target, &it.credentials)).collect();
        assert!(others.is_empty(), "not `{key}`: {others:?}");
        assert!(seen.iter().any(|it| it.api.is_some()), "nobody asked anything");
    }

    /// Asserts that a text came here in no request.
    #[track_caller]
    pub fn never_heard(&self, text: &str) {
        let heard: Vec<_> = self.seen().into_iter().filter(|it| it.holds(text)).map(|it| it.target).collect();
        assert!(heard.is_empty(), "`{text}` came in {heard:?}");
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.desk.is_closed.store(true, Ordering::SeqCst);
        // One more connection has the listener look up.
        let _ = TcpStream::connect(self.address);
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
    }
}

/// What all connections share.
#[derive(Default)]
struct Desk {
    scripts: Vec<Script>,
    key: Option<String>,
    /// How many turns of each script were taken.
    turns: Mutex<BTreeMap<usize, usize>>,
    seen: Mutex<Vec<Seen>>,
    news: Condvar,
    streams: Mutex<Vec<Weak<TcpStream>>>,
    is_closed: AtomicBool,
}

/// A request at its place among those that were seen.
struct Asked<'a> {
    request: &'a Request,
    number: usize,
    stream: &'a TcpStream,
}

impl Desk {
    fn close(&self) {
        for gate in self.scripts.iter().flat_map(|script| &script.turns).filter_map(|turn| turn.gate.as_ref()) {
            gate.open();
        }
        for stream in self.streams.lock().unwrap().iter().filter_map(Weak::upgrade) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let (mut reader, mut writer) = (BufReader::new(stream), stream);
        while let Some(request) = Request::read(&mut reader, &mut writer)? {
            let asked = Asked { request: &request, number: self.see(&request), stream };
            match self.answer(&asked) {
                Ok(true) if !request.is_last() => {}
                Ok(_) => break,
                Err(error) => {
                    let is_left = !self.is_closed.load(Ordering::SeqCst);
                    self.know(asked.number, |seen| seen.is_abandoned = is_left);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Keeps a request, before anything comes of it.
    fn see(&self, request: &Request) -> usize {
        let api = Api::of(request);
        let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        let model = api.map_or_else(String::new, |api| api.model(request, &body));
        let body = vendor::asked(request, body);
        let offers = api.map_or_else(Vec::new, |api| offered(api, &body));
        let mut seen = self.seen.lock().unwrap();
        seen.push(Seen {
            api,
            target: request.target.clone(),
            model,
            is_streamed: api.is_some_and(|api| api.is_streamed(request, &body)),
            credentials: credentials(request),
            tools: offers.into_iter().map(|offer| offer.name).collect(),
            taken: Taken::Fixed,
            status: None,
            told: None,
            is_abandoned: false,
            request: request.clone(),
        });
        self.news.notify_all();
        seen.len() - 1
    }

    fn know(&self, number: usize, tell: impl FnOnce(&mut Seen)) {
        tell(&mut self.seen.lock().unwrap()[number]);
        self.news.notify_all();
    }

    /// Answers one request; tells whether the connection goes on.
    fn answer(&self, asked: &Asked<'_>) -> io::Result<bool> {
        let Some(api) = Api::of(asked.request) else {
            let (status, body) = fixed(asked.request);
            return self.answer_at_once(asked, status, &[], &body, None);
        };
        let Ok(body) = serde_json::from_slice(&asked.request.body) else {
            return self.answer_at_once(asked, 400, &[], &api.refusal(400), None);
        };
        if let Some(key) = &self.key
            && !self.seen.lock().unwrap()[asked.number].is_by(key)
        {
            self.know(asked.number, |seen| seen.taken = Taken::Unknown);
            return self.answer_at_once(asked, 401, &[], &api.refusal(401), None);
        }
        let model = api.model(asked.request, &body);
        let body = vendor::asked(asked.request, body);
        let offers = offered(api, &body);
        let mut words = String::new();
        collect_words(&body, &mut words);
        let (turn, taken) = self.choose(api, &body, &offers, &words);
        let number = if let Taken::Turn { turn, .. } = taken { turn } else { 0 };
        self.know(asked.number, |seen| seen.taken = taken);
        if let Some(gate) = &turn.gate {
            gate.pass();
        }
        let blanks = Blanks { model, turn: number, words };
        let kind = if let Ending::Broken(kind) = &turn.ending { kind } else { "" };
        let answer = Said::of(&turn, kind, &blanks, &offers, &body).told_to(api);
        let answer = vendor::answered(asked.request, answer);
        if api.is_streamed(asked.request, &body) {
            self.stream(asked, api, &turn, &answer)
        } else {
            self.tell(asked, api, &turn, &answer)
        }
    }

    /// Chooses what answers a request, and takes the turn.
    fn choose(&self, api: Api, body: &Value, offers: &[Offer], words: &str) -> (Turn, Taken) {
        let found = self.scripts.iter().enumerate().find(|(_, script)| script.is_for(words));
        if offers.is_empty() && !found.is_some_and(|(_, script)| script.is_for_toolless) {
            let side = found.map_or("a side answer", |(_, script)| script.side.as_str());
            let fit = schema::asked(api, body).map(|it| schema::smallest(&it).to_string());
            return (Turn::says(fit.as_deref().unwrap_or(side)), Taken::Aside);
        }
        let Some((index, script)) = found else {
            let none = Turn::refuses(404).body(json!({"error": {"message": "no script is for this request"}}));
            return (none, Taken::Fixed);
        };
        let mut turns = self.turns.lock().unwrap();
        let taken = turns.entry(index).or_default();
        *taken += 1;
        let turn = script.turns[(*taken).min(script.turns.len()) - 1].clone();
        (turn, Taken::Turn { script: script.name(), turn: *taken })
    }

    fn tell(&self, asked: &Asked<'_>, api: Api, turn: &Turn, answer: &Answer) -> io::Result<bool> {
        match &turn.ending {
            Ending::Whole => self.answer_at_once(asked, 200, &[], &answer.whole, answer.told),
            Ending::Refused { status, headers, body } => {
                let body = body.clone().unwrap_or_else(|| api.refusal(*status));
                self.answer_at_once(asked, *status, headers, &body, None)
            }
            Ending::Broken(kind) => self.answer_at_once(asked, 500, &[], &api.error(500, kind), None),
            Ending::Hung => self.hang(asked),
            Ending::Cut => {
                let text = answer.whole.to_string();
                self.know(asked.number, |seen| seen.status = Some(200));
                http::whole(asked.stream, 200, &[], text.as_bytes(), text.len() / 2)?;
                Ok(false)
            }
            Ending::Reset => reset(asked.stream),
        }
    }

    fn stream(&self, asked: &Asked<'_>, api: Api, turn: &Turn, answer: &Answer) -> io::Result<bool> {
        if matches!(turn.ending, Ending::Refused { .. } | Ending::Reset) {
            return self.tell(asked, api, turn, answer);
        }
        self.know(asked.number, |seen| seen.status = Some(200));
        let mut stream = Stream::begin(asked.stream, turn.piece)?;
        let mut send = |event: &Event| {
            // Known first: whoever has read it may look at once.
            if event.told.is_some() {
                self.know(asked.number, |seen| seen.told = event.told);
            }
            stream.send(&event.line())
        };
        let sent = match turn.ending {
            Ending::Hung => answer.begun,
            Ending::Broken(_) | Ending::Cut => answer.half,
            Ending::Whole | Ending::Refused { .. } | Ending::Reset => answer.events.len(),
        };
        answer.events[..sent].iter().try_for_each(&mut send)?;
        match turn.ending {
            Ending::Hung => return self.hang(asked),
            Ending::Cut => return Ok(false),
            Ending::Broken(_) => send(&answer.broken)?,
            Ending::Whole | Ending::Refused { .. } | Ending::Reset => {}
        }
        stream.end()?;
        Ok(true)
    }

    fn answer_at_once(
        &self,
        asked: &Asked<'_>,
        status: u16,
        headers: &[(String, String)],
        body: &Value,
        told: Option<Usage>,
    ) -> io::Result<bool> {
        self.know(asked.number, |seen| (seen.status, seen.told) = (Some(status), told));
        let text = if asked.request.method == "HEAD" { String::new() } else { body.to_string() };
        http::whole(asked.stream, status, headers, text.as_bytes(), text.len())?;
        Ok(true)
    }

    /// Says nothing more until the other side leaves, or the server ends.
    fn hang(&self, asked: &Asked<'_>) -> io::Result<bool> {
        // Clients of models send nothing before they are answered.
        let left = asked.stream.peek(&mut [0]);
        let is_left = left.is_ok() && !self.is_closed.load(Ordering::SeqCst);
        self.know(asked.number, |seen| seen.is_abandoned |= is_left);
        left.map(|_| false)
    }
}

/// Has the connection reset when it is closed.
fn reset(stream: &TcpStream) -> io::Result<bool> {
    set_socket_linger(stream, Some(Duration::ZERO))?;
    Ok(false)
}

/// Answers what needs no model.
fn fixed(request: &Request) -> (u16, Value) {
    let path = request.path();
    let is_post = request.method == "POST";
    if request.method == "HEAD" {
        (200, Value::Null)
    } else if request.header("upgrade").is_some() {
        (426, json!({"error": {"message": "no websockets here"}}))
    } else if let Some(told) = vendor::beside(request) {
        (200, told)
    } else if is_post && (path.ends_with("/count_tokens") || path.ends_with("/input_tokens")) {
        (200, json!({"input_tokens": 100}))
    } else if is_post && path.ends_with(":countTokens") {
        (200, json!({"totalTokens": 100}))
    } else if is_post && path.ends_with("/responses/compact") {
        (200, json!({"output": []}))
    } else if !is_post && path.contains("/models") {
        let model = json!({
            "id": "scripted", "name": "models/scripted", "object": "model", "type": "model",
            "display_name": "scripted", "created": 1, "created_at": "2025-01-01T00:00:00Z", "owned_by": "nobody"
        });
        let all = json!({
            "object": "list", "has_more": false, "first_id": "scripted", "last_id": "scripted",
            "data": [model], "models": [model]
        });
        (200, all)
    } else {
        (404, json!({"error": {"type": "not_found_error", "message": format!("no such path: {path}")}}))
    }
}

/// Gathers all texts of a request but those of the tools, which are alike for all who use a program.
fn collect_words(value: &Value, into: &mut String) {
    match value {
        Value::String(text) => {
            into.push_str(text);
            into.push('\n');
        }
        Value::Array(all) => all.iter().for_each(|it| collect_words(it, into)),
        Value::Object(all) => {
            all.iter().filter(|(key, _)| *key != "tools").for_each(|(_, it)| collect_words(it, into));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
