//! Tells that verbs do with a server's machine and its runs what they do with those of this machine.

use std::process::Command;

use serde_json::{Value, json};

use crate::common::{House, Said, said};
use crate::crew::{crew, open_gate, playing};
use crate::wire::{Server, gated, stranger};

/// Runs a verb as if on another machine: with a state directory of its own, and a token.
fn afar(house: &House, server: &Server<'_>, standing: &str, args: &[&str]) -> Said {
    let mut command: Command = house.command(args);
    command.current_dir("/").env("ARTEL_HOME", house.root().join("elsewhere"));
    command.env("ARTEL_SERVER", format!("http://{}", server.at)).env("ARTEL_TOKEN", server.token(standing));
    behind_a_proxy(&mut command);
    said(&command.output().unwrap())
}

/// Names a proxy that is not there: whoever told it a token, or anything else, would fail.
fn behind_a_proxy(command: &mut Command) {
    command.env("HTTP_PROXY", "http://127.0.0.1:1").env("ALL_PROXY", "http://127.0.0.1:1");
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
    assert!(!house.root().join("elsewhere").exists());
}

#[test]
fn a_planner_s_question_is_answered_from_another_machine() {
    let block = |json: &str| format!("cat <<'EOF'\n```artel\n{json}\n```\nEOF\n");
    let (asks, plans) = (block(r#"{"ask": "Which colour?"}"#), block("{}"));
    let plan = format!("if grep -q 'the answer: Blue' $ARTEL_BRIEF; then {plans}else {asks}fi\n");
    let goal = "---\nname: a story\ndone: [\"true\"]\n---\nDo.\n";
    let house = House::with(&[("goal.md", goal), ("plan.sh", &plan)]);
    house.artel(&["run", "goal.md", "--role", "shard.agents=[\"command:sh plan.sh\"]", "--open-only"]).exits(0);
    let server = Server::start(&house);
    house.until("it waits", || house.board()["stands"]["class"] == "waits" && house.board()["coordinated"] == false);
    let shown = afar(&house, &server, "viewer", &["inbox"]).exits(0).out;
    assert_eq!(shown, house.artel(&["inbox"]).exits(0).out);
    afar(&house, &server, "viewer", &["answer", "s0", "Blue"]).exits(10).says("approver");
    afar(&house, &server, "approver", &["answer", "run", "Blue"]).exits(10).says("the run's judge asks nothing");
    afar(&house, &server, "approver", &["answer", "s0", "Blue"])
        .exits(0)
        .says("the planner of s0 is told, and goes on");
    house.until("it is done", || house.board()["stands"]["class"] == "done");
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

/// Asserts that a verb tells there what it tells here, and that its exit code is the same.
#[track_caller]
fn same(house: &House, server: &Server<'_>, standing: &str, args: &[&str]) -> Said {
    let (there, here) = (afar(house, server, standing, args), house.artel(args));
    assert_eq!((there.code, &there.out, &there.err), (here.code, &here.out, &here.err), "{args:?}");
    there
}

/// A house whose run is done: its sessions have written something, and what it needs no longer lies about.
fn done() -> House {
    let house = House::with(&[("src/a.txt", "old\n"), ("src/b.txt", "old\n")]);
    house.in_the_open();
    let steps = "  - run: \"echo as told\"\n  - write: {text: \"new\\n\"}\n";
    crew(&house, &[("a", "src/a.txt", ""), ("b", "src/b.txt", "")], steps, "");
    house.artel(&playing(&["--name", "DONE-1"])).exits(0);
    house
}

#[test]
fn what_a_run_proves_and_what_its_sessions_were_told_and_wrote_is_read_from_afar() {
    let house = done();
    let server = Server::start(&house);
    for (args, code) in [
        (&["verify"][..], 0),
        (&["verify", "DONE-1", "--json"], 0),
        (&["verify", "--anchor", "refs/heads/none"], 14),
        (&["show", "t1", "--transcript"], 0),
        (&["show", "t1", "--transcript=t2.1"], 0),
        (&["show", "t1", "--transcript=t9.9"], 11),
        (&["show", "t1", "--transcript=../journal"], 11),
        (&["roles", "show", "worker", "--task", "t1"], 0),
        (&["roles", "show", "worker", "--task", "DONE-1/t2", "--json"], 0),
        (&["roles", "show", "shard", "--task", "t1"], 11),
        (&["inbox", "--all"], 0),
        (&["inbox", "--json"], 0),
        (&["inbox", "DONE-1", "--json"], 0),
        (&["prices", "--json"], 0),
        (&["prices", "claude"], 0),
        (&["schema"], 0),
        (&["schema", "goal"], 0),
        (&["schema", "--names"], 0),
    ] {
        assert_eq!(same(&house, &server, "viewer", args).code, Some(code), "{args:?}");
    }
    afar(&house, &server, "viewer", &["inbox", "none"]).exits(11);
    let log = std::fs::read_dir(house.home().join("runs").join(house.run()).join("logs")).unwrap();
    let of_t1 = |name: &str| name.starts_with("t1.1.log");
    let file = log.flatten().map(|entry| entry.path()).find(|path| of_t1(path.file_name().unwrap().to_str().unwrap()));
    let file = file.unwrap();
    std::fs::write(&file, "another story\n").unwrap();
    same(&house, &server, "viewer", &["show", "t1", "--transcript"]).exits(14).says("wrong:");
    same(&house, &server, "viewer", &["verify"]).exits(14);
}

#[test]
fn who_reads_transcripts_slowly_holds_up_nobody_but_further_readers_of_transcripts() {
    let house = done();
    let log = house.home().join("runs").join(house.run()).join("logs/t1.1.log");
    std::fs::write(log, vec![b'x'; 16 << 20]).unwrap();
    let server = Server::started(&house, &[], &[("ARTEL_TEST_READ_PATIENCE_MS", "600000")]);
    let path = format!("/api/v1/runs/{}/transcripts/t1.1", house.run());
    let mut slow: Vec<_> = (0..32).map(|_| server.hang("viewer", &path)).collect();
    assert!(slow.iter().all(|(status, _)| *status == 200));
    server.get("viewer", &path).is(429).says("32 transcripts");
    server.get("viewer", "/api/v1/runs").is(200);
    afar(&house, &server, "viewer", &["verify"]).exits(14);
    slow.pop();
    house.until("one more is let in", || server.hang("viewer", &path).0 == 200);
}

#[test]
fn the_machine_of_a_server_is_looked_at_by_its_operators_alone() {
    let house = done();
    house.write("faulty.md", "---\nnmae: x\n---\n");
    let server = Server::start(&house);
    let (repo, goal) = (house.repo(), house.repo().join("goal.md"));
    let (repo, goal) = (repo.to_str().unwrap(), goal.to_str().unwrap());
    let plan: Vec<&str> = ["plan", goal].iter().chain(&playing(&[])[2..]).copied().collect();
    let (faulty, none) = (format!("{repo}/faulty.md"), format!("{repo}/none.md"));
    for (args, code) in [
        (plan.clone(), 0),
        ([&plan[..], &["--json"]].concat(), 0),
        ([&plan[..], &["--dot"]].concat(), 0),
        (vec!["roles", "--repo", repo], 0),
        (
            vec![
                "roles",
                "--repo",
                repo,
                "--json",
                "--role",
                "worker.limits.attempts=7",
                "--role",
                "worker.about=a b&c",
            ],
            0,
        ),
        (vec!["roles", "--agents"], 0),
        (vec!["roles", "--agents", "--json"], 0),
        (vec!["doctor", "--repair"], 0),
        (vec!["doctor", "--repair", "--json"], 0),
        (vec!["gc", "--dry-run", "--repo", repo], 0),
    ] {
        for standing in ["viewer", "approver"] {
            afar(&house, &server, standing, &args).exits(10).says("an operator");
        }
        assert_eq!(same(&house, &server, "operator", &args).code, Some(code), "{args:?}");
    }
    // How much of a disk is free is another number each time.
    let facts = |said: Said| -> Vec<Value> {
        let all = said.json().as_array().unwrap().clone();
        all.into_iter().filter(|fact| fact["name"] != "disk").collect()
    };
    let args = ["doctor", "--repo", repo, "--json"];
    let (there, here) = (afar(&house, &server, "operator", &args), house.artel(&args));
    assert_eq!((there.code, facts(there)), (here.code, facts(here)));
    let alone = facts(afar(&house, &server, "operator", &["doctor", "--json"]));
    assert!(alone.iter().all(|fact| fact["name"] != "repository") && alone.len() > 3, "{alone:?}");
    afar(&house, &server, "viewer", &["doctor"]).exits(10).says("an operator");

    let operator = |args: &[&str]| afar(&house, &server, "operator", args);
    let told = |said: Said| (said.code, said.err.replace(&format!("{repo}/"), ""));
    for args in [
        &["plan", &faulty][..],
        &["plan", &none],
        &["roles", "--repo", repo, "--role", "worker.limits.wal_s=60"],
        &["roles", "--repo", "/"],
        &["plan", goal, "--base", "none"],
    ] {
        assert_eq!(told(operator(args)), told(house.artel(args)), "{args:?}");
    }
    operator(&["plan", &faulty]).exits(3).says("faulty.md:2:1: ").says("nmae");
    operator(&["roles", "--repo", "/"]).exits(4);
    operator(&["plan", &none]).exits(3).says("none.md");
    operator(&["plan", "goal.md"]).exits(2).says("from the root on");
    operator(&["roles", "--repo", "here"]).exits(2).says("from the root on");
    operator(&["roles", "--role", "worker.agents=5:5"]).exits(3);
    operator(&["gc"]).exits(2).says("--repo");
    operator(&["doctor", "--repair", "--repo", repo]).exits(2).says("cannot be used with");
    assert_eq!(house.artel(&["list", "--json"]).json().as_array().unwrap().len(), 1, "a plan opens no run");
}

#[test]
fn what_is_no_longer_needed_is_cleared_away_once_and_channels_are_tried_once() {
    let house = done();
    let server = Server::start(&house);
    let repo = house.repo();
    let repo = repo.to_str().unwrap();
    let found = house.artel(&["gc", "--dry-run", "--json"]).exits(0).json();
    assert!(found.as_array().unwrap().len() > 1, "{found}");
    let key = "Idempotency-Key: once\r\n";
    let gone = server.post("operator", "/api/v1/gc", key, &json!({"repo": repo})).is(200).json();
    assert_eq!(gone, found);
    assert_eq!(house.artel(&["gc", "--dry-run", "--json"]).exits(0).json(), json!([]));
    assert_eq!(server.post("operator", "/api/v1/gc", key, &json!({"repo": repo})).is(200).json(), found);
    server.post("operator", "/api/v1/gc", key, &json!({"repo": "/"})).is(422).says("Idempotency-Key");
    server.post("operator", "/api/v1/gc", "", &json!({"repo": "repo"})).is(422).says("from the root on");
    server.get("operator", "/api/v1/gc?repo=repo").is(422).says("from the root on");
    afar(&house, &server, "operator", &["gc", "--repo", repo]).exits(0).says("nothing to clear away");
    afar(&house, &server, "approver", &["gc", "--repo", repo]).exits(10).says("an operator");

    same(&house, &server, "operator", &["notify"]).exits(11).says("names none");
    same(&house, &server, "operator", &["notify", "other"]).exits(11).says("the channel `other`");
    let tried = house.root().join("tried");
    let line = format!("[channels.note]\ncommand = [\"sh\", \"-c\", \"echo tried >> {}\"]\n", tried.display());
    std::fs::write(house.home().join("notify.toml"), line).unwrap();
    afar(&house, &server, "approver", &["notify"]).exits(10).says("an operator");
    for _ in 0..2 {
        let told = server.post("operator", "/api/v1/notices", "Idempotency-Key: n\r\n", &json!({"channel": "note"}));
        assert_eq!(told.is(200).json(), json!([{"channel": "note", "fault": null}]));
    }
    assert_eq!(std::fs::read_to_string(&tried).unwrap(), "tried\n");
    same(&house, &server, "operator", &["notify", "--json"]).exits(0);
}

#[test]
fn a_run_that_is_opened_only_waits_to_be_resumed_from_afar() {
    let house = gated("");
    let server = Server::start(&house);
    let mut args = playing(&["--open-only"]);
    let goal = house.repo().join("goal.md");
    args[1] = goal.to_str().unwrap();
    let run = afar(&house, &server, "operator", &args).exits(0).out;
    let run = run.trim();
    // Whoever worked on it would wait at its gates.
    assert_eq!(house.board()["coordinated"], false);
    open_gate(&house, "t1");
    open_gate(&house, "t2");
    afar(&house, &server, "approver", &["resume", run]).exits(10).says("an operator");
    afar(&house, &server, "operator", &["resume", run]).exits(0).says("landed");
    assert_eq!(house.board()["counts"]["landed"], 2);
    let landed = house.told("BatchLanded").len();
    let taken = server.post("operator", &format!("/api/v1/runs/{run}/host"), "", &json!({})).is(200).json();
    assert_eq!(taken["run"], run);
    house.until("nobody works on what has ended", || house.board()["coordinated"] == false);
    assert_eq!(house.told("BatchLanded").len(), landed);
    server.post("operator", "/api/v1/runs/none/host", "", &json!({})).is(404);
}

#[test]
fn a_run_that_cannot_be_hosted_says_why() {
    let house = gated("");
    let server = Server::start(&house);
    house.artel(&playing(&["--open-only"])).exits(0);
    let (run, moved) = (house.run(), house.root().join("moved"));
    std::fs::rename(house.repo(), &moved).unwrap();
    let path = format!("/api/v1/runs/{run}/host");
    let told = server.post("operator", &path, "", &json!({})).is(500).says("work on run").says("artel doctor").json();
    assert!(told["error"]["why"].as_str().unwrap().contains(house.repo().to_str().unwrap()), "{told}");
    std::fs::rename(&moved, house.repo()).unwrap();
    server.post("operator", &path, "", &json!({})).is(200);
}

#[test]
fn a_run_that_cannot_be_hosted_ends_a_verb_as_it_does_there() {
    let house = gated("");
    house.write("artel.toml", "sandbox = \"landlock\"\n");
    house.commit("apart");
    house.artel(&playing(&["--open-only"])).exits(0);
    // Stories whose gates are opened run without a sandbox.
    let run = house.run();
    house.artel(&["resume", &run]).exits(13);
    let server = Server::start(&house);
    afar(&house, &server, "operator", &["resume", &run]).exits(13).says("work on run").says("artel doctor");
}

#[test]
fn a_run_that_cannot_be_read_stands_in_the_inbox_here_and_from_afar() {
    let house = done();
    let run = house.run();
    house.artel(&playing(&["--name", "DONE-2"])).exits(0);
    let raw = rusqlite::Connection::open(house.home().join("artel.db")).unwrap();
    raw.execute("DROP TRIGGER events_are_never_changed", []).unwrap();
    raw.execute("UPDATE events SET at_ms = at_ms + 1 WHERE seq = 5 AND run = ?1", [&run]).unwrap();
    let server = Server::start(&house);
    for args in [&["inbox"][..], &["inbox", "--json"], &["inbox", "--all", "--json"], &["list", "--inbox", "--all"]] {
        same(&house, &server, "viewer", args).exits(0).says(&run).says("cannot be read").says("artel doctor --repair");
    }
    let whole = house.artel(&["inbox", "--all", "--json"]).exits(0).json();
    assert_eq!(whole.as_array().unwrap().iter().filter(|item| item["run"] != *run).count(), 3, "the other's: {whole}");
    server.get("viewer", "/inbox").is(200).says("cannot be read").says("needs input (1)");
}

#[test]
fn a_link_is_made_from_afar_where_nobody_else_reads_it_and_what_means_no_machine_says_so() {
    let house = gated("");
    let server = Server::start(&house);
    let link = afar(&house, &server, "operator", &["serve", "--link", "viewer"]).exits(0).out;
    let path = link.trim().strip_prefix(&format!("http://{}", server.at)).unwrap();
    server.send("GET", path, "", "").is(200);
    let mut command = house.command(&["serve", "--link", "viewer"]);
    behind_a_proxy(&mut command);
    said(&command.output().unwrap()).exits(0).says(&format!("http://{}/login", server.at));
    afar(&house, &server, "approver", &["serve", "--link"]).exits(10).says("an operator");
    let open = ["--server", "http://artel.invalid", "serve", "--link"];
    afar(&house, &server, "operator", &open).exits(2).says("nothing is encrypted");
    for (args, why) in [
        (&["serve"][..], "where it is typed"),
        (&["init"], "where it is typed"),
        (&["demo", "--sample"], "where it is typed"),
        (&["run", "/goal.md", "--sandbox", "none"], "artel serve --sandbox"),
        (&["resume", "--sandbox", "none"], "artel serve --sandbox"),
        (&["run", "add a flag"], "where its repository is"),
    ] {
        afar(&house, &server, "operator", args).exits(2).says(why);
    }
    afar(&house, &server, "operator", &["completions", "bash"]).exits(0).says("_artel");
    afar(&house, &server, "operator", &["--server", "http://x", "completions", "bash"])
        .exits(2)
        .says("of this program");
    assert!(!house.root().join("elsewhere").exists());
}

#[test]
fn nothing_that_a_server_tells_steers_the_terminal() {
    let house = gated("");
    let url = stranger(&[
        ("/schemas", r#"{"\u001b[2Jgoal": {}}"#),
        ("/links", r#"{"path": "/login?code=a\u001b]0;x\u0007"}"#),
        ("/runs/r-1", r#"{"run": "r-1"}"#),
        (
            "/verify",
            r#"{"run": "r-1", "events": 1, "unlinked": 0, "checkpoints": 0, "checkpointed_to": 0, "anchors": 0,
                "anchor": "\u001b[2J", "anchored_to": 0, "key": "\u001b[2J", "landed": 0, "transcripts": 0,
                "transcripts_are_cleared": false, "flaws": [{"from": 1, "to": 1, "what": "\u001b[2J"}],
                "unsealed": {"from": null, "to": null, "what": "\u001b[2J"}}"#,
        ),
        ("/doctor", r#"[{"name": "\u001b[2J", "fit": "unfit", "found": "\u001b[2J", "advice": "\u001b[2J"}]"#),
    ]);
    for (args, code) in [
        (&["schema", "--names"][..], 0),
        (&["schema"], 0),
        (&["schema", "none"], 2),
        (&["serve", "--link"], 4),
        (&["verify", "r-1"], 14),
        (&["doctor"], 4),
    ] {
        let mut command = house.command(&[&["--server", &url], args].concat());
        let said = said(&command.env("ARTEL_TOKEN", "t").output().unwrap());
        assert_eq!(said.code, Some(code), "{args:?}: {}{}", said.out, said.err);
        assert!(
            !format!("{}{}", said.out, said.err).contains(['\u{1b}', '\u{7}']),
            "{args:?}: {}{}",
            said.out,
            said.err
        );
    }
}
