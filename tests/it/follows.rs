//! Tells that whoever follows a run is told of it to its end, whoever works on it and also while nobody does.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use serde_json::Value;

use crate::common::House;
use crate::crew::{crew, holds_the_laws, landed_tasks, open_gate, playing, waits};
use crate::wire::{Server, gated};

/// How long something may take to be told.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is said where nobody works on a run.
const ALONE: &str = "nobody works on";

/// A verb that follows a run, and what it has told.
struct Follower {
    child: Child,
    heard: Receiver<(Stream, String)>,
    out: Vec<String>,
    err: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

fn hear(reads: impl Read + Send + 'static, stream: Stream, tell: Sender<(Stream, String)>) {
    std::thread::spawn(move || {
        let lines = BufReader::new(reads).lines().map_while(Result::ok);
        lines.map(|line| tell.send((stream, line))).take_while(Result::is_ok).for_each(drop);
    });
}

impl Follower {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (tell, heard) = channel();
        hear(child.stdout.take().unwrap(), Stream::Out, tell.clone());
        hear(child.stderr.take().unwrap(), Stream::Err, tell);
        Self { child, heard, out: Vec::new(), err: Vec::new() }
    }

    /// Takes in the next line; nothing where no more comes.
    #[track_caller]
    fn next(&mut self) -> Option<(Stream, String)> {
        let (stream, line) = match self.heard.recv_timeout(PATIENCE) {
            Ok(heard) => heard,
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return None,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                panic!("it says no more: {:?} {:?}", self.out.last(), self.err)
            }
        };
        match stream {
            Stream::Out => self.out.push(line.clone()),
            Stream::Err => self.err.push(line.clone()),
        }
        Some((stream, line))
    }

    /// Reads until a line of a stream holds a text.
    #[track_caller]
    fn until(&mut self, stream: Stream, text: &str) {
        while let Some((told, line)) = self.next() {
            if told == stream && line.contains(text) {
                return;
            }
        }
        panic!("it ended without `{text}`: {:?} {:?}", self.out.last(), self.err);
    }

    /// Reads to its end; asserts that it ended by itself and gives what it told on standard output.
    #[track_caller]
    fn ends(mut self, code: i32) -> Vec<String> {
        while self.next().is_some() {}
        assert_eq!(self.child.wait().unwrap().code(), Some(code), "{:?}", self.err);
        std::mem::take(&mut self.out)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(house: &House, args: &[&str]) -> Vec<String> {
    house.artel(args).exits(0).out.lines().map(str::to_owned).collect()
}

/// Gives all events, a line each.
fn whole(house: &House) -> Vec<String> {
    lines(house, &["log", "--json"])
}

fn is_running(house: &House, count: u64) -> bool {
    let board = house.board();
    board["coordinated"] == true && board["counts"]["running"] == count
}

#[test]
fn a_log_that_is_followed_goes_on_after_a_kill_with_whoever_resumes() {
    let house = gated("");
    let mut run = house.start(&playing(&["--workers", "2"]));
    house.until("it is opened", || house.artel(&["status"]).code == Some(0));
    house.until("both run", || is_running(&house, 2));
    let mut json = Follower::start(house.command(&["log", "--follow", "--json"]));
    let mut text = Follower::start(house.command(&["log", "-f", "--brief"]));
    json.until(Stream::Out, "\"AttemptLeased\"");
    run.kill().unwrap();
    run.wait().unwrap();
    // Both have seen that nobody works on it, and stay.
    json.until(Stream::Err, ALONE);
    text.until(Stream::Err, "artel resume");
    open_gate(&house, "t1");
    open_gate(&house, "t2");
    house.artel(&["resume"]).exits(0);
    assert_eq!(json.ends(0), whole(&house), "each event once, in order");
    assert_eq!(text.ends(0), lines(&house, &["log", "--brief"]));
    assert_eq!(landed_tasks(&house.events()).len(), 2);
    holds_the_laws(&house);
}

#[test]
fn a_log_is_followed_past_a_gate_and_a_stop_at_which_nobody_works() {
    let house = gated("approve: [plan]\n");
    open_gate(&house, "t1");
    house.artel(&playing(&["--workers", "1"])).exits(6);
    let last = house.events().last().unwrap()["seq"].to_string();
    let mut log = Follower::start(house.command(&["log", "--follow", "--json"]));
    log.until(Stream::Out, &format!("\"seq\":{last},"));
    house.artel(&["approve"]).exits(0);
    let mut run = house.start(&["resume"]);
    log.until(Stream::Out, "\"BatchLanded\"");
    house.artel(&["stop", "--now"]).exits(0);
    assert_eq!(run.wait().unwrap().code(), Some(7));
    log.until(Stream::Out, "\"RunParked\"");
    open_gate(&house, "t2");
    house.artel(&["resume"]).exits(0);
    assert_eq!(log.ends(0), whole(&house));
    // Of a run that has ended all is told, and no more is waited for.
    let log = Follower::start(house.command(&["log", "--follow", "--json"]));
    assert_eq!(log.ends(0), whole(&house));
}

#[test]
fn whoever_attaches_stays_with_the_run_over_the_death_of_whatever_works_on_it() {
    let house = House::with(&[("src/a.txt", "old\n")]);
    let steps = format!("{}  - write: {{text: new}}\n", waits(&house, "{task}"));
    crew(&house, &[("a", "src/a.txt", "")], &steps, "");
    let mut run = house.start(&playing(&[]));
    house.until("it is opened", || house.artel(&["status"]).code == Some(0));
    house.until("it runs", || is_running(&house, 1));
    let mut attached = Follower::start(house.command(&["attach", "--from", "1", "--json"]));
    attached.until(Stream::Out, "\"AttemptLeased\"");
    run.kill().unwrap();
    run.wait().unwrap();
    attached.until(Stream::Err, ALONE);
    open_gate(&house, "t1");
    house.artel(&["resume"]).exits(0);
    let mut told = attached.ends(0);
    let board: Value = serde_json::from_str(&told.pop().unwrap()).unwrap();
    assert_eq!(board["stands"]["class"], "done");
    assert_eq!(told, whole(&house));
}

#[test]
fn a_run_of_a_server_is_followed_over_the_death_of_the_server() {
    let house = gated("");
    house.artel(&playing(&["--open-only"])).exits(0);
    let server = Server::start(&house);
    let at = server.at.clone();
    house.until("both run", || is_running(&house, 2));
    let afar = |args: &[&str]| {
        let mut command = house.command(args);
        command.env("ARTEL_HOME", house.root().join("elsewhere")).env("ARTEL_TOKEN", server.token("viewer"));
        command.args(["--server", &format!("http://{at}")]);
        command
    };
    let mut log = Follower::start(afar(&["log", "--follow", "--json"]));
    let mut attached = Follower::start(afar(&["attach", "--from", "1", "--json"]));
    let never = afar(&["log", "--follow"]);
    log.until(Stream::Out, "\"AttemptLeased\"");
    attached.until(Stream::Out, "\"AttemptLeased\"");
    server.kill();
    log.until(Stream::Err, "does not answer");
    attached.until(Stream::Err, "does not answer");
    // Who begins while it is gone is told so at once.
    assert!(Follower::start(never).ends(4).is_empty());
    let server = Server::start_at(&house, &at);
    log.until(Stream::Err, "answers again");
    open_gate(&house, "t1");
    open_gate(&house, "t2");
    let told = log.ends(0);
    assert_eq!(told, whole(&house), "each event once, in order");
    let mut told = attached.ends(0);
    assert!(told.pop().unwrap().contains("\"class\":\"done\""));
    assert_eq!(told, whole(&house));
    assert_eq!(landed_tasks(&house.events()).len(), 2);
    assert_eq!(server.terminate(), Some(0));
}
