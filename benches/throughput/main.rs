//! Prints artel's figures beside those of a plain shell script in the same run. `cargo bench -- quick` takes small
//! sizes, to see that the benchmark runs; a part's name measures that part alone. One line a figure; the machine and its
//! load come first.

#![expect(clippy::expect_used, reason = "a benchmark that cannot go on must say where")]

mod crowd;
mod figure;
mod follower;
mod footprint;
mod gateway;
mod ground;
mod idle;
mod journal;
mod landing;
mod oracle;
mod pages;
mod provision;
mod queue;
mod ring;
mod sandbox;
mod serve;
mod wire;
mod word;

use figure::{Goal, figure, note};

/// Says how large the measured work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Quick,
    Full,
}

/// Measures one part.
type Part = fn(Size);

/// What is measured unless parts are named.
const PARTS: [(&str, Part); 16] = [
    ("ring", ring::rings),
    ("large", ring::large_repositories),
    ("crowd", crowd::crowds),
    ("landing", landing::landings),
    ("oracle", oracle::oracles),
    ("queue", queue::queues),
    ("provision", provision::provisions),
    ("sandbox", sandbox::starts),
    ("gateway", gateway::gateways),
    ("journal", journals),
    ("pages", pages::pages),
    ("idle", idles),
    ("serve", serve::servers),
    ("word", word::words),
    ("footprint", footprint::footprints),
    ("growth", ring::growth),
];

/// What is measured only when it is named.
const ASKED: [(&str, Part); 2] = [("build", footprint::build), ("gate", gateway::gate)];

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let size = if asked.iter().any(|word| word == "quick") { Size::Quick } else { Size::Full };
    let is_named = |part: &str| asked.iter().any(|word| word == part);
    let has_named = asked.iter().any(|word| word != "quick");
    machine();
    let by_default = PARTS.iter().filter(|(name, _)| !has_named || is_named(name));
    for (name, measure) in by_default.chain(ASKED.iter().filter(|(name, _)| is_named(name))) {
        note(&format!("{name}:"));
        measure(size);
    }
    ground::tidy_up();
}

/// Tells what is measured on.
fn machine() {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(" unknown");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    note(&format!("machine: {cores} cores,{}", model.replace(['\t', ':'], "")));
    note(&format!("kernel: {}", read("/proc/sys/kernel/osrelease").trim()));
    note(&format!("load: {}", read("/proc/loadavg").trim()));
}

/// Measures what a run costs that waits for an agent.
fn idles(size: Size) {
    let seconds = if size == Size::Quick { 5 } else { 960 };
    let idle = idle::idle(seconds);
    figure("idle_wakes", idle.wakes, "/min", Goal::Most(1.0));
    figure("idle_processor", idle.cpu, "%", Goal::Most(0.1));
    figure("idle_started", idle.started, "processes", Goal::Most(0.0));
}

/// Measures the journal.
fn journals(size: Size) {
    let (rounds, each, alone, tasks) = if size == Size::Quick { (3, 4, 20, 4_000) } else { (11, 400, 2_000, 270_000) };
    let appends = journal::in_turns(rounds, (256, each), (1, alone));
    figure("appends_by_256", appends.by_many, "1/s", Goal::None);
    figure("appends_by_1", appends.by_one, "1/s", Goal::None);
    figure("appends_256_to_1", appends.ratio, "x", Goal::Least(50.0));
    let (_, mut events) = queue::play(tasks, queue::Odds { bad: 0.05, flaky: 0.0 });
    events.truncate(1_000_000);
    let waking = journal::waking(&events);
    figure("waking_events", events.len() as f64, "events", Goal::None);
    figure("waking", waking.by_events_s, "s", Goal::Most(3.0));
    figure("waking_by_snapshot", waking.by_snapshot_s, "s", Goal::Most(0.3));
    figure("status", waking.status_s, "s", Goal::None);
    figure("git_status", waking.git_status_s, "s", Goal::None);
    figure("status_to_git_status", waking.status_s / waking.git_status_s, "x", Goal::Most(2.0));
}
