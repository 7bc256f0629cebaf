//! Tells that a run that is killed at any moment goes on as if nothing had been: the same files, each task landed once,
//! nobody left alive, nothing left behind. `ARTEL_FULL=1` kills at every event instead of at a sample.
//!
//! The moments are failpoints, which only a build with debug assertions has.
#![cfg(debug_assertions)]

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::common::House;
use crate::crash::{many, open_gates};
use crate::crew::{all_end, holds_the_laws, landed_tasks, playing};

/// Tasks of the run that dies: one is refused once, and one waits for two others.
const TASKS: usize = 4;

/// How many numbers of one point are tried where not all are.
const SAMPLE: usize = 3;

/// Tells whether everything is to be tried rather than a sample.
pub fn is_full() -> bool {
    std::env::var_os("ARTEL_FULL").is_some()
}

/// Gives the chance by which samples are drawn; `ARTEL_SEED` gives another.
pub fn chance(salt: u64) -> fastrand::Rng {
    let seed: u64 = std::env::var("ARTEL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    fastrand::Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(salt))
}

/// Draws a sample of the numbers from 1 on, or gives all of them.
pub fn drawn(most: u64, sample: usize, salt: u64) -> Vec<u64> {
    if is_full() {
        return (1..=most).collect();
    }
    let mut chance = chance(salt);
    let drawn: BTreeSet<u64> = std::iter::repeat_with(|| chance.u64(1..=most)).take(sample).collect();
    drawn.into_iter().collect()
}

fn house() -> House {
    let house = many(TASKS);
    open_gates(&house, TASKS);
    house
}

const WORKERS: [&str; 2] = ["--workers", "2"];

/// What an undisturbed run comes to: the files, how many events, and how long it took.
struct Undisturbed {
    tree: String,
    events: u64,
    took: Duration,
}

fn tree(house: &House) -> String {
    house.git(&["rev-parse", &format!("{}:src", house.head())])
}

fn undisturbed() -> Undisturbed {
    let house = house();
    let began = std::time::Instant::now();
    house.artel(&playing(&WORKERS)).exits(0);
    Undisturbed { took: began.elapsed(), tree: tree(&house), events: house.events().len() as u64 }
}

/// Takes a run up again that was killed, or begins it where it was killed before it was stored; asserts all that must
/// hold then.
#[track_caller]
fn goes_on(house: &House, wanted: &Undisturbed) {
    all_end(house);
    let is_stored = house.artel(&["status"]).code == Some(0);
    let args = if is_stored { vec!["resume"] } else { playing(&WORKERS) };
    house.artel(&args).exits(0);
    assert_eq!(tree(house), wanted.tree);
    let mut landed = landed_tasks(&house.events());
    landed.sort();
    assert_eq!(landed, ["t1", "t2", "t3", "t4"]);
    holds_the_laws(house);
    leaves_nothing(house);
}

/// Asserts that no worktree, lock or process of an ended run is left.
#[track_caller]
pub fn leaves_nothing(house: &House) {
    let worktrees = house.git(&["worktree", "list", "--porcelain"]);
    assert_eq!(worktrees.matches("worktree ").count(), 1, "{worktrees}");
    let mut left = files(&house.repo().join(".git"), &|path| path.extension().is_some_and(|end| end == "lock"));
    // A pool's own lock is a file that stays; what it holds must be nothing.
    left.extend(files(&house.home().join("trees"), &|path| path.file_name().is_some_and(|name| name != "lock")));
    assert_eq!(left, Vec::<PathBuf>::new());
    all_end(house);
}

/// Lists the files below a folder that fit.
pub fn files(dir: &Path, fits: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, fits));
        } else if fits(&path) {
            found.push(path);
        }
    }
    found
}

/// Kills runs at a point, at numbers up to `most`; the last few may not be reached, since what is batched together
/// depends on who is faster.
fn sweep(point: &str, most: impl Fn(&Undisturbed) -> u64, salt: u64) {
    let wanted = undisturbed();
    let numbers = drawn(most(&wanted), SAMPLE, salt);
    let mut died = 0;
    for number in &numbers {
        let at = format!("{point}:{number}");
        let house = house();
        let mut command = house.command(&playing(&WORKERS));
        let ended = command.env("ARTEL_FAILPOINT", &at).stdout(Stdio::null()).output().unwrap();
        died += usize::from(ended.status.signal() == Some(9));
        assert!(
            ended.status.signal() == Some(9) || ended.status.code() == Some(0),
            "{at}: {}",
            String::from_utf8_lossy(&ended.stderr)
        );
        goes_on(&house, &wanted);
    }
    assert!(died * 10 >= numbers.len() * 7, "only {died} of {} died at `{point}`", numbers.len());
}

#[test]
fn a_death_before_an_event_is_written_loses_nothing() {
    sweep("before", |it| it.events, 1);
}

#[test]
fn a_death_within_the_writing_of_an_event_loses_nothing() {
    sweep("torn", |it| it.events, 2);
}

#[test]
fn a_death_after_an_event_is_written_and_before_it_is_flushed_loses_nothing() {
    sweep("written", |it| it.events, 3);
}

#[test]
fn a_death_after_an_event_is_flushed_loses_nothing() {
    sweep("synced", |it| it.events, 4);
}

#[test]
fn a_death_after_what_an_event_makes_due_was_begun_loses_nothing() {
    sweep("acknowledged", |it| it.events, 5);
}

#[test]
fn a_death_after_an_effect_and_before_its_report_repeats_nothing_that_matters() {
    // Of an effect's report come two events on the average: its own, and what follows.
    sweep("done", |it| it.events / 2, 6);
}

#[test]
fn a_death_at_any_time_loses_nothing() {
    let wanted = undisturbed();
    let times = if is_full() { 50 } else { SAMPLE };
    let mut chance = chance(8);
    for _ in 0..times {
        let house = house();
        let mut child = house.start(&playing(&WORKERS));
        // The moment is chance on purpose; what must hold holds at each.
        std::thread::sleep(wanted.took.mul_f64(chance.f64()));
        let _ = child.kill();
        child.wait().unwrap();
        goes_on(&house, &wanted);
    }
}
