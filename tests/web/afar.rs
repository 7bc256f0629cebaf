//! Tells that verbs do with a server's runs what they do with runs of this machine.

use std::process::Command;

use crate::common::{House, Said, said};
use crate::crew::{open_gate, playing};
use crate::wire::{Server, gated};

/// Runs a verb as if on another machine: with a state directory of its own, and a token.
fn afar(house: &House, server: &Server<'_>, standing: &str, args: &[&str]) -> Said {
    let mut command: Command = house.command(args);
    command.current_dir("/").env("ARTEL_HOME", house.root().join("elsewhere"));
    command.env("ARTEL_SERVER", format!("http://{}", server.at)).env("ARTEL_TOKEN", server.token(standing));
    said(&command.output().unwrap())
}

#[test]
fn verbs_look_and_ask_over_the_wire_as_they_do_here() {
    let house = gated("approve: [plan]\n");
    house.artel(&playing(&["--open-only", "--name", "AFAR-1"])).exits(0);
    let server = Server::start(&house);
    house.until("it waits", || house.board()["stands"]["class"] == "waits" && house.board()["coordinated"] == false);
    for args in [
        &["status"][..],
        &["status", "AFAR-1", "--timeline"],
        &["show", "t1"],
        &["cost"],
        &["log", "--json"],
        &["list"],
        &["list", "--inbox"],
    ] {
        let (there, here) = (afar(&house, &server, "viewer", args).exits(0).out, house.artel(args).exits(0).out);
        assert_eq!(there, here, "{args:?}");
    }
    afar(&house, &server, "viewer", &["approve"]).exits(10).says("approver");
    afar(&house, &server, "approver", &["approve"]).exits(0).says("the plan is approved");
    afar(&house, &server, "approver", &["approve"]).exits(10);
    house.until("both attempts run", || house.board()["counts"]["running"] == 2);
    open_gate(&house, "t1");
    open_gate(&house, "t2");
    afar(&house, &server, "viewer", &["attach", "--from", "1"]).exits(0).says("landed");
    let diff = afar(&house, &server, "viewer", &["diff", "t1"]).exits(0).out;
    assert_eq!(diff, house.artel(&["diff", "t1"]).exits(0).out);
    afar(&house, &server, "operator", &["deliver"]).exits(0).says("delivered into main");
    afar(&house, &server, "viewer", &["status", "none"]).exits(11);
    afar(&house, &server, "operator", &["verify"]).exits(2).says("on the machine itself");
    assert!(!house.root().join("elsewhere").exists());
}

#[test]
fn a_run_is_opened_and_followed_on_another_machine() {
    let house = gated("");
    open_gate(&house, "t1");
    open_gate(&house, "t2");
    let server = Server::start(&house);
    let mut args = playing(&[]);
    afar(&house, &server, "operator", &args).exits(2).says("from the root on");
    let goal = house.repo().join("goal.md");
    args[1] = goal.to_str().unwrap();
    afar(&house, &server, "approver", &args).exits(10);
    afar(&house, &server, "operator", &args).exits(0).says("landed");
    assert_eq!(house.board()["counts"]["landed"], 2);
    let run = afar(&house, &server, "operator", &[&args[..], &["--detach"]].concat()).exits(0).out;
    house.until("the second is done", || house.artel(&["list", "--json"]).json()[0]["ended"] == true);
    assert_eq!(house.run(), run.trim());
}

#[test]
fn a_server_that_is_not_there_or_knows_nobody_is_told_as_such() {
    let house = gated("");
    let server = Server::start(&house);
    let ask = |server: &str, token: &str| {
        said(&house.command(&["list", "--server", server]).env("ARTEL_TOKEN", token).output().unwrap())
    };
    ask(&format!("http://{}", server.at), "artel-serve-0").exits(10).says("tokens.toml");
    ask(&format!("http://{}", server.at), "").exits(2).says("ARTEL_TOKEN");
    ask("ftp://x", "t").exits(2).says("http://");
    let at = server.at.clone();
    server.kill();
    ask(&format!("http://{at}"), "t").exits(4).says("artel serve");
}
