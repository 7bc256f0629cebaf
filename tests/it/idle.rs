//! Tells that waiting costs nothing: a run that waits for an agent is woken by nothing, starts nothing and writes nothing
//! down, and learns all the same that it was taken over.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use artel::actors::feed::nudge;
use artel::io::files::StateDir;
use artel::io::journal::{Journal, SqliteJournal};

use crate::common::House;
use crate::crew::{all_end, crew, landed_tasks, of_kind, playing, processes};

/// Counts how often each thread of a process has given up its processor of itself, which it does each time that it
/// was woken and has nothing more to do.
fn wakes(pid: u32) -> BTreeMap<String, u64> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let count = |thread: fs::DirEntry| {
        let status = fs::read_to_string(thread.path().join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        Some((thread.file_name().into_string().ok()?, line.trim().parse().ok()?))
    };
    threads.filter_map(count).collect()
}

/// Starts a run whose one agent says nothing until something is written to the pipe that is returned.
fn waiting() -> (House, Child, PathBuf) {
    let house = House::with(&[("src/a.txt", "old\n")]);
    let fifo = house.root().join("fifo");
    house.in_the_open();
    // The shortest lease there is.
    house.write("artel.toml", "lease_s = 10\n");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let steps = format!("  - run: \"read word < {}\"\n  - write: {{text: new}}\n", fifo.display());
    crew(&house, &[("a", "src/a.txt", "")], &steps, "");
    let run = house.start(&playing(&[]));
    house.until("the agent waits", || is_waiting(&house));
    (house, run, fifo)
}

fn is_waiting(house: &House) -> bool {
    processes(house).values().any(|line| line.contains("read word"))
}

#[test]
fn a_run_that_waits_for_an_agent_is_woken_by_nothing() {
    let (house, mut run, fifo) = waiting();
    // What was begun is settled when nothing has been woken for a while: threads that wait for work end by then too.
    let mut before = wakes(run.id());
    house.until("the run is quiet", || {
        std::thread::sleep(Duration::from_millis(500));
        let now = wakes(run.id());
        std::mem::replace(&mut before, now.clone()) == now
    });
    let (ours, quiet) = (processes(&house), wakes(run.id()));
    std::thread::sleep(Duration::from_secs(3));
    let woken: u64 = wakes(run.id()).iter().map(|(thread, now)| now - quiet.get(thread).copied().unwrap_or(0)).sum();
    assert!(woken <= 2, "it was woken {woken} times in three seconds");
    assert_eq!(processes(&house), ours, "something was started, or ended");
    fs::write(&fifo, "go\n").unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(0));
    let events = house.events();
    assert_eq!(landed_tasks(&events), ["t1"]);
    assert_eq!(of_kind(&events, "LeaseRenewed").len(), 0, "nobody doubted that its agent lives");
    all_end(&house);
}

#[test]
fn a_coordinator_that_was_passed_over_ends_with_its_agent_though_that_says_nothing() {
    let (house, mut run, fifo) = waiting();
    let dir = StateDir::locate(|name| (name == "ARTEL_HOME").then(|| house.home().into())).unwrap();
    let id = house.run().parse().unwrap();
    let journal = SqliteJournal::open(&dir.journal()).unwrap();
    journal.claim(&id, "another").unwrap();
    assert!(nudge(&dir.socket(&id).unwrap()), "it listens");
    assert_eq!(run.wait().unwrap().code(), Some(12));
    all_end(&house);
    let mut next = house.start(&["resume"]);
    house.until("another agent waits", || is_waiting(&house));
    fs::write(&fifo, "go\n").unwrap();
    assert_eq!(next.wait().unwrap().code(), Some(0));
    assert_eq!(landed_tasks(&house.events()), ["t1"]);
    all_end(&house);
}
