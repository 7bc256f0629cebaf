//! Tells that runs belong to the server and not to a terminal, and that a server which dies is as if it had not.

use std::path::Path;
use std::process::Stdio;

use crate::common::House;
use crate::crew::{all_end, holds_the_laws, landed_tasks, open_gate, playing, signal};
use crate::wire::{Left, Server, address, gated, token};

/// Hands a run to a server that is started for it.
fn detach(house: &House, more: &[&str]) -> Left {
    let args = playing(&[&["--detach"], more].concat());
    let output = house.command(&args).env("ARTEL_LISTEN", "127.0.0.1:0").output().unwrap();
    crate::common::said(&output).exits(0).says("works on it");
    Left::of(house)
}

fn done(house: &House) -> bool {
    house.board()["stands"]["class"] == "done"
}

#[test]
fn a_run_that_was_handed_over_needs_no_terminal() {
    let house = gated("");
    let server = detach(&house, &[]);
    assert_eq!(house.board()["coordinated"], true);
    // A second run goes to the same server.
    let again = detach(&house, &["--name", "second"]);
    assert_eq!(server.0, again.0);
    let mut attached = house.command(&["attach", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    signal(attached.id(), "HUP");
    attached.wait().unwrap();
    assert_eq!(house.board()["coordinated"], true, "a closed terminal stops nothing");
    open_gate(&house, "t1");
    open_gate(&house, "t2");
    house.until("both runs are done", || {
        house.artel(&["list", "--json"]).json().as_array().unwrap().iter().all(|run| run["ended"] == true)
    });
    let told = house.artel(&["attach", "second", "--json", "--from", "3"]).exits(0).json_lines();
    assert_eq!((&told[0]["seq"], &told[told.len() - 2]["kind"]), (&3.into(), &"RunEnded".into()), "{told:?}");
    holds_the_laws(&house);
}

#[test]
fn a_server_that_is_killed_goes_on_with_every_open_run_when_it_comes_back() {
    let house = gated("");
    house.artel(&playing(&["--open-only"])).exits(0);
    let server = Server::start(&house);
    house.until("both attempts run", || house.board()["counts"]["running"] == 2);
    open_gate(&house, "t1");
    house.until("the first has landed", || house.board()["counts"]["landed"] == 1);
    server.kill();
    all_end(&house);
    assert_eq!(house.board()["coordinated"], false);
    let server = Server::start(&house);
    house.until("the second runs again", || house.board()["counts"]["running"] == 1);
    open_gate(&house, "t2");
    house.until("it is done", || done(&house));
    assert_eq!(landed_tasks(&house.events()), ["t1", "t2"]);
    holds_the_laws(&house);
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn one_state_has_one_server_and_what_is_asked_on_the_command_line_is_done_by_it() {
    let house = gated("approve: [plan]\n");
    house.artel(&playing(&["--open-only"])).exits(0);
    let _server = Server::start(&house);
    house.artel(&["serve", "--listen", "127.0.0.1:0"]).exits(12).says("--link");
    house.until("it waits for a word and nobody works on it", || {
        let board = house.board();
        board["stands"]["class"] == "waits" && board["coordinated"] == false
    });
    house.artel(&["approve"]).exits(0).says("the plan is approved");
    house.until("both attempts run", || house.board()["counts"]["running"] == 2);
    open_gate(&house, "t1");
    open_gate(&house, "t2");
    house.until("it is done", || done(&house));
    let before = house.git(&["rev-parse", "main"]);
    house.artel(&["deliver"]).exits(0).says("delivered into main");
    assert_ne!(house.git(&["rev-parse", "main"]), before);
}

#[test]
fn a_stopped_run_is_left_alone_and_one_that_is_resumed_is_hosted() {
    let house = gated("");
    house.artel(&playing(&["--open-only"])).exits(0);
    let server = Server::start(&house);
    house.until("both attempts run", || house.board()["counts"]["running"] == 2);
    house.artel(&["stop", "--now"]).exits(0);
    house.until("it rests", || house.board()["stands"]["class"] == "stopped" && house.board()["coordinated"] == false);
    let last = house.events().len();
    server.kill();
    let server = Server::start(&house);
    assert_eq!(house.events().len(), last, "a run that a person stopped is not woken");
    open_gate(&house, "t1");
    open_gate(&house, "t2");
    house.artel(&["resume"]).exits(0);
    assert!(done(&house));
    let woken = house.events().into_iter().filter(|event| event["kind"] == "CoordinatorWoke").count();
    assert!(woken >= 2, "{woken}");
    drop(server);
    assert!(!token(&house, "viewer").is_empty() && !address(&house, None).is_empty());
}

#[test]
fn a_server_that_is_told_to_end_while_attempts_run_leaves_nothing_running_and_the_next_one_goes_on() {
    let house = gated("");
    house.artel(&playing(&["--open-only"])).exits(0);
    let server = Server::start(&house);
    house.until("both attempts run", || house.board()["counts"]["running"] == 2);
    let mut stream = server.stream(&house.run(), 0);
    stream.until("AttemptLeased");
    assert_eq!(server.terminate(), Some(0), "it ends orderly, though somebody follows it");
    all_end(&house);
    let board = house.board();
    assert_eq!(
        (&board["coordinated"], &board["stands"]["class"]),
        (&false.into(), &"live".into()),
        "nothing is stopped"
    );
    let log = std::fs::read_to_string(house.root().join("started.log")).unwrap();
    assert!(log.contains("ended with 1 runs at work"), "{log}");
    let server = Server::start(&house);
    open_gate(&house, "t1");
    open_gate(&house, "t2");
    house.until("it is done", || done(&house));
    let events = house.events();
    assert_eq!(landed_tasks(&events).len(), 2);
    assert!(events.iter().any(|event| event["kind"] == "AttemptLost"), "what ran was lost and tried again");
    holds_the_laws(&house);
    assert_eq!(server.terminate(), Some(0));
}

#[test]
#[expect(clippy::print_stderr, reason = "whoever runs the tests must know what was not tested")]
fn the_unit_is_one_that_systemd_takes_and_the_image_has_the_compiler_that_is_needed() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let image = std::fs::read_to_string(docs.join("Containerfile")).unwrap();
    let version = format!("library/rust:{}-", env!("CARGO_PKG_RUST_VERSION"));
    let froms: Vec<&str> = image.lines().filter(|line| line.starts_with("FROM ")).collect();
    assert!(froms.len() == 2 && froms.iter().all(|from| from.contains(&version)), "{froms:?}");
    let house = House::with(&[]);
    let program = house.root().join(".cargo/bin/artel");
    std::fs::create_dir_all(program.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_artel"), program).unwrap();
    let mut command = std::process::Command::new("systemd-analyze");
    command.args(["--user", "verify"]).arg(docs.join("artel.service"));
    command.env("HOME", house.root()).env("XDG_RUNTIME_DIR", house.root());
    let Ok(looked) = command.output() else {
        assert!(std::env::var_os("CI").is_none(), "there is no systemd-analyze: .ci/test installs it");
        eprintln!("skipped: there is no systemd-analyze here");
        return;
    };
    assert_eq!(crate::common::said(&looked).exits(0).err, "");
}
