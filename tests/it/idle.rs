//! Tells that waiting costs nothing: a run that waits for an agent is woken by nothing and starts nothing.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use crate::common::House;
use crate::crew::{all_end, crew, landed_tasks, playing, processes};

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

#[test]
fn a_run_that_waits_for_an_agent_is_woken_by_nothing() {
    let house = House::with(&[("src/a.txt", "old\n")]);
    let fifo = house.root().join("fifo");
    house.in_the_open();
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let steps = format!("  - run: \"read word < {}\"\n  - write: {{text: new}}\n", fifo.display());
    crew(&house, &[("a", "src/a.txt", "")], &steps, "");
    let mut run = house.start(&playing(&[]));
    house.until("the agent waits", || processes(&house).values().any(|line| line.contains("read word")));
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
    assert_eq!(landed_tasks(&house.events()), ["t1"]);
    all_end(&house);
}
