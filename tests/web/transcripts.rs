//! Tells that what agents of models stream is told to people as text, with the way to each byte of it beside that.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::access::log_in;
use crate::common::House;
use crate::crew::{crew, open_gate};
use crate::wire::Server;

/// What a session of Claude Code wrote; its first four lines come before the gate is opened.
const SESSION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/transcripts/claude/success.jsonl");

/// Puts a program where `PATH` finds it first; gives that `PATH`.
fn stand_in(house: &House, name: &str, text: &str) -> String {
    let folder = house.root().join("programs");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}

#[test]
fn what_an_agent_streams_is_told_to_people_as_it_comes_and_can_be_had_byte_for_byte() {
    let house = House::with(&[("src/a.txt", "old\n")]);
    house.in_the_open();
    crew(&house, &[("a", "src/a.txt", "")], "  - say: nothing\n", "");
    let gate = house.root().join("gate-t1");
    let path = stand_in(
        &house,
        "claude",
        &format!(
            "cat > /dev/null\nhead -n 4 {SESSION}\nuntil test -e {}; do sleep 0.02; done\necho new > src/a.txt\ntail -n +5 {SESSION}",
            gate.display()
        ),
    );
    let args = ["run", "goal.md", "--open-only", "--role", "shard.agents=script:plan.yml"];
    let worker = ["--role", "worker.mechanical=false", "--role", "worker.agents=claude"];
    let mut opening = house.command(&[&args[..], &worker].concat());
    crate::common::said(&opening.env("PATH", &path).output().unwrap()).exits(0);
    let run = house.run();
    let server = Server::started(&house, &[], &[("PATH", &path)]);
    let cookie = log_in(&server, &house);
    let log = format!("/api/v1/runs/{run}/attempts/t1.1/log");
    let mut next = String::new();
    let mut told = String::new();
    house.until("it has said something", || {
        let answer = server.get("viewer", &format!("{log}?from=0"));
        next = answer.header("artel-next").unwrap_or_default().to_owned();
        told = answer.body;
        told.contains('→')
    });
    let began = "· begins claude-opus-5-5\nI will write the file.\n▸ Write /w/repo/hello.txt\n  → File created";
    assert!(told.starts_with(began), "{told}");
    assert_eq!(
        house.board()["running"][0]["last_line"].as_str().unwrap().split(" at:").next(),
        Some("  → File created successfully")
    );
    for page in [format!("/runs/{run}"), format!("/runs/{run}/tasks/t1")] {
        let page = server.send("GET", &page, &cookie, "").is(200).says("→ File created successfully");
        assert!(!page.body.contains("session_id"), "{}", page.body);
    }
    let page = server.send("GET", &format!("/runs/{run}/tasks/t1"), &cookie, "").is(200);
    let whole = format!("href=\"/api/v1/runs/{run}/transcripts/t1.1\"");
    page.says("▸ Write /w/repo/hello.txt").says(&format!("data-next=\"{next}\"")).says(&whole);
    open_gate(&house, "t1");
    house.until("it is done", || house.board()["stands"]["class"] == "done");
    let more = server.get("viewer", &format!("{log}?from={next}")).is(200).body;
    assert_eq!(more, "FINAL: wrote hello.txt\n■ done, 8500 tokens, $0.02\n");
    assert_eq!(server.get("viewer", &log).is(200).body, told + &more);
    // A browser that is logged in is given it as a file, of which it shows and does nothing.
    let kept = server.send("GET", &format!("/api/v1/runs/{run}/transcripts/t1.1"), &cookie, "").is(200);
    assert_eq!(kept.body, fs::read_to_string(SESSION).unwrap());
    assert_eq!(kept.header("content-disposition"), Some("attachment; filename=\"t1.1.log\""));
    assert_eq!(kept.header("x-content-type-options"), Some("nosniff"));
}

/// Says an answer as agents write it.
fn answers(json: &str) -> String {
    format!("cat <<'EOF'\n```artel\n{json}\n```\nEOF\n")
}

#[test]
fn all_that_each_session_wrote_is_to_be_had_from_the_pages() {
    let task = |key: &str, path: &str| format!(r#"{{"key":"{key}","title":"{key}","brief":"Do.","paths":["{path}"]}}"#);
    let tasks = answers(&format!(r#"{{"tasks":[{},{}]}}"#, task("one", "b.txt"), task("two", "c.txt")));
    let planner = format!("case $ARTEL_SEAT in */1) {tasks};; *) {};; esac\n", answers("{}"));
    let score = |name: &str| format!(r#"{{"criterion":"{name}","score":9,"evidence":"b.txt"}}"#);
    let scores = ["brief", "restraint", "soundness"].map(score).join(",");
    let judge = answers(&format!(r#"{{"scores":[{scores}],"findings":[],"ruling":"accept"}}"#));
    let goal = "---\nname: a goal\ndone: [\"true\"]\n---\nDo what is written.\n";
    let house = House::with(&[("goal.md", goal), ("plan.sh", &planner)]);
    house.in_the_open();
    fs::write(house.root().join("judge.sh"), judge).unwrap();
    let worker = "worker.agents=[\"command:echo tries $ARTEL_TASK; test $ARTEL_TASK = t1 && echo done > b.txt\"]";
    let judge = format!("judge.agents=[\"ladder\",\"command:sh {}/judge.sh\"]", house.root().display());
    let roles = [
        "shard.agents=[\"command:sh plan.sh\"]",
        worker,
        &judge,
        "worker.mechanical=false",
        "worker.limits.attempts=5",
    ];
    let roles = roles.iter().flat_map(|role| ["--role", role]);
    house.artel(&["run", "goal.md"].into_iter().chain(roles).collect::<Vec<_>>()).exits(5);
    let (run, server) = (house.run(), Server::start(&house));
    let cookie = log_in(&server, &house);
    let attempts: Vec<String> = (1..=5).map(|number| format!("t2.{number}")).collect();
    assert_eq!(house.told("AttemptLeased").len(), 6);
    let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for (page, names) in [
        ("/tasks/t1", of(&["t1.1", "judge-t1.1-1"])),
        ("/tasks/t2", attempts),
        ("", of(&["planner-s0-1", "judge-t1.1-1"])),
    ] {
        let page = server.send("GET", &format!("/runs/{run}{page}"), &cookie, "").is(200);
        for name in names {
            let path = format!("/api/v1/runs/{run}/transcripts/{name}");
            assert!(page.body.contains(&format!("href=\"{path}\"")), "{name} in\n{}", page.body);
            assert!(!server.send("GET", &path, &cookie, "").is(200).body.is_empty(), "{name}");
        }
    }
}
