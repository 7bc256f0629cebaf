//! Owns a server under test and the wire to it: requests as bytes, so that any may be sent, and streams of events.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Child;
use std::time::Duration;

use serde_json::Value;

use crate::common::House;
use crate::crew::{crew, signal, waits};

/// How long a test waits for bytes that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A house whose two tasks wait at their gates, each named after its task; `front` is added to the goal.
pub fn gated(front: &str) -> House {
    let house = House::with(&[("src/a.txt", "old\n"), ("src/b.txt", "old\n")]);
    let steps = format!("{}  - write: {{text: \"new\\n\"}}\n", waits(&house, "{task}"));
    crew(&house, &[("a", "src/a.txt", ""), ("b", "src/b.txt", "")], &steps, front);
    house
}

/// A server under test; killed when dropped.
pub struct Server<'a> {
    house: &'a House,
    child: Child,
    pub at: String,
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}\n{}", self.head, self.body);
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Gives the value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.body.contains(text), "no `{text}` in\n{}", self.body);
        self
    }
}

impl<'a> Server<'a> {
    pub fn start(house: &'a House) -> Self {
        Self::start_with(house, &[])
    }

    pub fn start_with(house: &'a House, more: &[&str]) -> Self {
        Self::begin(house, "127.0.0.1:0", more, &[])
    }

    /// Starts a server where another one was.
    pub fn start_at(house: &'a House, at: &str) -> Self {
        Self::begin(house, at, &[], &[])
    }

    /// Starts it with more arguments and more of an environment.
    pub fn started(house: &'a House, more: &[&str], env: &[(&str, &str)]) -> Self {
        Self::begin(house, "127.0.0.1:0", more, env)
    }

    fn begin(house: &'a House, at: &str, more: &[&str], env: &[(&str, &str)]) -> Self {
        let args: Vec<&str> = ["serve", "--listen", at].iter().chain(more).copied().collect();
        let child = house.start_in(&args, env);
        let at = address(house, Some(child.id()));
        Self { house, child, at }
    }

    /// Gives its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Ends the server without a word.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends the server as a system that shuts down does.
    pub fn terminate(mut self) -> Option<i32> {
        signal(self.child.id(), "TERM");
        self.child.wait().unwrap().code()
    }

    pub fn token(&self, standing: &str) -> String {
        token(self.house, standing)
    }

    /// Sends bytes and gives the answer.
    pub fn raw(&self, request: &[u8]) -> Answer {
        raw(&self.at, request)
    }

    /// Asks with a token of this standing.
    pub fn get(&self, standing: &str, path: &str) -> Answer {
        let bearer = format!("Authorization: Bearer {}\r\n", self.token(standing));
        self.send("GET", path, &bearer, "")
    }

    /// Posts JSON with a token of this standing; `more` holds whole header lines.
    pub fn post(&self, standing: &str, path: &str, more: &str, body: &Value) -> Answer {
        let token = self.token(standing);
        let head = format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n{more}");
        self.send("POST", path, &head, &body.to_string())
    }

    /// Sends a request with these header lines.
    pub fn send(&self, method: &str, path: &str, head: &str, body: &str) -> Answer {
        let (at, length) = (&self.at, body.len());
        // An answer to HTTP/1.0 comes in one piece and ends with the connection.
        let request = format!("{method} {path} HTTP/1.0\r\nHost: {at}\r\nContent-Length: {length}\r\n{head}\r\n{body}");
        self.raw(request.as_bytes())
    }

    /// Asks for something large and reads no more than the status of the answer, whose connection stays open.
    pub fn hang(&self, standing: &str, path: &str) -> (u16, BufReader<TcpStream>) {
        let mut wire = connect(&self.at);
        let (at, token) = (&self.at, self.token(standing));
        let request = format!("GET {path} HTTP/1.0\r\nHost: {at}\r\nAuthorization: Bearer {token}\r\n\r\n");
        wire.write_all(request.as_bytes()).unwrap();
        let (mut wire, mut line) = (BufReader::new(wire), String::new());
        wire.read_line(&mut line).unwrap();
        (line.split(' ').nth(1).unwrap().parse().unwrap(), wire)
    }

    /// Opens a stream of a run's events after a number.
    pub fn stream(&self, run: &str, after: u64) -> Stream {
        let (at, token) = (&self.at, self.token("viewer"));
        let mut wire = connect(at);
        let request = format!(
            "GET /api/v1/runs/{run}/events HTTP/1.0\r\nHost: {at}\r\nAuthorization: Bearer {token}\r\n\
             Accept: text/event-stream\r\nLast-Event-ID: {after}\r\n\r\n"
        );
        wire.write_all(request.as_bytes()).unwrap();
        Stream { lines: BufReader::new(wire) }
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Gives where the server of a house listens, once it has said so; of this process, where one is given.
#[track_caller]
pub fn address(house: &House, process: Option<u32>) -> String {
    let mut at = String::new();
    house.until("the server says where it listens", || {
        let told = fs::read(house.home().join("serve/address.json")).unwrap_or_default();
        let told: Value = serde_json::from_slice(&told).unwrap_or_default();
        let is_its = told["process"].as_u64().is_some_and(|id| process.is_none_or(|process| id == u64::from(process)));
        if is_its {
            at = told["url"].as_str().unwrap().trim_start_matches("http://").to_owned();
        }
        is_its
    });
    at
}

pub fn token(house: &House, standing: &str) -> String {
    let text = fs::read_to_string(house.home().join("serve/tokens.toml")).unwrap();
    let line = text.lines().find(|line| line.starts_with(standing)).unwrap();
    line.split('"').nth(1).unwrap().to_owned()
}

/// A server that outlives whoever had it started; ended when dropped.
pub struct Left(pub u32);

impl Left {
    pub fn of(house: &House) -> Self {
        let told: Value = serde_json::from_slice(&fs::read(house.home().join("serve/address.json")).unwrap()).unwrap();
        Self(u32::try_from(told["process"].as_u64().unwrap()).unwrap())
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        let _ = std::process::Command::new("kill").args(["-KILL", &self.0.to_string()]).status();
    }
}

/// Starts something that is no server of artel's, and gives its address: it answers with JSON by what a path ends with, for
/// as long as the tests run.
pub fn stranger(answers: &'static [(&'static str, &'static str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = move |wire: TcpStream| {
        let (mut wire, mut head) = (BufReader::new(wire), String::new());
        while !head.ends_with("\r\n\r\n") {
            assert!(wire.read_line(&mut head).unwrap() > 0);
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        wire.read_exact(&mut vec![0; length.unwrap_or(0)]).unwrap();
        let path = head.split(' ').nth(1).unwrap();
        let body = answers.iter().find(|(end, _)| path.ends_with(end)).unwrap().1;
        let told = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        wire.get_mut().write_all(told.as_bytes()).unwrap();
    };
    std::thread::spawn(move || listener.incoming().for_each(|wire| answer(wire.unwrap())));
    url
}

fn connect(at: &str) -> TcpStream {
    let wire = TcpStream::connect(at).unwrap();
    wire.set_read_timeout(Some(PATIENCE)).unwrap();
    wire
}

pub fn raw(at: &str, request: &[u8]) -> Answer {
    let mut wire = connect(at);
    // A server that has heard enough may close before all was said.
    let _ = wire.write_all(request);
    let mut bytes = Vec::new();
    let _ = wire.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// A stream of events.
pub struct Stream {
    lines: BufReader<TcpStream>,
}

impl Stream {
    /// Gives the next event; nothing where the stream has ended.
    pub fn next(&mut self) -> Option<(u64, Value)> {
        let mut id = None;
        loop {
            let mut line = String::new();
            // A line that was cut off is none.
            if self.lines.read_line(&mut line).ok()? == 0 || !line.ends_with('\n') {
                return None;
            }
            if let Some(text) = line.strip_prefix("id: ") {
                id = Some(text.trim().parse().unwrap());
            } else if let Some(text) = line.strip_prefix("data: ") {
                return Some((id.unwrap(), serde_json::from_str(text).unwrap()));
            }
        }
    }

    /// Reads until an event of this kind, and gives the numbers of all up to it.
    pub fn until(&mut self, kind: &str) -> Vec<u64> {
        let mut seen = Vec::new();
        while let Some((id, event)) = self.next() {
            assert_eq!(event["seq"], id);
            seen.push(id);
            if event["kind"] == kind {
                return seen;
            }
        }
        panic!("the stream ended without {kind}: {seen:?}");
    }
}
