//! Tells what the verbs that only read promise: JSON for programs, text for people, nothing raw, nothing changed.

use std::process::Command;

use crate::common::{House, RENAME, rename_goal, said};

/// What a hostile agent says: it would set the terminal's title, colour it and turn text round.
const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{1b}[5;9H\u{202e}gnirts";

/// A run that has ended with `a` landed and `b` kept, played by an agent that says hostile things.
fn ended() -> House {
    let part = format!(
        "steps:\n  - say: {said}\n  - match:\n      path: \"src/b.py\"\n      then: [{{fail: {said}}}]\n      or: [{{replace: {{find: old, with: new}}}}, {{handoff: {{done: {said}, concerns: [{said}]}}}}]\n",
        said = serde_json::to_string(HOSTILE).unwrap()
    );
    let goal =
        rename_goal("checks: [\"test -d src\"]\nplan: { rules: [rename.yml], files_per_task: 1, iterations: 1 }\n");
    let house = House::with(&[
        ("rename.yml", RENAME),
        ("goal.md", &goal),
        ("part.yml", &part),
        ("src/a.py", "print(old(1))\n"),
        ("src/b.py", "print(old(2))\n"),
        ("src/\u{1b}[31mc.py", "print(old(3))\n"),
    ]);
    let roles = ["--role", "worker.agents=script:part.yml", "--role", "worker.limits.attempts=1"];
    house.artel(&[&["run", "goal.md", "--name", "TICKET-1"], &roles[..]].concat()).exits(5);
    house
}

/// Every reading verb on that run, by the name that a person has given it; a task of it is added as `{a}` or `{b}`.
const READING: [&[&str]; 21] = [
    &["status", "TICKET-1"],
    &["status", "--timeline"],
    &["status", "--color", "never"],
    &["list"],
    &["list", "--inbox"],
    &["list", "--inbox", "--all"],
    &["show", "TICKET-1/{a}"],
    &["show", "{b}"],
    &["log"],
    &["log", "TICKET-1", "--brief"],
    &["log", "--from", "9"],
    &["log", "--follow"],
    &["diff", "{a}"],
    &["cost"],
    &["watch"],
    &["plan", "goal.md"],
    &["gc", "--dry-run"],
    &["doctor"],
    &["roles"],
    &["roles", "--role", "worker.limits.attempts=7"],
    &["init"],
];

/// Fills in the tasks of `src/a.py` and `src/b.py`, whatever their numbers are.
fn filled(house: &House, words: &[&str]) -> Vec<String> {
    let board = house.board();
    let task = |rows: &serde_json::Value, file: &str| {
        let row = rows.as_array().unwrap().iter().find(|row| row["title"].as_str().unwrap().contains(file)).unwrap();
        row["task"].as_str().unwrap().to_owned()
    };
    let (a, b) = (task(&board["landed"], "src/a.py"), task(&board["left"], "src/b.py"));
    words.iter().map(|word| word.replace("{a}", &a).replace("{b}", &b)).collect()
}

/// Tells which characters of a text act on a terminal, but for line ends.
fn active(text: &str) -> String {
    let acts = |c: &char| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c) || *c == '\u{200b}';
    text.chars().filter(acts).collect()
}

#[test]
fn every_reading_verb_writes_json_that_parses_and_text_that_cannot_act_on_a_terminal() {
    let house = ended();
    for words in READING {
        let mut words = filled(&house, words);
        let args: Vec<&str> = words.iter().map(String::as_str).collect();
        let text = house.artel(&args);
        let code = if args[0] == "watch" { 5 } else { 0 };
        let text = text.exits(code);
        assert!(!text.out.is_empty(), "{args:?} says nothing");
        if args[0] == "diff" {
            // A patch in a pipe is for programs: byte for byte.
            assert!(text.out.contains("+print(new(1))"), "{}", text.out);
        } else {
            assert_eq!(active(&text.out), "", "{args:?}: {:?}", text.out);
        }
        assert_eq!(active(&text.err), "", "{args:?}");
        words.push("--json".to_owned());
        let args: Vec<&str> = words.iter().map(String::as_str).collect();
        let json = house.artel(&args).exits(code);
        if ["log", "watch"].contains(&args[0]) {
            assert!(!json.json_lines().is_empty(), "{args:?}");
        } else {
            json.json();
        }
        assert_eq!(active(&json.out), "", "{args:?}");
    }
    // It was there to be shown: the kept task's reason holds the agent's words, made harmless.
    house.artel(&["status"]).says("exited with 1: {U+202E}gnirts").says("src/\\u{1b}[31mc.py");
}

#[test]
fn colour_is_for_terminals_unless_it_is_asked_for() {
    let house = ended();
    for (args, env, coloured) in [
        (&["status"][..], "", false),
        (&["status", "--color", "always"], "", true),
        (&["status", "--color", "always"], "NO_COLOR", true),
        (&["status", "--color", "auto"], "NO_COLOR", false),
        (&["status", "--color", "never"], "CLICOLOR_FORCE", false),
    ] {
        let mut command = house.command(args);
        if !env.is_empty() {
            command.env(env, "1");
        }
        let said = said(&command.output().unwrap()).exits(0);
        assert_eq!(said.out.contains('\u{1b}'), coloured, "{args:?} {env}");
        assert!(!said.out.contains("\u{1b}]"), "{args:?}: what an agent says is never raw");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let house = ended();
    let artel = env!("CARGO_BIN_EXE_artel");
    for words in ["log", "log --json", "status", "schema", "list --inbox --all", "diff {a}", "completions bash"] {
        let verb = &filled(&house, &[words])[0];
        let mut shell = Command::new("bash");
        let like = house.command(&[]);
        shell.env_clear().envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let line = format!("'{artel}' {verb} | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}");
        let said = said(&shell.current_dir(house.repo()).args(["-c", &line]).output().unwrap());
        assert_eq!((said.out.as_str(), said.err.as_str()), ("0\n", ""), "{verb}");
    }
}

#[test]
fn a_run_is_found_by_its_name_its_id_and_a_unique_beginning_and_candidates_are_listed() {
    let house = ended();
    let first = house.run();
    house.artel(&["run", "goal.md", "--open-only", "--name", "TICKET-2"]).exits(0);
    let second = house.run();
    let common = first.chars().zip(second.chars()).take_while(|(a, b)| a == b).count();
    for (text, run) in [
        ("TICKET-1", &first),
        ("TICKET-2", &second),
        (first.as_str(), &first),
        (&first[..=common], &first),
        (&second[..=common], &second),
    ] {
        assert_eq!(house.artel(&["status", text, "--json"]).json()["run"], run.as_str(), "{text}");
    }
    assert_eq!(house.board()["run"], second.as_str(), "the newest is meant where none is named");
    house.artel(&["status", &first[..common]]).exits(11).says(&first).says(&second);
    house.artel(&["status", "r-zzzzz"]).exits(11).says("artel list");
    house.artel(&["show", "TICKET-1/t99"]).exits(11).says("no such task");
    house.artel(&["diff", "TICKET-2/t1"]).exits(11);
}

#[test]
fn reading_changes_neither_the_journal_nor_the_repository() {
    let house = ended();
    let look =
        |house: &House| (house.events().len(), house.git(&["for-each-ref"]), house.git(&["status", "--porcelain"]));
    let before = look(&house);
    for words in READING.iter().filter(|words| words[0] != "init") {
        let words = filled(&house, words);
        house.artel(&words.iter().map(String::as_str).collect::<Vec<_>>());
    }
    assert_eq!(look(&house), before);
}

#[test]
fn the_log_tells_each_event_once_and_in_order_and_its_brief_form_leaves_out() {
    let house = ended();
    let events = house.events();
    let numbers: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert_eq!(events[0]["kind"], "RunOpened");
    assert_eq!(house.artel(&["log", "--from", "9", "--json"]).json_lines(), events[8..]);
    let lines = |args: &[&str]| house.artel(args).exits(0).out.lines().count();
    assert_eq!(lines(&["log"]), events.len() + 1, "one line for the day, and one for each event");
    assert!(lines(&["log", "--brief"]) < lines(&["log"]));
}

#[test]
fn what_is_asked_for_wrongly_is_told_with_its_own_exit_code() {
    let house = ended();
    house.artel(&["statsu"]).exits(2).says("similar").says("status");
    house.artel(&["status", "--jsn"]).exits(2).says("--json");
    house.artel(&["show", "x"]).exits(2).says("names no task");
    house.artel(&["run", "goal.md", "--workers", "0"]).exits(2);
    house.artel(&["schema", "gaol"]).exits(2).says("goal");
    house.artel(&["run", "absent.md"]).exits(3).says("absent.md");
    house.artel(&["run", "goal.md", "--role", "wroker.agents=codemod"]).exits(3).says("worker");
    house.artel(&["run", "goal.md", "--base", "absent"]).exits(4).says("absent");
    house.artel(&["approve"]).exits(10).says("nothing waits");
    house.artel(&["retry", "t99"]).exits(11);
    let mut elsewhere = house.command(&["status"]);
    said(&elsewhere.current_dir(house.root()).output().unwrap()).exits(4);
    let mut elsewhere = house.command(&["doctor"]);
    said(&elsewhere.current_dir(house.root()).output().unwrap()).exits(4).says("unfit");
    let nowhere = House::with(&[("a", "a")]);
    nowhere.artel(&["status"]).exits(11).says("artel run");
    nowhere.artel(&["list"]).exits(11).says("artel run");
}

#[test]
fn completions_and_schemas_are_for_programs() {
    let house = House::with(&[("a", "a")]);
    for shell in ["bash", "zsh", "fish"] {
        house.artel(&["completions", shell]).exits(0).says("deliver");
    }
    for name in house.artel(&["schema", "--names"]).exits(0).out.lines() {
        let schema = house.artel(&["schema", name]).exits(0).json();
        assert!(schema["properties"].is_object() || schema["oneOf"].is_array(), "{name}");
    }
}
