//! Owns the measuring of the pages: what a browser is sent of a run of 2,000 tasks and 100,000 events, how soon, and how
//! long it works on an update.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use artel::app::{Access, Hosts, Place, Standing, read_token};
use artel::io::journal::format::FORMAT;
use artel::io::journal::{NewEntry, NewRun};
use artel::machine::event::{Event, Recorded};
use artel::model::ids::RunId;
use artel::ui::web::site::Site;
use artel::ui::web::{listen, login, routes};

use super::Size;
use super::figure::{Goal, cost, figure, note};
use super::ground::folder;
use super::queue;

/// Events that are stored at once.
const SLICE: usize = 5_000;
/// Events that happen while a browser looks, a few at a time.
const HELD_BACK: usize = 600;
/// How long lies between the events of the run, in milliseconds.
const APART_MS: i64 = 250;

/// Measures the pages.
pub fn pages(size: Size) {
    let (tasks, events) = if size == Size::Quick { (200, 10_000) } else { (2_000, 100_000) };
    let (mut stored, held_back) = run_of(tasks, events);
    let home = folder();
    let env = BTreeMap::from([("ARTEL_HOME".to_owned(), home.to_string_lossy().into_owned())]);
    let place = Place::open(env, home.clone()).expect("a place");
    let opening = queue::opening();
    let run = opening.run;
    let new = NewRun { run: run.clone(), name: None, repo: "/".into(), opened_at_ms: 0 };
    place.journal.open_run(&new).expect("a run");
    let epoch = place.journal.claim(&run, "bench").expect("a claim");
    append(&place, &run, epoch, 0, &stored);
    note(&format!(
        "a run of {tasks} tasks and {} events, read from its journal by a server in this process",
        stored.len()
    ));

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (hosts, _notes) = Hosts::open(&place).expect("the only server");
    let access = Access::open(&place).expect("tokens");
    let link = access.make_link(Standing::Viewer).expect("a link");
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let at = listener.local_addr().expect("an address");
    let site = Arc::new(Site::new(place.clone(), hosts, access, at, &[]));
    runtime.spawn(listen::serve(listener, routes::router(site)));
    let wire = Wire { at, token: read_token(&place, Standing::Viewer).expect("a token") };
    answers(&wire, &run, stored.len());
    stored.clear();
    let link = format!("http://{at}{}", login::path(&link));
    frames(&place, &run, epoch, &link, &held_back);
    runtime.shutdown_background();
}

/// Plays a run and fills it up to so many events; the last ones are held back.
fn run_of(tasks: u32, events: usize) -> (Vec<Recorded>, Vec<Recorded>) {
    let (_, mut played) = queue::play(tasks, queue::Odds { bad: 0.05, flaky: 0.0 });
    let held_back = played.split_off(played.len() - HELD_BACK.min(played.len() / 4));
    let first = played.iter().position(|recorded| matches!(recorded.event, Event::AttemptLeased(_)));
    let first = first.expect("an attempt");
    let Event::AttemptLeased(lease) = played[first].event.clone() else { panic!("an attempt") };
    let renewed =
        Recorded { event: Event::LeaseRenewed { attempt: lease.attempt, until_ms: i64::MAX }, ..played[first].clone() };
    let each = events.saturating_sub(played.len()) / (played.len() - first);
    let fill = |(at, recorded): (usize, Recorded)| {
        let count = if at < first { 0 } else { each };
        std::iter::once(recorded).chain(std::iter::repeat_n(renewed.clone(), count))
    };
    let number =
        |(at, recorded): (usize, Recorded)| Recorded { seq: at as u64 + 1, at_ms: at as i64 * APART_MS, ..recorded };
    let stored: Vec<Recorded> = played.into_iter().enumerate().flat_map(fill).enumerate().map(number).collect();
    let after = stored.len();
    let held_back = held_back.into_iter().enumerate().map(|(at, recorded)| number((after + at, recorded))).collect();
    (stored, held_back)
}

fn append(place: &Place, run: &RunId, epoch: u64, mut after: u64, events: &[Recorded]) {
    for slice in events.chunks(SLICE) {
        let entry = |recorded: &Recorded| NewEntry {
            at_ms: recorded.at_ms,
            kind: recorded.event.kind().to_owned(),
            v: FORMAT,
            data: serde_json::to_string(&recorded.event).expect("an event is JSON"),
        };
        let entries: Vec<NewEntry> = slice.iter().map(entry).collect();
        after = place.journal.append(run, epoch, after, &entries).expect("an append");
    }
}

struct Wire {
    at: SocketAddr,
    token: String,
}

impl Wire {
    /// Asks for a path as a browser does; gives how many bytes came, and seconds until the last one.
    fn get(&self, path: &str) -> (usize, f64) {
        let (body, cost) = cost(|| {
            let mut wire = TcpStream::connect(self.at).expect("a connection");
            let (at, token) = (self.at, &self.token);
            let head = format!(
                "GET {path} HTTP/1.0\r\nHost: {at}\r\nAuthorization: Bearer {token}\r\nAccept-Encoding: gzip\r\n\r\n"
            );
            wire.write_all(head.as_bytes()).expect("a request");
            let mut answer = Vec::new();
            wire.read_to_end(&mut answer).expect("an answer");
            assert!(answer.starts_with(b"HTTP/1.0 200") || answer.starts_with(b"HTTP/1.1 200"), "{path}");
            answer.len()
        });
        (body, cost.wall_s)
    }
}

fn answers(wire: &Wire, run: &RunId, last: usize) {
    let of_run = format!("/runs/{run}");
    let graph = format!("/api/v1/runs/{run}/graph");
    let (_, cold_s) = wire.get(&of_run);
    figure("page_of_a_run_first", cold_s, "s", Goal::Most(1.0));
    let files = ["page.css", "page.js", "graph.js", "charts.js", "uplot.js", "icon.svg"];
    let files = files.map(|name| format!("/static/{name}"));
    let all: Vec<(usize, f64)> = [&of_run, &graph].into_iter().chain(&files).map(|path| wire.get(path)).collect();
    let bytes: usize = all.iter().map(|(bytes, _)| bytes).sum();
    figure("first_paint", bytes as f64 / 1024.0, "KiB", Goal::Most(300.0));
    figure("first_paint_answers", all.iter().map(|(_, s)| s).sum(), "s", Goal::Most(1.0));
    let (live, live_s) = wire.get(&format!("{of_run}?live=1"));
    figure("update", live as f64 / 1024.0, "KiB", Goal::None);
    figure("update_answer", live_s * 1000.0, "ms", Goal::None);
    let (marks, _) = wire.get(&format!("/api/v1/runs/{run}/marks"));
    figure("update_marks", marks as f64 / 1024.0, "KiB", Goal::None);
    let (_, first_s) = wire.get(&format!("{of_run}/journal"));
    figure("journal_first", first_s, "s", Goal::Most(1.0));
    let (page, again_s) = wire.get(&format!("{of_run}/journal"));
    figure("journal_page", page as f64 / 1024.0, "KiB", Goal::Most(300.0));
    figure("journal_again", again_s * 1000.0, "ms", Goal::None);
    let (_, search_s) = wire.get(&format!("/api/v1/runs/{run}/journal?text=no+such+words"));
    figure("journal_search_in_vain", search_s * 1000.0, "ms", Goal::Most(200.0));
    let mut steps: Vec<f64> = (1..=20)
        .map(|step| wire.get(&format!("/api/v1/runs/{run}?at={}", last * ((step * 7) % 20 + 1) / 21)).1)
        .collect();
    figure("board_at_any_event_p95", super::figure::quantile(&mut steps, 0.95) * 1000.0, "ms", Goal::Most(200.0));
}

/// Has a browser look while the run goes on; tells how long it works on a frame.
fn frames(place: &Place, run: &RunId, epoch: u64, link: &str, held_back: &[Recorded]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let driver = root.join("target/tools/browser");
    let Some(browser) = browser().filter(|_| driver.join("node_modules/playwright-core").is_dir()) else {
        return note("no browser, or nothing to drive it with: .ci/test installs both");
    };
    let go = folder().join("go");
    let mut node = Command::new("node");
    node.arg(root.join("tests/web/browser/frames.mjs")).args([link, run.as_str()]).arg(&go);
    node.env("BROWSER", browser).env("BROWSER_TOOLS", driver).stdout(std::process::Stdio::piped());
    let node = node.spawn().expect("node runs");
    while !go.exists() {
        std::thread::sleep(Duration::from_millis(20));
        assert!(Path::new(&format!("/proc/{}", node.id())).exists(), "the browser looks");
    }
    let say = |what: &str| std::fs::write(format!("{}.{what}", go.display()), "").expect("a file");
    let steps = held_back.chunks(15);
    let at_charts = steps.len() * 2 / 3;
    for (number, few) in steps.enumerate() {
        if number == at_charts {
            say("charts");
        }
        let after = held_back[0].seq - 1 + number as u64 * 15;
        append(place, run, epoch, after, few);
        std::thread::sleep(Duration::from_millis(100));
    }
    say("over");
    let output = node.wait_with_output().expect("node ends");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}");
    for line in told.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, value, unit, most] = words[..] else { panic!("no figure: {line}") };
        let goal = most.parse().map_or(Goal::None, Goal::Most);
        figure(name, value.parse().expect("a number"), unit, goal);
    }
}

fn browser() -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join("chromium")).find(|it| it.is_file())
}
