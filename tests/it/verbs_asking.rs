//! Tells what becomes of what a person asks of a run: at once where somebody works on it, on `resume` where nobody does.

use std::process::Child;

use crate::common::{House, RENAME, rename_goal, said};

/// A house for [`RENAME`] whose agent is a shell script; `more` goes into the goal.
fn house(agent: &str, more: &str) -> House {
    let goal = rename_goal(&format!(
        "checks: [\"test -d src\"]\nplan: {{ rules: [rename.yml], files_per_task: 1, iterations: 1 }}\n{more}"
    ));
    let house = House::with(&[
        ("rename.yml", RENAME),
        ("goal.md", &goal),
        ("agent.sh", agent),
        ("src/a.py", "print(old(1))\n"),
        ("src/b.py", "print(3)\n"),
    ]);
    let set = format!("[set]\nGATE = \"{}\"\n", house.root().join("gate").display());
    house.write("artel.toml", &set);
    house.commit("configure");
    house
}

const AGENT: [&str; 4] = ["--role", "worker.agents=command:sh agent.sh", "--role", "worker.limits.attempts=1"];
const RENAMES: &str = "sed -i s/old/new/ src/a.py\n";
/// Waits for the test to open the gate, so that it decides when the attempt ends.
const GATED: &str = "echo at the gate\nwhile [ ! -e \"$GATE\" ]; do sleep 0.05; done\nsed -i s/old/new/ src/a.py\n";

fn run(house: &House) -> crate::common::Said {
    house.artel(&[&["run", "goal.md"], &AGENT[..]].concat())
}

/// Starts a run and waits until its agent works.
fn started(house: &House) -> Child {
    house.in_the_open();
    let child = house.start(&[&["run", "goal.md"], &AGENT[..]].concat());
    house.until("the agent works", || {
        let board = house.artel(&["status", "--json"]);
        board.code == Some(0) && board.json()["running"][0]["last_line"] == "at the gate"
    });
    child
}

fn open_gate(house: &House) {
    std::fs::write(house.root().join("gate"), "").unwrap();
}

fn status_of(house: &House, task: &str) -> String {
    house.artel(&["show", task, "--json"]).json()["status"].as_str().unwrap().to_owned()
}

#[test]
fn a_gate_that_is_approved_while_nobody_works_passes_on_resume() {
    let house = house(RENAMES, "approve: [plan]\n");
    run(&house).exits(6).says("artel approve plan");
    assert_eq!(house.artel(&["list", "--inbox", "--json"]).json()[0]["bucket"], "needs_input");
    house.artel(&["resume"]).exits(6);
    let id = house.run();
    house.artel(&["approve", "sweep"]).exits(10);
    house.artel(&["approve"]).exits(0).says(&format!("artel resume {id}` carries it out"));
    assert_eq!(house.board()["gate"], "plan", "nothing has happened yet");
    house.artel(&["resume"]).exits(0).says("the plan was approved");
    assert_eq!(house.landed("src/a.py"), "print(new(1))");
}

#[test]
fn a_gate_that_is_refused_while_nobody_works_ends_the_run_on_resume() {
    let house = house(RENAMES, "approve: [plan]\n");
    run(&house).exits(6);
    house.artel(&["deny", "-m", "not this year"]).exits(0).says("carries it out");
    house.artel(&["resume"]).exits(5).says("not this year");
    assert_eq!(house.board()["attempts"], 0);
    house.artel(&["approve"]).exits(10);
}

#[test]
fn a_kept_task_is_tried_again_on_resume_and_hears_what_it_was_told() {
    let house = house(&format!("grep -q 'mind the gap' \"$ARTEL_BRIEF\" || exit 3\n{RENAMES}"), "");
    run(&house).exits(5).says("left over").says("artel retry");
    assert_eq!(status_of(&house, "t1"), "kept");
    let id = house.run();
    let carries_out = format!("artel resume {id}` carries it out");
    house.artel(&["steer", "mind the gap", "--task", "t1"]).exits(0).says(&carries_out);
    house.artel(&["retry", "t1"]).exits(0).says(&carries_out);
    assert_eq!(status_of(&house, "t1"), "kept", "a request is no event yet");
    house.artel(&["resume"]).exits(0).says("landed t1");
    assert_eq!(house.landed("src/a.py"), "print(new(1))");
    house.artel(&["retry", "t1"]).exits(10).says("is landed");
}

#[test]
fn a_kept_candidate_lands_by_a_persons_word() {
    let house = house(&format!("{RENAMES}echo '# beside its scope' >> src/b.py\n"), "");
    run(&house).exits(5);
    assert_eq!(status_of(&house, "t1"), "kept");
    house.artel(&["diff", "t1"]).exits(0).says("beside its scope");
    house.artel(&["approve", "t1"]).exits(0).says("carries it out");
    house.artel(&["resume"]).exits(0);
    assert_eq!(house.landed("src/b.py"), "print(3)\n# beside its scope");
}

#[test]
fn a_kept_task_that_is_given_up_is_dropped_with_the_reason() {
    let house = house("exit 3\n", "");
    run(&house).exits(5);
    house.artel(&["deny", "t1", "-m", "by hand"]).exits(0).says("carries it out");
    house.artel(&["resume"]).exits(5);
    assert_eq!(status_of(&house, "t1"), "dropped");
    house.artel(&["status"]).says("given up: by hand");
    house.artel(&["approve", "t1"]).exits(10);
}

#[test]
fn a_live_run_answers_at_once_and_is_watched_and_followed_to_its_end() {
    let house = house(GATED, "");
    let mut hosting = started(&house);
    house.artel(&["steer", "hurry"]).exits(0).says("is told");
    house.artel(&["retry", "t1"]).exits(10).says("running");
    house.artel(&["resume", "absent"]).exits(11);
    assert_eq!(house.board()["coordinated"], true);
    let pipe = |args: &[&str]| house.command(args).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let (watching, following) = (pipe(&["watch"]), pipe(&["log", "--follow", "--json"]));
    house.artel(&["resume"]).exits(12).says("artel watch");
    open_gate(&house);
    for (watcher, sees) in [(watching, "landed t1"), (following, "\"RunEnded\"")] {
        let said = said(&watcher.wait_with_output().unwrap()).exits(0);
        assert!(said.out.contains(sees), "{}", said.out);
    }
    assert_eq!(hosting.wait().unwrap().code(), Some(0));
    assert_eq!(house.artel(&["log", "--json"]).json_lines().last().unwrap()["kind"], "RunEnded");
}

#[test]
fn a_run_that_is_stopped_finishes_what_runs_and_goes_on_when_it_is_told_to() {
    let house = house(GATED, "");
    let mut hosting = started(&house);
    house.artel(&["stop"]).exits(0).says("stopping");
    assert!(hosting.try_wait().unwrap().is_none(), "what runs is finished first");
    open_gate(&house);
    assert_eq!(hosting.wait().unwrap().code(), Some(7));
    let attempts = house.board()["attempts"].clone();
    house.artel(&["status"]).exits(0).says("artel resume");
    house.artel(&["resume"]).exits(0);
    assert_eq!(house.board()["attempts"], attempts, "the attempt that was finished is not made again");
    house.artel(&["stop"]).exits(10).says("at its end");
}

#[test]
fn a_run_that_is_stopped_at_once_loses_what_runs_and_makes_it_again() {
    let house = house(GATED, "");
    let mut hosting = started(&house);
    house.artel(&["stop", "--now"]).exits(0);
    assert_eq!(hosting.wait().unwrap().code(), Some(7));
    open_gate(&house);
    house.artel(&["resume"]).exits(0);
    assert_eq!(house.landed("src/a.py"), "print(new(1))");
    assert!(house.events().iter().any(|event| event["kind"] == "AttemptLost"));
}

#[test]
fn a_spent_budget_is_said_and_raised() {
    let house = house(&format!("grep -q again \"$ARTEL_BRIEF\" || exit 3\n{RENAMES}"), "budget: { attempts: 1 }\n");
    let roles = ["--role", "worker.agents=command:sh agent.sh", "--role", "worker.limits.attempts=3"];
    house.artel(&[&["run", "goal.md"], &roles[..]].concat()).exits(8).says("budget");
    house.artel(&["cost"]).exits(0).says("1 of 1 attempts");
    house.artel(&["resume"]).exits(8);
    house.artel(&["steer", "again"]).exits(0);
    house.artel(&["resume", "--attempts", "5"]).exits(0);
}

#[test]
fn what_landed_is_delivered_taken_back_and_offered_again() {
    let house = house(RENAMES, "");
    run(&house).exits(0).says("artel deliver");
    let elapsed = house.board()["elapsed_ms"].clone();
    house.artel(&["deliver"]).exits(0).says("delivered into main");
    assert_eq!(house.git(&["show", "main:src/a.py"]), "print(new(1))");
    let said = house.artel(&["status"]).exits(0);
    assert!(!said.out.contains("artel deliver"), "{}", said.out);
    assert_eq!(house.board()["elapsed_ms"], elapsed, "a delivery makes no run longer");
    house.artel(&["resume"]).exits(0);
    assert_eq!(house.board()["elapsed_ms"], elapsed);
    // The goal's query finds the old name again: the run says so, and offers what has changed.
    house.artel(&["revert", "t1"]).exits(5).says("taken back out").says("artel deliver");
    assert_eq!(house.landed("src/a.py"), "print(old(1))");
    assert_eq!(house.git(&["show", "main:src/a.py"]), "print(new(1))");
    house.artel(&["revert", "t1"]).exits(10).says("reverted");
    house.artel(&["deliver"]).exits(0);
    assert_eq!(house.git(&["show", "main:src/a.py"]), "print(old(1))");
}

#[test]
fn gc_shows_and_clears_what_an_ended_run_left_but_not_what_did_not_land() {
    let house = house("exit 3\n", "");
    house.artel(&["run", "goal.md"]).exits(0);
    let landed = house.run();
    run(&house).exits(5);
    let refs = |run: &str| house.git(&["for-each-ref", "--format=%(refname)", &format!("refs/heads/artel/{run}")]);
    assert!(refs(&landed).contains("/t1"));
    let listed = house.artel(&["gc", "--dry-run", "--json"]).exits(0).json();
    assert!(listed.as_array().unwrap().iter().any(|row| row["path"].as_str().unwrap().ends_with("/t1")), "{listed}");
    assert!(refs(&landed).contains("/t1"), "showing clears nothing");
    house.artel(&["gc"]).exits(0).says("cleared away");
    assert_eq!(refs(&landed), format!("refs/heads/artel/{landed}/main"));
    assert_eq!(house.git(&["worktree", "list"]).lines().count(), 1);
    house.artel(&["gc"]).exits(0).says("nothing to clear away");
    house.artel(&["status", &landed]).exits(0).says("landed");
}

#[test]
fn what_is_asked_is_answered_in_json_where_a_program_asks() {
    let house = house(RENAMES, "approve: [plan]\n");
    run(&house).exits(6);
    let id = house.run();
    for words in [&["steer", "go on", "--json"][..], &["approve", "--json"], &["stop", "--json"]] {
        let answer = house.artel(words).exits(0).json();
        assert_eq!((&answer["run"], &answer["answer"]), (&id.as_str().into(), &"stored".into()), "{words:?}");
    }
    house.artel(&["retry", "t1", "--json"]).exits(10);
    house.artel(&["resume"]).exits(7);
    house.artel(&["resume"]).exits(0);
    let lines = house.artel(&["deliver", "--json"]).exits(0).out;
    assert!(lines.lines().next().unwrap().starts_with('{'), "{lines}");
    let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(last["answer"], "carried_out", "{lines}");
    let reverted = house.artel(&["revert", "t1", "--json"]).exits(5).out;
    assert!(reverted.lines().all(|line| !line.starts_with("note")), "{reverted}");
    assert_eq!(house.board()["counts"]["reverted"], 1);
}
