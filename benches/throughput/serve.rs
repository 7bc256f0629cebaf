//! Owns the measuring of the server: how many may follow a run at once and lose nothing, what that costs whoever works on
//! the run, what a run costs that waits.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use artel::app::{OpenOptions, Place, open_run};
use artel::io::journal::format::FORMAT;
use artel::io::journal::{Journal, NewEntry, SqliteJournal};
use artel::machine::event::Event;
use artel::model::ids::RunId;

use super::Size;
use super::figure::{Goal, figure};
use super::follower::{Told, Where, follow};
use super::ground::{Lab, Spread, write_goal};
use super::ring::place;

/// Does to a task's file what any program might.
pub const AGENT: &str = r#"command:read -r f < "$ARTEL_PATHS"; echo "// done" >> "$f""#;
/// How often it is looked whether the server has done something.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long the server has for it.
const PATIENCE: Duration = Duration::from_secs(600);

/// Measures a server.
pub fn servers(size: Size) {
    let (clients, events, tasks, runs) = match size {
        Size::Quick => (20, 2_000, 20, 4),
        Size::Full => (200, 30_000, 400, 100),
    };
    streams(clients, events);
    throughput(clients, tasks);
    residence(runs);
}

/// A server in a process of its own; ended when dropped.
pub struct Server {
    child: Child,
    address: String,
    token: String,
}

impl Server {
    /// Starts it, and waits until it listens.
    pub fn start(place: &Place) -> Self {
        let mut command = Command::new(&place.artel);
        command.args(["serve", "--listen", "127.0.0.1:0", "--sandbox", "none"]).current_dir(place.dir.root());
        command.env("ARTEL_HOME", place.dir.root()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("artel serves");
        let (folder, id) = (place.dir.serve_dir(), child.id());
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        let mut address = String::new();
        until("the server listens", || {
            let told: serde_json::Value = serde_json::from_str(&read("address.json")).unwrap_or_default();
            address = told["url"].as_str().unwrap_or_default().trim_start_matches("http://").to_owned();
            told["process"] == id
        });
        let tokens = read("tokens.toml");
        let viewer = tokens.lines().find(|line| line.starts_with("viewer")).expect("a token");
        let token = viewer.split('"').nth(1).expect("a token in quotes").to_owned();
        Self { child, address, token }
    }

    fn at(&self, run: &RunId) -> Where {
        Where { address: self.address.clone(), token: self.token.clone(), run: run.to_string() }
    }

    /// Gives the memory that it holds, in KiB.
    fn resident(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel tells");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Asks for a path, so that whatever that takes is in memory.
    fn get(&self, path: &str) {
        use std::io::{Read, Write};
        let mut wire = std::net::TcpStream::connect(&self.address).expect("it listens");
        let (address, token) = (&self.address, &self.token);
        let request = format!("GET {path} HTTP/1.0\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\r\n");
        wire.write_all(request.as_bytes()).expect("it is asked");
        let mut answer = Vec::new();
        wire.read_to_end(&mut answer).expect("it answers");
        assert!(answer.starts_with(b"HTTP/1.0 200"), "{}", String::from_utf8_lossy(&answer));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Looks until something holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "it never came that {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Opens a run of so many tasks; `front` is put into the goal.
pub fn open(lab: &Lab, place: &Place, tasks: usize, agent: &str, front: &str) -> RunId {
    let goal = write_goal(lab, tasks, &[agent.to_owned()], Spread::OneAFile);
    let text = std::fs::read_to_string(&goal).expect("the goal");
    std::fs::write(&goal, text.replacen("---\n", &format!("---\n{front}"), 1)).expect("the goal");
    let options = OpenOptions { goal, workers: Some(2), ..OpenOptions::default() };
    open_run(place, &options).expect("it opens").0
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

/// Has so many follow a run to which a thousand events a second are added.
fn streams(clients: usize, events: u64) {
    const A_SECOND: u64 = 1000;
    const SLICE: u64 = 20;
    let lab = Lab::new(20);
    let place = place(&lab);
    let run = open(&lab, &place, 1, AGENT, "approve: [plan]\n");
    let server = Server::start(&place);
    let rests = || place.load(&run).is_ok_and(|state| state.rest.is_some());
    until("the run waits for a word", || rests() && !artel::app::is_hosted(&place, &run));
    let journal = SqliteJournal::open(&place.dir.journal()).expect("the journal");
    let epoch = journal.claim(&run, "a benchmark").expect("nobody else writes");
    let first = journal.last_seq(&run).expect("the journal");
    let last = first + events;
    let runtime = runtime();
    let followers: Vec<_> = (0..clients).map(|_| runtime.spawn(follow(server.at(&run), first, last))).collect();
    let begun = Instant::now();
    let mut seq = first;
    while seq < last {
        let entries: Vec<NewEntry> = (0..SLICE.min(last - seq)).map(|_| steered()).collect();
        seq = journal.append(&run, epoch, seq, &entries).expect("it is stored");
        let due = Duration::from_millis((seq - first) * 1000 / A_SECOND);
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
    }
    let written = begun.elapsed();
    let ended = Instant::now();
    let told: Vec<Told> = runtime.block_on(async {
        let mut all = Vec::new();
        for follower in followers {
            all.push(follower.await.expect("a follower"));
        }
        all
    });
    let astray: u64 = told.iter().map(|told| told.astray).sum();
    let behind = told.iter().filter_map(|told| told.last).map(|at| at.saturating_duration_since(ended)).max();
    figure(&format!("stream_rate_c{clients}"), events as f64 / written.as_secs_f64(), "events/s", Goal::Least(950.0));
    figure(&format!("stream_lost_c{clients}"), astray as f64, "events", Goal::Most(0.0));
    figure(&format!("stream_behind_c{clients}"), behind.unwrap_or_default().as_secs_f64(), "s", Goal::None);
    figure(&format!("stream_resident_c{clients}"), server.resident() / 1024.0, "MiB", Goal::None);
}

fn steered() -> NewEntry {
    let data = r#"{"Steered":{"task":null,"message":"mind the edges of what you own, and leave the rest"}}"#.to_owned();
    NewEntry { at_ms: 0, kind: "Steered".to_owned(), v: FORMAT, data }
}

/// Has a server work through a run, once alone and once followed by so many.
fn throughput(clients: usize, tasks: usize) {
    // The first run warms the machine up and is not counted.
    let _ = landed_per_s(0, tasks.min(20));
    let alone = landed_per_s(0, tasks);
    let followed = landed_per_s(clients, tasks);
    figure("serve_landed_alone", alone, "tasks/s", Goal::None);
    figure(&format!("serve_landed_c{clients}"), followed, "tasks/s", Goal::None);
    figure(&format!("serve_landed_c{clients}_to_alone"), followed / alone, "x", Goal::Least(0.9));
}

fn landed_per_s(clients: usize, tasks: usize) -> f64 {
    let lab = Lab::new(300.max(tasks));
    let place = place(&lab);
    let run = open(&lab, &place, tasks, AGENT, "");
    let runtime = runtime();
    let server = Server::start(&place);
    let followers: Vec<_> = (0..clients).map(|_| runtime.spawn(follow(server.at(&run), 0, u64::MAX))).collect();
    until("the run ends", || {
        place.runs().is_ok_and(|rows| rows.iter().any(|row| row.run == run && row.ended.is_some()))
    });
    let events = place.events(&run, 1).expect("the journal");
    drop(server);
    for follower in followers {
        let told = runtime.block_on(follower).expect("a follower");
        assert!(told.events > 0, "it followed");
    }
    let at = |wanted: fn(&Event) -> bool| events.iter().find(|it| wanted(&it.event)).map(|it| it.at_ms);
    let begun = at(|event| matches!(event, Event::AttemptLeased(_))).expect("work was begun");
    let ended = at(|event| matches!(event, Event::RunEnded { .. })).expect("it ended");
    let landed =
        events.iter().map(|it| if let Event::BatchLanded { landed, .. } = &it.event { landed.len() } else { 0 });
    landed.sum::<usize>() as f64 * 1000.0 / (ended - begun).max(1) as f64
}

/// Has a server hold so many runs that wait for a word, and so many whose agent says nothing.
fn residence(runs: usize) {
    // What the first run takes is there for all others, so that many are held against a few.
    let each = |many: usize, agent: &str, front: &str| {
        let few = many / 4;
        (held(many, agent, front) - held(few, agent, front)) / (many - few) as f64
    };
    figure("serve_resident", held(0, AGENT, "") / 1024.0, "MiB", Goal::None);
    figure("serve_resident_per_resting_run", each(runs, AGENT, "approve: [plan]\n"), "KiB", Goal::None);
    figure("serve_resident_per_idle_run", each(runs.min(40), "command:exec sleep 3600", ""), "KiB", Goal::None);
}

/// Gives the memory of a server that has so many runs, once all are as they stay, in KiB.
fn held(count: usize, agent: &str, front: &str) -> f64 {
    let lab = Lab::new(20);
    let place = place(&lab);
    let runs: Vec<RunId> = (0..count).map(|_| open(&lab, &place, 1, agent, front)).collect();
    let server = Server::start(&place);
    let is_settled = |run: &RunId| {
        place.load(run).is_ok_and(|state| match front {
            "" => !state.running.is_empty(),
            _ => state.rest.is_some() && !artel::app::is_hosted(&place, run),
        })
    };
    runs.iter().for_each(|run| until("the run waits", || is_settled(run)));
    // As somebody who looks has it.
    server.get("/api/v1/runs");
    server.resident()
}
