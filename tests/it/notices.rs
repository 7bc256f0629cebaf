//! Tells that people are told of runs while nobody looks: by a web address, a program and the terminal, signed, until it is
//! taken, and once for each cause however often the process dies.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::common::House;
use crate::crew::{crew, open_gate, playing, waits};
use crate::terminal::Terminal;

const SECRET: &str = "the-secret-of-the-hook";

/// A request as it came.
#[derive(Debug, Clone)]
struct Came {
    headers: Vec<(String, String)>,
    body: String,
    was_taken: bool,
}

impl Came {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Computes the signature as whoever receives it does.
    fn is_signed(&self, secret: &str) -> bool {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{}.{}", self.header("artel-timestamp"), self.body).as_bytes());
        let want: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        self.header("artel-signature") == format!("v1={want}")
    }
}

/// Receives what is sent to a web address of this machine; answers with an error for as long as it is told to.
struct Receiver {
    at: String,
    shared: Arc<Mutex<(u32, Vec<Came>)>>,
}

impl Receiver {
    fn refusing(times: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = format!("http://{}/hook", listener.local_addr().unwrap());
        let shared = Arc::new(Mutex::new((times, Vec::new())));
        let held = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let mut lines = BufReader::new(&stream);
                let mut headers = Vec::new();
                loop {
                    let mut line = String::new();
                    if lines.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
                        break;
                    }
                    if let Some((name, value)) = line.split_once(':') {
                        headers.push((name.trim().to_lowercase(), value.trim().to_owned()));
                    }
                }
                let length = headers.iter().find(|(name, _)| name == "content-length");
                let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().unwrap())];
                if lines.read_exact(&mut body).is_err() {
                    continue;
                }
                let mut held = held.lock().unwrap();
                let was_taken = held.0 == 0;
                held.0 = held.0.saturating_sub(1);
                held.1.push(Came { headers, body: String::from_utf8(body).unwrap(), was_taken });
                let status = if was_taken { "204 No Content" } else { "503 Service Unavailable" };
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                let _ = (&stream).write_all(answer.as_bytes());
            }
        });
        Self { at, shared }
    }

    fn refuse(&self, times: u32) {
        self.shared.lock().unwrap().0 = times;
    }

    fn came(&self) -> Vec<Came> {
        self.shared.lock().unwrap().1.clone()
    }

    /// Gives what was taken: the cause, the task, and the name of each.
    fn taken(&self) -> Vec<(String, Option<String>, String)> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let of = |came: &Came| {
            let notice = came.json();
            assert_eq!(came.header("artel-notice"), notice["id"]);
            (text(&notice["cause"]).unwrap(), text(&notice["task"]), text(&notice["id"]).unwrap())
        };
        self.came().iter().filter(|came| came.was_taken).map(of).collect()
    }
}

/// A house in which one task lacks something and the other waits for a gate; the user is told of what this file says.
fn house(channels: &str) -> House {
    let house = House::with(&[("src/a.txt", "old\n"), ("src/b.txt", "old\n")]);
    let steps = format!(
        "  - match:\n      path: src/a.txt\n      then:\n        - blocked: which licence?\n{}  - write: {{text: new}}\n",
        waits(&house, "{task}")
    );
    crew(&house, &[("a", "src/a.txt", ""), ("b", "src/b.txt", "")], &steps, "");
    fs::create_dir_all(house.home()).unwrap();
    fs::write(house.home().join("notify.toml"), channels).unwrap();
    house
}

fn hook(receiver: &Receiver) -> String {
    format!("[channels.hook]\nurl = \"{}\"\nsecret = {{ env = \"HOOK_SECRET\" }}\n", receiver.at)
}

fn mark(house: &House) -> String {
    fs::read_to_string(house.home().join("runs").join(house.run()).join("told/hook")).unwrap_or_default()
}

fn start(house: &House, args: &[&str]) -> std::process::Child {
    let log = fs::File::create(house.root().join("started.log")).unwrap();
    let mut command = house.command(args);
    command.env("HOOK_SECRET", SECRET).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

#[test]
fn what_happens_is_told_signed_until_it_is_taken_and_once_however_often_artel_dies() {
    let receiver = Receiver::refusing(2);
    let house = house(&hook(&receiver));
    let mut run = start(&house, &playing(&["--name", "HOOK-1"]));
    house.until("the blocked task is told of", || receiver.taken().len() == 1);
    let of_the_task = receiver.taken().remove(0);
    assert_eq!((of_the_task.0.as_str(), of_the_task.1.as_deref()), ("needs_input", Some("t1")));
    let told = of_the_task.2.clone();
    let seq = told.rsplit('-').nth(1).unwrap();
    house.until("that is kept", || mark(&house).starts_with(&format!("{seq} ")));
    receiver.refuse(u32::MAX);
    run.kill().unwrap();
    run.wait().unwrap();

    // Nobody takes what comes next, until artel has died once more.
    let mut run = start(&house, &["resume"]);
    house.until("t2 runs again", || house.board()["counts"]["running"] == 1);
    let before = receiver.came().len();
    open_gate(&house, "t2");
    house.until("the end is not taken", || receiver.came().len() > before);
    run.kill().unwrap();
    run.wait().unwrap();
    receiver.refuse(0);
    let resumed = start(&house, &["resume"]).wait().unwrap();
    assert_eq!(resumed.code(), Some(5));

    let taken = receiver.taken();
    let kinds: Vec<(&str, Option<&str>)> =
        taken.iter().map(|(cause, task, _)| (cause.as_str(), task.as_deref())).collect();
    assert_eq!(kinds, [("needs_input", Some("t1")), ("failed", None)], "{taken:?}");
    for came in receiver.came() {
        assert!(came.is_signed(SECRET) && !came.is_signed("another"), "{came:?}");
        assert_eq!(came.json()["name"], "HOOK-1");
        assert!(!came.body.contains(SECRET));
    }
    // What was not taken at first bears the name under which it was taken.
    let refused: Vec<String> = receiver
        .came()
        .iter()
        .filter(|came| !came.was_taken)
        .map(|came| came.header("artel-notice").to_owned())
        .collect();
    assert!(refused.contains(&taken[0].2) && refused.contains(&taken[1].2), "{refused:?}");
    assert_eq!(start(&house, &["resume"]).wait().unwrap().code(), Some(5));
    assert_eq!(receiver.taken().len(), 2, "looking again tells nothing");
}

#[test]
fn a_program_and_slack_are_told_of_what_they_asked_for_alone() {
    let receiver = Receiver::refusing(0);
    let told = tempfile::tempdir().unwrap();
    let file = told.path().join("told");
    let channels = format!(
        "[channels.me]\non = [\"failed\"]\ncommand = [\"sh\", \"-c\", \"cat >> {0}; echo \\\"$ARTEL_NOTICE_TEXT\\\" >> {0}\"]\n\
         [channels.slack]\non = [\"budget\"]\nbody = \"slack\"\nurl = \"{1}\"\n",
        file.display(),
        receiver.at
    );
    let house = house(&channels);
    house.write("goal.md", "---\nname: a <b> story\ndone:\n  - \"true\"\nbudget: { attempts: 2 }\n---\nDo.\n");
    house.commit("a budget");
    open_gate(&house, "t2");
    house.artel(&playing(&["--workers", "1"])).exits(5);
    let told = fs::read_to_string(file).unwrap();
    let (json, line) = told.trim().rsplit_once('}').unwrap();
    let notice: Value = serde_json::from_str(&format!("{json}}}")).unwrap();
    assert_eq!((notice["cause"].as_str(), notice["task"].as_str()), (Some("failed"), None));
    assert!(line.contains("failed"), "{line}");
    let bodies: Vec<String> =
        receiver.came().iter().map(|came| came.json()["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!(bodies.len(), 2, "{bodies:?}");
    assert!(bodies[0].contains("50 % of the attempts") && bodies[1].contains("100 % of the attempts"), "{bodies:?}");
    assert!(bodies[0].contains("a &lt;b&gt; story"), "{bodies:?}");
    assert!(receiver.came().iter().all(|came| came.header("artel-signature").is_empty()));
}

#[test]
fn a_repository_has_nobody_told_of_anything() {
    let receiver = Receiver::refusing(0);
    let house = house("");
    let channels = format!(
        "{}[channels.me]\ncommand = [\"touch\", \"{}\"]\n",
        hook(&receiver),
        house.root().join("owned").display()
    );
    for path in ["notify.toml", ".artel/notify.toml", ".artel/local/notify.toml"] {
        house.write(path, &channels);
    }
    house.commit("hooks");
    open_gate(&house, "t2");
    house.artel(&playing(&[])).exits(5);
    house.write("artel.toml", &channels);
    house.commit("more hooks");
    house.artel(&playing(&[])).exits(3).says("has no field `channels`");
    assert!(receiver.came().is_empty() && !house.root().join("owned").exists());
}

#[test]
fn channels_that_are_written_wrongly_are_refused_before_anything_runs_and_can_be_tried() {
    let house = house("[channels.hook]\nurl = \"nowhere\"\n");
    house.artel(&playing(&[])).exits(3).says("`url` is no address").says("notify.toml");
    let receiver = Receiver::refusing(1);
    fs::write(house.home().join("notify.toml"), hook(&receiver)).unwrap();
    let tried = |args: &[&str]| crate::common::said(&house.command(args).env("HOOK_SECRET", SECRET).output().unwrap());
    tried(&["notify"]).exits(4).says("503");
    tried(&["notify", "hook"]).exits(0).says("took it");
    tried(&["notify", "other"]).exits(11).says("other");
    house.artel(&["notify"]).exits(4).says("HOOK_SECRET");
    assert!(receiver.came().iter().all(|came| came.is_signed(SECRET)));
}

#[test]
fn a_word_that_nobody_gives_is_told_of_to_a_second_list_once_it_is_overdue() {
    let (first, second, both) = (Receiver::refusing(0), Receiver::refusing(0), Receiver::refusing(0));
    let channel =
        |name: &str, receiver: &Receiver, on: &str| format!("[channels.{name}]\nurl = \"{}\"\n{on}\n", receiver.at);
    let channels = [
        channel("first", &first, "on = [\"needs_input\", \"failed\"]"),
        channel("second", &second, "on = [\"escalated\"]"),
        channel("all", &both, ""),
    ];
    let house = House::with(&[("src/a.txt", "old\n")]);
    let front = "approve: { landing: true, timeout: 1s, then: escalate }\n";
    crew(&house, &[("a", "src/a.txt", "")], "  - write: {text: new}\n", front);
    fs::create_dir_all(house.home()).unwrap();
    fs::write(house.home().join("notify.toml"), channels.concat()).unwrap();
    house.artel(&playing(&["--open-only"])).exits(0);
    let mut server = start(&house, &["serve", "--listen", "127.0.0.1:0"]);
    house.until("all are told", || second.taken().len() == 1 && both.taken().len() == 2 && !first.taken().is_empty());
    let causes = |receiver: &Receiver| {
        let of = |(cause, task, _): (String, Option<String>, String)| (cause, task.unwrap_or_default());
        receiver.taken().into_iter().map(of).collect::<Vec<_>>()
    };
    let told = |cause: &str| (cause.to_owned(), "t1".to_owned());
    assert_eq!(causes(&first), [told("needs_input")]);
    assert_eq!(causes(&second), [told("escalated")]);
    assert_eq!(causes(&both), [told("needs_input"), told("escalated")]);
    let escalated = second.came()[0].json();
    assert!(escalated["why"].as_str().unwrap().contains("no word came within 1 s"), "{escalated}");
    house.artel(&["approve", "t1"]).exits(0);
    house.until("it lands", || house.board()["stands"]["class"] == "done");
    assert_eq!((first.taken().len(), second.taken().len()), (1, 1), "nothing is told twice");
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn a_server_tells_at_its_start_what_was_not_told_of_a_run_that_has_ended() {
    let receiver = Receiver::refusing(u32::MAX);
    let house = house(&hook(&receiver));
    open_gate(&house, "t2");
    let mut run = start(&house, &playing(&[]));
    house.until("it is opened", || house.artel(&["status"]).code == Some(0));
    house.until("the run has ended", || house.board()["stands"]["class"] == "incomplete");
    house.until("its end is noted", || house.artel(&["list", "--json"]).json()[0]["ended"] == true);
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(receiver.taken().is_empty());
    receiver.refuse(0);
    let mut server = start(&house, &["serve", "--listen", "127.0.0.1:0"]);
    house.until("all is told", || receiver.taken().len() == 2);
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn the_terminal_rings_and_shows_what_a_person_should_know_and_only_a_terminal() {
    let house = house("[terminal]\nbell = true\ndesktop = true\non = [\"needs_input\"]\n");
    let terminal = Terminal::start(&house.command(&playing(&[])), 24, 80);
    terminal.until_shown("which licence?");
    open_gate(&house, "t2");
    let raw = terminal.end().raw();
    let run = house.run();
    assert_eq!(raw.matches(&format!("\u{1b}]9;artel: {run}/t1 needs you: ")).count(), 1, "{raw:?}");
    assert_eq!(raw.matches('\u{7}').count(), 2, "a bell, and what ends the text");
    let said = house.artel(&["resume"]);
    assert!(!said.out.contains('\u{7}') && !said.err.contains('\u{7}'));
}
