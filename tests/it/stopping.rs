//! Tells how a run is stopped and taken up again, and how requests reach it while nobody works on it.

use std::fs;
use std::process::Child;

use crate::common::House;
use crate::crew::{all_end, crew, holds_the_laws, landed_tasks, of_kind, open_gate, playing, processes, signal, waits};

const THREE: [(&str, &str, &str); 3] = [("a", "src/a.txt", ""), ("b", "src/b.txt", ""), ("c", "src/c.txt", "")];

fn three(front: &str) -> House {
    let house = House::with(&[("src/a.txt", "old\n"), ("src/b.txt", "old\n"), ("src/c.txt", "old\n")]);
    let steps = format!("{}  - write: {{text: new}}\n", waits(&house, "{task}"));
    crew(&house, &THREE, &steps, front);
    house
}

/// Starts the run with one worker and waits until its first attempt is at its gate.
fn at_the_first_gate(house: &House) -> Child {
    let child = house.start(&playing(&["--workers", "1"]));
    house.until("the agent waits", || processes(house).values().any(|line| line.contains("sleep 0.02")));
    child
}

fn open_all(house: &House) {
    ["t1", "t2", "t3"].iter().for_each(|task| open_gate(house, task));
}

fn says_in_log(house: &House, kind: &str) -> bool {
    !of_kind(&house.events(), kind).is_empty()
}

#[test]
fn ctrl_c_once_finishes_what_runs_and_begins_nothing_new() {
    let house = three("checks: [ls]\n");
    let mut child = at_the_first_gate(&house);
    signal(child.id(), "INT");
    house.until("it drains", || says_in_log(&house, "Draining"));
    open_all(&house);
    assert_eq!(child.wait().unwrap().code(), Some(7));
    assert_eq!(landed_tasks(&house.events()), ["t1"], "the running attempt was finished, judged and landed");
    assert_eq!(house.board()["attempts"], 1);
    all_end(&house);
    house.artel(&["resume"]).exits(0);
    assert_eq!(landed_tasks(&house.events()), ["t1", "t2", "t3"]);
    holds_the_laws(&house);
}

#[test]
fn ctrl_c_twice_ends_at_once_and_nothing_lives_on() {
    let house = three("");
    let mut child = at_the_first_gate(&house);
    signal(child.id(), "INT");
    house.until("it drains", || says_in_log(&house, "Draining"));
    signal(child.id(), "INT");
    assert_eq!(child.wait().unwrap().code(), Some(7));
    all_end(&house);
    open_all(&house);
    house.artel(&["resume"]).exits(0);
    assert_eq!(landed_tasks(&house.events()), ["t1", "t2", "t3"]);
    assert_eq!(of_kind(&house.events(), "AttemptLost").len(), 1);
}

#[test]
fn stop_drains_from_another_terminal_and_stop_now_does_not_wait() {
    let house = three("");
    let mut child = at_the_first_gate(&house);
    house.artel(&["stop"]).exits(0).says("finished first");
    house.artel(&["stop", "--now"]).exits(0);
    assert_eq!(child.wait().unwrap().code(), Some(7));
    all_end(&house);
    assert_eq!(landed_tasks(&house.events()), [] as [&str; 0]);
    open_all(&house);
    house.artel(&["resume"]).exits(0);
    assert_eq!(landed_tasks(&house.events()), ["t1", "t2", "t3"]);
    house.artel(&["stop"]).exits(10);
}

#[test]
fn a_drained_run_that_is_still_finishing_can_be_told_to_go_on() {
    let house = three("");
    let mut child = at_the_first_gate(&house);
    house.artel(&["stop"]).exits(0);
    let resumed = house.command(&["resume"]).stdout(std::process::Stdio::null()).spawn().unwrap();
    house.until("it goes on", || says_in_log(&house, "Resumed"));
    open_all(&house);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(resumed.wait_with_output().unwrap().status.code(), Some(0));
    assert_eq!(landed_tasks(&house.events()), ["t1", "t2", "t3"]);
}

#[test]
fn requests_that_nobody_heard_are_carried_out_when_somebody_comes() {
    let house = three("approve: [plan]\n");
    house.write("work.yml", "steps:\n  - run: 'grep -q \"be kind\" \"$ARTEL_BRIEF\"'\n  - write: {text: new}\n");
    house.commit("kind");
    house.artel(&playing(&[])).exits(6);
    assert_eq!(house.board()["attempts"], 0, "work began before the plan was approved");
    house.artel(&["steer", "be kind"]).exits(0).says("stored");
    house.artel(&["approve", "plan"]).exits(0).says("stored");
    house.artel(&["approve", "plan"]).exits(0);
    house.artel(&["stop"]).exits(0).says("stored");
    assert!(!says_in_log(&house, "GatePassed"), "somebody worked on it");
    house.artel(&["resume"]).exits(7);
    let events = house.events();
    assert_eq!(of_kind(&events, "GatePassed").len(), 1, "the same word twice is one");
    assert_eq!(of_kind(&events, "Steered").len(), 1);
    house.artel(&["resume"]).exits(0);
    assert_eq!(house.board()["counts"]["landed"], 3);
    let (answered, refused) = ("RequestAnswered", "RequestRefused");
    let before = of_kind(&house.events(), answered).len() + of_kind(&house.events(), refused).len();
    assert_eq!(before, 5, "four requests and the word to go on, each answered once");
    house.artel(&["resume"]).exits(0);
    let after = of_kind(&house.events(), answered).len() + of_kind(&house.events(), refused).len();
    assert_eq!(after, before, "an old request was answered again");
}

#[test]
fn a_kept_task_is_tried_again_once_however_often_that_was_asked() {
    let house = House::with(&[("src/a.txt", "old\n")]);
    let may = house.root().join("gate-may");
    house.in_the_open();
    let steps = format!("  - run: \"test -e {}\"\n  - write: {{text: new}}\n", may.display());
    crew(&house, &[("a", "src/a.txt", "")], &steps, "");
    house.artel(&playing(&[])).exits(5);
    let attempts = house.board()["attempts"].as_u64().unwrap();
    open_gate(&house, "may");
    house.artel(&["retry", "t1"]).exits(0);
    house.artel(&["retry", "t1"]);
    house.artel(&["resume"]).exits(0);
    assert_eq!(house.board()["attempts"], attempts + 1);
    assert_eq!(of_kind(&house.events(), "TaskRetried").len(), 1);
    assert_eq!(landed_tasks(&house.events()), ["t1"]);
}

#[test]
fn a_second_resume_says_who_holds_the_run_and_reading_goes_on() {
    let house = three("");
    let mut child = at_the_first_gate(&house);
    house.artel(&["resume"]).exits(12).says(&format!("process {}", child.id())).says("artel watch");
    for verb in [&["status"][..], &["list"], &["log"], &["show", "t1"], &["cost"], &["status", "--json"], &["gc", "-n"]]
    {
        house.artel(verb).exits(0);
    }
    assert_eq!(house.board()["coordinated"], true);
    open_all(&house);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(house.board()["coordinated"], false);
    assert!(!fs::read_to_string(house.root().join("started.log")).unwrap().contains("panicked"));
}
