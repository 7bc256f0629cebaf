//! Tells what a person sees of a run on a terminal and what becomes of the keys that they press there: the real binary on a
//! real pseudo-terminal, its screen kept by a terminal emulator.

use std::fs;
use std::process::Command;

use regex::Regex;

use crate::common::House;
use crate::crew::{all_end, crew, landed_tasks, of_kind, open_gate, playing, signal, waits};
use crate::terminal::Terminal;
use crate::wire::Server;

const THREE: [(&str, &str, &str); 3] = [("a", "src/a.txt", ""), ("b", "src/b.txt", ""), ("c", "src/c.txt", "")];

/// A house in which three tasks say something and wait, each for a gate of its own.
fn three(front: &str) -> House {
    let house = House::with(&[("src/a.txt", "old\n"), ("src/b.txt", "old\n"), ("src/c.txt", "old\n")]);
    let steps = format!("  - say: \"{{task}} looks round\"\n{}  - write: {{text: new}}\n", waits(&house, "{task}"));
    crew(&house, &THREE, &steps, front);
    house
}

fn open_all(house: &House) {
    ["t1", "t2", "t3"].iter().for_each(|task| open_gate(house, task));
}

fn live(house: &House, more: &[&str], rows: u16, columns: u16) -> Terminal {
    Terminal::start(&house.command(&playing(more)), rows, columns)
}

/// Puts the same in the place of what differs from run to run.
fn settled(screen: &str) -> String {
    let mut text = screen.to_owned();
    for (pattern, with) in [
        (r"\br-[0-9a-z]{4,}\b", "r-RUN"),
        (r"\b[0-9a-f]{10}\b", "COMMIT"),
        (r"\b(\d+ h \d\d min|\d+ min \d\d s|\d+\.\d s|\d+ ms)\b", "TIME"),
        (r"─{3,}", "───"),
        (r" {2,}", "  "),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, with).into_owned();
    }
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

#[test]
fn a_run_is_seen_at_two_sizes_and_after_a_resize() {
    let house = three("checks: [\"true\"]\nbudget: { attempts: 9, usd: 20 }\n");
    let terminal = live(&house, &["--workers", "2", "--name", "LOOK"], 24, 80);
    let both = |screen: &str| screen.contains("t1 looks round") && screen.contains("t2 looks round");
    let small = terminal.until("both say something", |screen| both(screen) && screen.contains("at work"));
    insta::assert_snapshot!("at_work_80x24", settled(&small));
    terminal.resize(60, 200);
    let large = terminal.until("it fills the screen", |screen| {
        both(screen) && screen.lines().nth(59).is_some_and(|line| line.contains("q quit"))
    });
    insta::assert_snapshot!("at_work_200x60", settled(&large));
    terminal.resize(10, 40);
    terminal.until("it fits the screen", |screen| screen.lines().nth(9).is_some_and(|line| line.contains("choose")));
    open_all(&house);
    let shown = terminal.end();
    assert_eq!(shown.code, Some(0), "{}", shown.text());
    assert_eq!(landed_tasks(&house.events()).len(), 3);
}

#[test]
fn a_gate_is_approved_by_a_key_and_the_run_goes_on() {
    let house = three("approve: [plan]\n");
    open_all(&house);
    let mut terminal = live(&house, &[], 24, 80);
    let screen = terminal.until_shown("waits for your word");
    insta::assert_snapshot!("at_a_gate_80x24", settled(&screen));
    house.until("nobody works on it", || house.board()["coordinated"] == false);
    terminal.types("a");
    let shown = terminal.end();
    assert_eq!(shown.code, Some(0), "{}", shown.text());
    assert_eq!(landed_tasks(&house.events()).len(), 3);
}

#[test]
fn a_word_that_is_overdue_has_its_effect_while_somebody_looks_on() {
    let house = three("approve: { plan: required, timeout: 1s, then: approve }\n");
    open_all(&house);
    let terminal = live(&house, &[], 24, 80);
    let shown = terminal.end();
    assert_eq!(shown.code, Some(0), "{}", shown.text());
    assert_eq!(of_kind(&house.events(), "WordOverdue").len(), 1);
    assert_eq!(landed_tasks(&house.events()).len(), 3);
}

#[test]
fn a_gate_is_refused_with_the_reason_that_was_typed() {
    let house = three("approve: [plan]\n");
    let mut terminal = live(&house, &[], 24, 80);
    terminal.until_shown("waits for your word");
    terminal.types("d");
    terminal.until_shown("why is the plan refused");
    terminal.types("not todaz\u{7f}y\r");
    assert_eq!(terminal.end().code, Some(5));
    assert_eq!(of_kind(&house.events(), "GateRefused")[0]["reason"], "not today");
}

#[test]
fn a_word_from_another_terminal_is_heard_and_leaving_leaves_the_run_waiting() {
    let house = three("approve: [plan]\n");
    let mut terminal = live(&house, &[], 24, 80);
    terminal.until_shown("waits for your word");
    house.artel(&["steer", "be kind"]).exits(0);
    house.until("it was carried out", || !of_kind(&house.events(), "Steered").is_empty());
    terminal.until_shown("waits for your word");
    terminal.types("q");
    assert_eq!(terminal.end().code, Some(6));
    assert_eq!(house.board()["gate"], "plan");
}

#[test]
fn attempts_are_steered_a_kept_task_is_tried_again_and_the_run_stopped_by_keys() {
    let house = three("");
    let steps = format!(
        "  - match:\n      path: src/a.txt\n      then:\n        - fail_if: {{path: src/a.txt, contains: old}}\n{}",
        waits(&house, "{task}")
    );
    house.write("work.yml", &format!("steps:\n{steps}  - write: {{text: new}}\n"));
    house.commit("a fails");
    let mut terminal = live(&house, &["--workers", "2"], 24, 80);
    terminal.until("t1 is kept and the others run", |screen| {
        screen.contains("kept") && screen.contains("t2.1") && screen.contains("t3.1")
    });
    terminal.types("s");
    terminal.until_shown("tell all attempts");
    terminal.types("be kind\r");
    terminal.until_shown("done: steer");
    assert_eq!(of_kind(&house.events(), "Steered")[0]["message"], "be kind");
    terminal.types("a");
    terminal.until_shown("choose a gate, what waits");
    terminal.types("\u{1b}[B");
    terminal.until_shown("▸ t1");
    terminal.types("r");
    terminal.until_shown("done: have t1");
    assert_eq!(of_kind(&house.events(), "TaskRetried").len(), 1);
    terminal.types("xn");
    terminal.types("x");
    terminal.until_shown("stop the run");
    terminal.types("y");
    terminal.until_shown("finished, nothing new is begun");
    open_all(&house);
    let shown = terminal.end();
    assert_eq!(shown.code, Some(7), "{}", shown.text());
    all_end(&house);
}

#[test]
fn quitting_asks_and_then_finishes_what_runs_and_the_terminal_is_given_back() {
    let house = three("");
    let mut terminal = live(&house, &["--workers", "1"], 24, 80);
    terminal.until_shown("t1 looks round");
    assert!(terminal.is_taken() && terminal.is_raw());
    terminal.types("q");
    terminal.until_shown("this process works on the run");
    terminal.types("n");
    terminal.until("it stays", |screen| !screen.contains("this process works on the run"));
    terminal.types("?");
    terminal.until_shown("any key closes this");
    terminal.types("q");
    terminal.until("the help is gone", |screen| !screen.contains("any key closes this"));
    terminal.types("qy");
    terminal.until_shown("stopping: what runs is finished first");
    // It is shown when it is heard, and stored after that.
    house.until("the stop is stored", || !of_kind(&house.events(), "Draining").is_empty());
    assert_eq!(of_kind(&house.events(), "Draining").len(), 1);
    open_all(&house);
    terminal.until("the board stays", |screen| screen.contains("artel resume") && !screen.contains("q quit"));
    assert!(!terminal.is_taken() && !terminal.is_raw());
    assert_eq!(terminal.end().code, Some(7));
    assert_eq!(landed_tasks(&house.events()), ["t1"]);
}

#[test]
fn ctrl_c_pressed_twice_ends_at_once_and_the_terminal_is_given_back() {
    let house = three("");
    let mut terminal = live(&house, &["--workers", "1"], 24, 80);
    terminal.until_shown("t1 looks round");
    terminal.types("\u{3}");
    terminal.until_shown("Ctrl-C once more ends it at once");
    terminal.types("\u{3}");
    terminal.until_shown("ended at once");
    assert!(!terminal.is_taken() && !terminal.is_raw());
    assert_eq!(terminal.end().code, Some(7));
    all_end(&house);
}

#[test]
fn a_signal_to_end_gives_the_terminal_back() {
    let house = three("");
    let terminal = live(&house, &["--workers", "1"], 24, 80);
    terminal.until_shown("t1 looks round");
    signal(terminal.id(), "TERM");
    terminal.until_shown("stopping: what runs is finished first");
    open_all(&house);
    terminal.until("the board stays", |screen| screen.contains("artel resume") && !screen.contains("q quit"));
    assert!(!terminal.is_taken() && !terminal.is_raw());
    assert_eq!(terminal.end().code, Some(7));
}

#[test]
fn a_run_that_is_suspended_gives_the_terminal_back_and_takes_it_again() {
    let house = three("");
    let mut terminal = live(&house, &["--workers", "1"], 24, 80);
    terminal.until_shown("t1 looks round");
    let state = |id: u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        stat.rsplit_once(") ").unwrap().1.chars().next()
    };
    terminal.types("\u{1a}");
    house.until("it is stopped", || state(terminal.id()) == Some('T'));
    assert!(!terminal.is_raw());
    terminal.until("the first screen is shown", |screen| !screen.contains("q quit"));
    signal(terminal.id(), "CONT");
    terminal.until_shown("q quit");
    assert!(terminal.is_taken() && terminal.is_raw());
    open_all(&house);
    assert_eq!(terminal.end().code, Some(0));
}

#[test]
fn who_watches_asks_by_keys_and_leaves_the_run_alone() {
    let house = three("");
    let mut run = house.start(&playing(&["--workers", "3"]));
    house.until("it is opened", || house.artel(&["status"]).code == Some(0));
    house.until("three run", || house.board()["counts"]["running"] == 3);
    let mut terminal = Terminal::start(&house.command(&["watch"]), 24, 80);
    terminal.until_shown("t3 looks round");
    terminal.types("\u{1b}[B\u{1b}[Bs");
    terminal.until_shown("tell t2");
    terminal.types("mind the gap\r");
    terminal.until_shown("done: steer");
    let steered = &of_kind(&house.events(), "Steered")[0];
    assert_eq!((steered["task"].as_str(), steered["message"].as_str()), (Some("t2"), Some("mind the gap")));
    terminal.types("q");
    assert_eq!(terminal.end().code, Some(0));
    assert_eq!(house.board()["coordinated"], true, "the run was left alone");
    let mut terminal = Terminal::start(&house.command(&["watch"]), 24, 80);
    terminal.until_shown("t3 looks round");
    terminal.types("\u{3}");
    assert_eq!(terminal.end().code, Some(0));
    assert_eq!(house.board()["coordinated"], true, "the run was left alone");
    open_all(&house);
    assert_eq!(run.wait().unwrap().code(), Some(0));
}

/// Prepares a verb as if on another machine: with a state directory of its own, and a token of this standing.
fn afar(house: &House, server: &Server<'_>, standing: &str, args: &[&str]) -> Command {
    let mut command = house.command(args);
    command
        .current_dir("/")
        .env("ARTEL_HOME", house.root().join("elsewhere"))
        .env("ARTEL_TOKEN", server.token(standing));
    command.args(["--server", &format!("http://{}", server.at)]);
    command
}

#[test]
fn a_candidate_of_a_servers_run_is_approved_by_a_key_and_watched_to_its_end() {
    let house = House::with(&[("src/a.txt", "old\n")]);
    let steps = format!("  - say: \"{{task}} looks round\"\n{}  - write: {{text: new}}\n", waits(&house, "{task}"));
    crew(&house, &THREE[..1], &steps, "approve: [landing]\n");
    house.artel(&playing(&["--open-only"])).exits(0);
    let server = Server::start(&house);
    house.until("it runs", || house.board()["counts"]["running"] == 1);
    let mut terminal = Terminal::start(&afar(&house, &server, "approver", &["watch"]), 24, 80);
    // What the attempt prints stands in no journal: the server tells it.
    terminal.until_shown("t1 looks round");
    open_gate(&house, "t1");
    terminal.until_shown("waits for your word on 1 candidate");
    house.until("nobody works on it", || house.board()["coordinated"] == false);
    terminal.types("a");
    let shown = terminal.end();
    assert_eq!(shown.code, Some(0), "{}", shown.text());
    let screens = shown.screens(24, 80);
    assert!(screens.iter().any(|screen| screen.contains("asked the server to")), "{}", screens.join("\n"));
    assert_eq!(landed_tasks(&house.events()), ["t1"]);
    assert_eq!(of_kind(&house.events(), "CandidateApproved").len(), 1);
}

#[test]
fn who_attaches_to_a_servers_run_that_waits_sees_it_and_says_what_their_standing_lets_them() {
    let house = three("approve: [plan]\n");
    open_all(&house);
    house.artel(&playing(&["--open-only"])).exits(0);
    let server = Server::start(&house);
    let waits = || house.board()["stands"]["class"] == "waits" && house.board()["coordinated"] == false;
    house.until("it waits and nobody works on it", waits);
    let mut viewing = Terminal::start(&afar(&house, &server, "viewer", &["attach"]), 24, 80);
    viewing.until_shown("waits for your word");
    viewing.types("a");
    viewing.until_shown("error: failed to");
    assert!(waits(), "a viewer's word counts for nothing");
    let mut terminal = Terminal::start(&afar(&house, &server, "approver", &["attach"]), 24, 80);
    terminal.until_shown("waits for your word");
    terminal.types("a");
    for seen in [terminal, viewing] {
        let shown = seen.end();
        assert_eq!(shown.code, Some(0), "{}", shown.text());
        assert!(shown.text().contains("3 of 3"), "{}", shown.text());
    }
    assert_eq!(landed_tasks(&house.events()).len(), 3);
    assert_eq!(of_kind(&house.events(), "GatePassed").len(), 1);
}

#[test]
fn who_attaches_to_a_run_that_nobody_works_on_stays_and_is_shown_what_comes_of_it() {
    let house = three("approve: [plan]\n");
    open_all(&house);
    house.artel(&playing(&[])).exits(6);
    let mut terminal = Terminal::start(&house.command(&["attach"]), 24, 80);
    terminal.until_shown("waits for your word");
    terminal.types("a");
    terminal.until_shown("`artel resume` carries it out");
    house.artel(&["resume"]).exits(0);
    let shown = terminal.end();
    assert_eq!(shown.code, Some(0), "{}", shown.text());
    assert_eq!(landed_tasks(&house.events()).len(), 3);
}

#[test]
fn who_wants_lines_gets_lines_on_a_terminal_too() {
    let house = three("");
    open_all(&house);
    let shown = live(&house, &["--plain"], 24, 80).end();
    assert_eq!(shown.code, Some(0));
    let raw = shown.raw();
    assert!(!raw.contains("\u{1b}[?") && !raw.contains("\u{1b}[2J") && !raw.contains("\u{1b}[A"), "{raw:?}");
    assert!(shown.text().contains("landed") && shown.text().contains("3 of 3"));
}

#[test]
fn without_colour_nothing_is_coloured() {
    let house = three("");
    let mut command = house.command(&playing(&["--workers", "1"]));
    command.env("NO_COLOR", "1");
    let terminal = Terminal::start(&command, 24, 80);
    terminal.until_shown("t1 looks round");
    open_all(&house);
    let raw = terminal.end().raw();
    let colour = Regex::new("\u{1b}\\[(3[0-8]|4[0-8]|9[0-7])").unwrap();
    assert!(!colour.is_match(&raw), "{:?}", colour.find(&raw));
}
