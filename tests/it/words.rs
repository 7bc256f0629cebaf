//! Tests goals in words: what is drafted for them, who is asked, and that what was agreed to is what runs.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use crate::common::{House, Said, said};
use crate::terminal::on_terminal_typing;

const WORDS: &str = "make a file `made.txt`: it says \"hello\" & nothing else";
const MAKES: &str = "worker.agents=[\"command:echo hello > made.txt\"]";

/// A house whose checks are one that holds, and one that will when the work is done.
fn house() -> House {
    House::with(&[("a.txt", "a"), ("artel.toml", "checks = [\"test -f a.txt\", \"grep -q hello made.txt\"]\n")])
}

fn drafts(house: &House) -> Vec<String> {
    let entries = std::fs::read_dir(house.home().join("drafts")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn runs(house: &House) -> usize {
    house.artel(&["list", "--json"]).json().as_array().unwrap().len()
}

fn asked(house: &House, typed: &str) -> (Option<i32>, String) {
    let mut command = house.command(&["run", WORDS, "--role", MAKES]);
    command.env("EDITOR", "sed -i 's/attempts: 8/attempts: 7/'");
    let shown = on_terminal_typing(command, 40, 120, typed);
    (shown.code, shown.text())
}

/// Looks for agents in a folder of the story alone, with these keys.
fn found(house: &House, agents: &[&str], keys: &[(&str, &str)]) -> Said {
    said(&finding(house, agents, keys).output().unwrap())
}

fn finding(house: &House, agents: &[&str], keys: &[(&str, &str)]) -> Command {
    let bin = house.root().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    for name in agents {
        std::fs::write(bin.join(name), "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(bin.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = house.command(&["run", WORDS, "--json"]);
    command.env("PATH", format!("{}:/usr/bin:/bin", bin.display())).envs(keys.iter().copied());
    command
}

#[test]
fn a_goal_in_words_is_drafted_run_and_done() {
    let house = house();
    let before = house.git(&["status", "--porcelain"]);
    let told = house.artel(&["run", WORDS, "--role", MAKES, "--yes"]).exits(0);
    told.says("plan: { planner: whole }").says("whole").says("no model that artel knows of");
    assert_eq!(house.landed("made.txt"), "hello");
    let opening = &house.told("RunOpened")[0];
    let done: Vec<&Value> = opening["goal"]["done"].as_array().unwrap().iter().map(|it| &it["check"]["run"]).collect();
    assert_eq!(done, ["test -f a.txt", "grep -q hello made.txt"]);
    let checks: Vec<&Value> = opening["goal"]["checks"].as_array().unwrap().iter().map(|it| &it["run"]).collect();
    assert_eq!(checks, ["test -f a.txt"], "what is red on the base is wanted, and holds up nothing on the way");
    assert_eq!(opening["goal"]["prose"].as_str().unwrap().trim(), WORDS);
    assert_eq!(house.handed_out().into_keys().collect::<Vec<_>>(), ["i1/goal"]);
    assert_eq!(house.git(&["status", "--porcelain"]), before, "the checkout stays as it was");
    let trees = std::fs::read_dir(house.home().join("trees")).unwrap().flatten().flat_map(|repo| {
        std::fs::read_dir(repo.path()).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap())
    });
    assert!(!trees.into_iter().any(|name| name == "r-rehearsal"), "the trial leaves nothing");
}

#[test]
fn where_nobody_can_be_asked_the_draft_is_shown_and_nothing_is_begun() {
    let house = house();
    let told = house.artel(&["run", WORDS, "--role", MAKES]).exits(6);
    let told = told.says("drafted").says("nobody is here to ask: --yes goes on, or artel run");
    assert_eq!((runs(&house), drafts(&house)), (0, vec!["make-a-file-made-txt-it-says-hello.md".to_owned()]));
    let line = told.out.lines().find_map(|line| line.split_once("or artel ")).unwrap().1.to_owned();
    let artel = env!("CARGO_BIN_EXE_artel");
    let again = house.command(&[]);
    let mut shell = std::process::Command::new("sh");
    shell.current_dir(house.repo()).env_clear();
    shell.envs(again.get_envs().filter_map(|(name, value)| Some((name, value?))));
    said(&shell.args(["-c", &format!("{artel} {line}")]).output().unwrap()).exits(0);
    assert_eq!(house.landed("made.txt"), "hello", "the line that was told does what would have been done");
}

#[test]
fn a_person_is_asked_once_and_silence_is_no_yes() {
    let house = house();
    for typed in ["n\n", "\n", "\u{4}"] {
        let (code, text) = asked(&house, typed);
        assert_eq!(code, Some(6), "{text}");
        assert!(text.contains("nothing was begun"), "{text}");
    }
    assert_eq!(runs(&house), 0);
    let (code, text) = asked(&house, "what?\ne\ny\n");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("`what?` is none of these") && text.contains("at most 7 attempts"), "{text}");
    let goal = house.told("RunOpened")[0]["goal"].clone();
    assert_eq!(goal["budget"]["attempts"], 7, "what was changed is what runs");
}

#[test]
fn who_is_there_and_has_a_key_plays_within_a_budget() {
    let house = house();
    let canary = "sk-ant-canary-000111222";
    let keys = [("ANTHROPIC_API_KEY", canary), ("OPENAI_API_KEY", canary)];
    let told = found(&house, &["claude", "codex"], &keys).exits(6);
    assert!(!told.out.contains(canary) && !told.err.contains(canary));
    let draft = told.json();
    let workers = draft["workers"].as_array().unwrap();
    let agents: Vec<&Value> = workers.iter().map(|it| &it["agent"]).collect();
    assert_eq!(agents, ["claude", "codex"]);
    assert_eq!(workers[0]["pays"]["key"], "anthropic");
    assert!(draft["text"].as_str().unwrap().contains("budget: { usd: 10,"), "{draft}");
    assert!(draft["next"].as_str().unwrap().contains("worker.agents=[\"claude\", \"codex\"]"), "{draft}");
    let text = draft["text"].as_str().unwrap();
    assert!(text.contains("plan: { planner: planner, run_judge: run-judge }"), "{text}");
    let roles: Vec<&Value> = draft["roles"].as_array().unwrap().iter().map(|it| &it["agents"]).collect();
    assert_eq!(roles, ["claude", "claude, then codex", "ladder, then codex", "codex"], "who judges the run is shown");
    let next = draft["next"].as_str().unwrap();
    assert!(
        next.contains("planner.agents=[\"claude\"]") && next.contains("judge.agents=[\"ladder\", \"codex\"]"),
        "{next}"
    );
    assert!(!std::fs::read_to_string(draft["draft"].as_str().unwrap()).unwrap().contains(canary));
}

#[test]
fn what_artel_toml_bounds_is_left_to_it_by_a_draft() {
    let config = "checks = [\"grep -q hello made.txt\"]\nbudget = { usd = 3, wall = \"30m\", task = { calls = 9 } }\n";
    let house = House::with(&[("a.txt", "a"), ("artel.toml", config)]);
    let draft = found(&house, &[], &[("OPENAI_API_KEY", "sk-x")]).exits(6).json();
    assert!(draft["text"].as_str().unwrap().contains("\nbudget: { attempts: 60 }\n"), "{draft}");
    let held = |budget: &Value| ["nano_usd", "wall_s", "attempts"].map(|name| budget[name].as_u64());
    assert_eq!(held(&draft["budget"]), [Some(3_000_000_000), Some(1800), Some(60)]);
    let told = house.artel(&["run", WORDS, "--role", MAKES, "--yes"]).exits(0);
    told.says("at most $3, 8 attempts, 30 min").says("usd, wall, task as artel.toml says");
    let budget = &house.told("RunOpened")[0]["goal"]["budget"];
    assert_eq!(held(budget), [Some(3_000_000_000), Some(1800), Some(8)], "what was shown is what holds");
}

#[test]
fn a_key_is_enough_where_nothing_is_installed() {
    let draft = found(&house(), &[], &[("OPENAI_API_KEY", "sk-x")]).exits(6).json();
    assert_eq!(draft["workers"][0]["agent"], "llm:gpt-5.6", "{draft}");
    assert_eq!(draft["workers"][0]["pays"]["key"], "openai");
}

#[test]
fn where_nobody_is_there_it_is_told_what_to_install_or_set() {
    let house = house();
    found(&house, &[], &[]).exits(4).says("no agent with a model is installed").says("npm install -g");
    let told = found(&house, &["claude"], &[]).exits(4);
    told.says("claude is installed, and there is no key of anthropic").says("ANTHROPIC_API_KEY");
    assert_eq!(drafts(&house).len() + runs(&house), 0);
}

#[test]
fn an_own_login_serves_in_the_sandbox_where_it_is_granted_and_else_the_grant_is_named() {
    let house = house();
    let folder = house.root().join("somebody/.claude");
    std::fs::create_dir_all(&folder).unwrap();
    let kept = serde_json::json!({"claudeAiOauth": {"accessToken": "sk-ant-oat01-000111222"}});
    std::fs::write(folder.join(".credentials.json"), kept.to_string()).unwrap();
    let home = house.root().join("somebody");
    let logged_in = |more: &[&str]| {
        let mut command = finding(&house, &["claude"], &[]);
        said(&command.env("HOME", &home).args(more).output().unwrap())
    };
    let told = logged_in(&["--role", "worker.grants.logins=claude"]).exits(4);
    let told = told.says("--role planner.grants.logins=claude --role judge.grants.logins=claude");
    assert!(!told.err.contains("--sandbox") && !told.err.contains("worker.grants"), "{}", told.err);
    let grants = ["worker", "planner", "judge"].map(|role| format!("{role}.grants.logins=[\"claude\"]"));
    let more: Vec<&str> = grants.iter().flat_map(|grant| ["--role", grant]).collect();
    let draft = logged_in(&more).exits(6).json();
    assert_eq!((&draft["workers"][0]["agent"], &draft["workers"][0]["pays"]), (&"claude".into(), &"granted".into()));
    let next = draft["next"].as_str().unwrap();
    assert!(
        next.contains("run-judge.grants.logins=[\"claude\"]"),
        "who judges the run judges by the same login: {next}"
    );
    assert!(!draft.to_string().contains("sk-ant-oat01"));
}

#[test]
fn what_is_neither_a_file_nor_words_is_refused() {
    let house = house();
    house.artel(&["run", "gaol.md"]).exits(3).says("there is no such file").says("a goal in words has several");
    let bare = House::with(&[("README", "nothing to check")]);
    let told = bare.artel(&["run", WORDS, "--role", MAKES]).exits(3);
    told.says("nothing here tells how it is checked").says("artel.toml");
}
