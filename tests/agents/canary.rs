//! Tells what an agent finds that looks for keys: in its environment, in the processes beside it, in all files that it can
//! see, and at the gateway. Nothing but its own token.

use std::collections::BTreeSet;
use std::fs;

use crate::clis::Cli;
use crate::model::{Gate, Model, Script, Seen, Turn};
use crate::stage::{crew, run};
use crate::workers::{FILES, KEY, agent, artel, command, counted, found_below};

const TWO: &str = "[{key: task-a, brief: \"This is task-a: write the file.\", paths: [b.txt]}, \
                    {key: task-b, brief: \"This is task-b: write the file.\", paths: [c.txt]}]";

/// Asks the gate by hand: a header, a path.
const ASK: &str = "ask() { exec 3<>\"/dev/tcp/${ARTEL_GATE%:*}/${ARTEL_GATE##*:}\"; printf 'POST %s HTTP/1.1\\r\\nhost: \
                   x\\r\\n%s\\r\\nconnection: close\\r\\ncontent-length: 2\\r\\n\\r\\n{}' \"$2\" \"$1\" >&3; head -1 <&3; exec 3>&-; }; ";

/// Has what looks like a key or a token shown, and nothing else: a program shows its model the beginning of what is long.
const SIFT: &str = "grep -aoE '(sk-real-[0-9a-f]+|artel-[0-9a-f]{64})' | sort -u";

/// Does what an agent might that looks for keys, one thing a turn.
fn looks(home: &str) -> Vec<String> {
    let token = "${ANTHROPIC_API_KEY:-$OPENAI_API_KEY}";
    let wrong = "artel-0000000000000000000000000000000000000000000000000000000000000000";
    vec![
        format!("env; env | {SIFT}"),
        format!("cat /proc/*/environ /proc/*/cmdline | tr '\\0' '\\n' | {SIFT}; ls -d /proc/[0-9]*"),
        format!(
            "find / -path /proc -prune -o -path /sys -prune -o -path /usr -prune -o -mmin -10 -type f -size -4M -print 2>/dev/null | xargs -d '\\n' cat 2>/dev/null | {SIFT}"
        ),
        format!("cat {home}/* {home}/*/* {home}/*/*/* 2>/dev/null | {SIFT}; ls -laR ~ {home} | head -50"),
        format!(
            "{ASK} ask 'x-api-key: {wrong}' /anthropic/v1/messages; ask \"x-api-key: {token}\" /anthropic/v1/files; \
                 ask \"x-api-key: {token}\" /anthropic/../admin; ask \"x-api-key: {token}\" /nobody/v1/messages; echo asked by hand"
        ),
        format!("echo \"my token is {token}.\""),
    ]
}

/// Has a task looked around for, then done.
fn script(key: &str, looks: &[String], gate: &Gate, path: &str) -> Script {
    let mut turns: Vec<Turn> = looks.iter().map(|look| Turn::runs(look)).collect();
    // Both look while the other one lives.
    turns[0] = turns[0].clone().behind(gate);
    turns.push(Turn::writes(&format!("{{cwd}}/{path}"), "after\n"));
    turns.push(Turn::says("It is written."));
    Script::of(key, turns)
}

/// Gives the tokens that came in the bodies of requests.
fn tokens<'a>(seen: impl Iterator<Item = &'a Seen>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for it in seen {
        let body = String::from_utf8_lossy(&it.request.body).into_owned();
        for (at, _) in body.match_indices("artel-") {
            let token: String = body[at..].chars().take(70).collect();
            let is_token = token.len() == 70 && token[6..].bytes().all(|byte| byte.is_ascii_hexdigit());
            if is_token && token[6..].bytes().any(|byte| byte != b'0') {
                found.insert(token);
            }
        }
    }
    found
}

#[track_caller]
fn finds_nothing(cli: Cli) {
    let Some((agent, folder)) = agent(cli) else { return };
    let house = crew("", TWO, &FILES);
    let looks = looks(&house.home().to_string_lossy());
    let gate = Gate::default();
    let model =
        Model::plays_for(KEY, [script("task-a", &looks, &gate, "b.txt"), script("task-b", &looks, &gate, "c.txt")]);
    let role = format!("worker.agents=[{agent:?}]");
    let args = run(&role, &["--sandbox", "bubblewrap", "--workers", "2"]);
    let mut command = command(&house, &model, &folder, &args);
    let said = std::thread::scope(|scope| {
        let run = scope.spawn(|| command.output().unwrap());
        gate.is_reached_by(2);
        gate.open();
        crate::common::said(&run.join().unwrap())
    });
    said.exits(0);
    let asked = model.asked();
    let of = |key: &'static str| asked.iter().filter(move |seen| seen.holds(&format!("This is {key}:")));
    let (one, other) = (tokens(of("task-a")), tokens(of("task-b")));
    assert_eq!((one.len(), other.len()), (1, 1), "each knows its own token alone: {one:?} {other:?}");
    assert_ne!(one, other);
    for seen in &asked {
        let body = String::from_utf8_lossy(&seen.request.body);
        assert!(!body.contains(KEY), "an agent has the key: {body}");
    }
    let last = String::from_utf8_lossy(&of("task-a").next_back().unwrap().request.body).into_owned();
    for word in ["asked by hand", "HTTP/1.1 401", "HTTP/1.1 404"] {
        assert!(last.contains(word), "no `{word}` in {last}");
    }
    assert!(!last.contains("HTTP/1.1 200"), "{last}");
    model.was_asked_only_by(KEY);
    assert_eq!(counted(&house), model.told());
    assert_eq!(found_below(house.root(), KEY), Vec::<String>::new(), "the key lies nowhere");
}

#[test]
fn claude_code_that_looks_for_keys_finds_its_own_token_alone() {
    finds_nothing(Cli::Claude);
}

#[test]
fn codex_that_looks_for_keys_finds_its_own_token_alone() {
    finds_nothing(Cli::Codex);
}

#[test]
fn a_token_is_good_at_the_gate_of_its_own_session_alone() {
    let Some((agent, folder)) = agent(Cli::Claude) else { return };
    let house = crew("", TWO, &FILES);
    let kept = house.root().join("the-other-token");
    let (wrote, asks) = (Gate::default(), Gate::default());
    let keeps = format!("printf %s \"$ANTHROPIC_API_KEY\" > {}", kept.display());
    // Both are at work at one time, and in no sandbox: nothing but the token keeps them apart.
    let one = [
        Turn::runs(&keeps).behind(&wrote),
        Turn::writes("{cwd}/b.txt", "after\n").behind(&asks),
        Turn::says("It is written."),
    ];
    let own = format!("{ASK} ask \"x-api-key: $ANTHROPIC_API_KEY\" /anthropic/v1/messages; echo by own");
    let others = format!("{ASK} ask \"x-api-key: $(cat {})\" /anthropic/v1/messages; echo by another", kept.display());
    let other = [
        Turn::runs(&others).behind(&asks),
        Turn::runs(&own),
        Turn::writes("{cwd}/c.txt", "after\n"),
        Turn::says("It is written."),
    ];
    let model = Model::plays_for(KEY, [Script::of("task-a", one), Script::of("task-b", other)]);
    let role = format!("worker.agents=[{agent:?}]");
    let args = run(&role, &["--sandbox", "none", "--workers", "2"]);
    let mut command = command(&house, &model, &folder, &args);
    let said = std::thread::scope(|scope| {
        let run = scope.spawn(|| command.output().unwrap());
        wrote.is_reached_by(1);
        wrote.open();
        asks.is_reached_by(2);
        assert!(fs::read_to_string(&kept).unwrap().starts_with("artel-"));
        asks.open();
        crate::common::said(&run.join().unwrap())
    });
    said.exits(0);
    let asked = model.asked();
    let last = asked.iter().rfind(|seen| seen.holds("This is task-b:")).unwrap();
    let body = String::from_utf8_lossy(&last.request.body);
    let answers: Vec<&str> =
        body.match_indices("HTTP/1.1 ").map(|(at, found)| &body[at + found.len()..][..3]).collect();
    // Of the own token nothing is wrong, only of what is asked by it.
    assert_eq!(answers, ["401", "400"], "{body}");
    model.was_asked_only_by(KEY);
    assert_eq!(counted(&house), model.told());
    let _ = artel(&house, &model, &folder, &["cost"]).exits(0);
}
