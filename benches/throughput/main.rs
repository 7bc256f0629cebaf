//! Prints artel's figures beside those of a plain shell script in the same run. `cargo bench -- quick` takes small
//! sizes, to see that the benchmark runs. One line a figure; the machine and its load come first.

#![expect(clippy::expect_used, reason = "a benchmark that cannot go on must say where")]

mod figure;
mod ground;
mod journal;
mod landing;
mod queue;
mod ring;

use figure::{Cost, Goal, figure, note};

/// Says how large the measured work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Quick,
    Full,
}

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let size = if asked.iter().any(|word| word == "quick") { Size::Quick } else { Size::Full };
    let wants = |part: &str| asked.iter().all(|word| word == "quick") || asked.iter().any(|word| word == part);
    machine();
    if wants("ring") {
        rings(size);
    }
    if wants("landing") {
        landings(size);
    }
    if wants("queue") {
        queues(size);
    }
    if wants("journal") {
        journals(size);
    }
    if wants("growth") {
        growth(size);
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

/// Measures whole runs against the script.
fn rings(size: Size) {
    note("artel's check is `true`, run on each candidate and each batch; its journal and objects are synced to disk");
    note("the script runs no check and syncs nothing");
    let counts: &[usize] = match size {
        Size::Quick => &[20],
        Size::Full => &[100, 1000],
    };
    for count in counts {
        for workers in [2, 16] {
            let plain = ring::plain(300, *count, workers);
            let name = |what: &str| format!("{what}_n{count}_w{workers}");
            per_task(&name("script"), plain, *count);
            let is_goal = *count == 1000 && workers == 2;
            let goal = if is_goal { Goal::Most(0.5) } else { Goal::None };
            let stub = ring::artel(300, *count, workers, ring::STUB);
            per_task(&name("artel"), stub, *count);
            ratios(&name("artel_to_script"), stub, plain, goal);
            // The rule needs something to rewrite in every task's file, so that the repository may be larger.
            let codemod = ring::artel(300.max(*count), *count, workers, ring::CODEMOD);
            per_task(&name("codemod"), codemod, *count);
            ratios(&name("codemod_to_script"), codemod, plain, Goal::None);
        }
    }
}

fn per_task(name: &str, cost: Cost, count: usize) {
    let per = |seconds: f64| seconds * 1000.0 / count as f64;
    figure(&format!("{name}_wall"), per(cost.wall_s), "ms/task", Goal::None);
    figure(&format!("{name}_cpu"), per(cost.cpu_s), "ms/task", Goal::None);
}

fn ratios(name: &str, ours: Cost, theirs: Cost, goal: Goal) {
    figure(&format!("{name}_wall"), ours.wall_s / theirs.wall_s, "x", goal);
    figure(&format!("{name}_cpu"), ours.cpu_s / theirs.cpu_s, "x", goal);
}

/// Measures merges against git's plumbing.
fn landings(size: Size) {
    let (count, by_git) = if size == Size::Quick { (40, 10) } else { (1000, 100) };
    let (ours, theirs) = landing::merges(count, by_git);
    figure("merges", ours, "1/s", Goal::None);
    figure("merges_by_plumbing", theirs, "1/s", Goal::None);
    figure("merges_to_plumbing", ours / theirs, "x", Goal::Least(8.0));
}

/// Plays the queue's laws with simulated checks.
fn queues(size: Size) {
    let count = if size == Size::Quick { 500 } else { 20_000 };
    for (percent, goal) in [(1, 0.10), (2, 0.16), (5, 0.31), (10, 0.54)] {
        let (outcomes, _) = queue::play(count, queue::Odds { bad: f64::from(percent) / 100.0, flaky: 0.0 });
        assert!(outcomes.wronged == 0 && outcomes.slipped == 0, "without flakes all are told apart: {outcomes:?}");
        let per_landed = f64::from(outcomes.checks) / f64::from(outcomes.landed);
        figure(&format!("checks_per_landed_{percent}_percent_bad"), per_landed, "checks", Goal::Most(goal));
    }
    for percent in [0, 5] {
        let (outcomes, _) = queue::play(count, queue::Odds { bad: f64::from(percent) / 100.0, flaky: 0.03 });
        let wronged = f64::from(outcomes.wronged) * 100.0 / f64::from(outcomes.landed + outcomes.wronged);
        let name = |what: &str| format!("{what}_3_percent_flaky_{percent}_percent_bad");
        figure(&name("good_ejected"), wronged, "%", Goal::Most(0.05));
        figure(
            &name("checks_per_landed"),
            f64::from(outcomes.checks) / f64::from(outcomes.landed),
            "checks",
            Goal::None,
        );
    }
}

/// Measures the journal.
fn journals(size: Size) {
    let (each, alone, tasks) = if size == Size::Quick { (4, 20, 4_000) } else { (100, 1000, 270_000) };
    let (many, one) = (journal::appends(256, each), journal::appends(1, alone));
    figure("appends_by_256", many, "1/s", Goal::None);
    figure("appends_by_1", one, "1/s", Goal::None);
    figure("appends_256_to_1", many / one, "x", Goal::Least(50.0));
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

/// Measures whether a task costs more in a long run than in a short one.
fn growth(size: Size) {
    let (short, long) = if size == Size::Quick { (20, 100) } else { (200, 2000) };
    let of_short = ring::artel(300, short, 2, ring::STUB).cpu_s / short as f64;
    let of_long = ring::artel(300, long, 2, ring::STUB).cpu_s / long as f64;
    figure("cpu_per_task_growth", of_long / of_short, "x", Goal::Most(1.25));
}
