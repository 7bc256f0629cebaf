//! Tells how the real programs do tasks for artel: in the sandbox, asking a model through the gateway alone, counted to
//! the token.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::clis::Cli;
use crate::common::{House, Said, said, unpacked};
use crate::model::{Gate, Model, Script, Turn, Usage};
use crate::stage::{crew, run, told};

pub const KEY: &str = "sk-real-0123456789abcdef";
pub const TASK: &str = "[{key: task-a, brief: \"This is task-a: write the file.\", paths: [b.txt]}]";
pub const FILES: [(&str, &str); 1] = [("a.txt", "before\n")];

/// Gives the agent by which a role names a program, and whether it is here.
pub fn agent(cli: Cli) -> Option<(&'static str, std::path::PathBuf)> {
    let folder = cli.program()?.parent()?.to_owned();
    Some((
        match cli {
            Cli::Claude => "claude:claude-sonnet-4-5",
            Cli::Codex => "codex:gpt-5-codex",
            Cli::Goose => {
                "acp:env GOOSE_PROVIDER=anthropic GOOSE_MODEL=claude-sonnet-4-5 GOOSE_DISABLE_KEYRING=1 goose acp"
            }
        },
        folder,
    ))
}

/// Makes the command of artel that finds a program and has a key to a model.
pub fn command(house: &House, model: &Model, folder: &Path, args: &[&str]) -> Command {
    let mut command = house.command(args);
    command.env("PATH", format!("{}:{}", folder.display(), std::env::var("PATH").unwrap()));
    for (name, base) in [("ANTHROPIC", model.url()), ("OPENAI", format!("{}/v1", model.url()))] {
        command.env(format!("{name}_BASE_URL"), base).env(format!("{name}_API_KEY"), KEY);
    }
    command
}

pub fn artel(house: &House, model: &Model, folder: &Path, args: &[&str]) -> Said {
    said(&command(house, model, folder, args).output().unwrap())
}

pub fn writing() -> Model {
    let used = Usage { input: 1234, cache_read: 300, cache_write: 20, output: 77, reasoning: 5 };
    let turns = [Turn::writes("{cwd}/b.txt", "after\n").using(used), Turn::says("It is written.")];
    Model::plays_for(KEY, [Script::of("task-a", turns)])
}

/// Sums what the journal says of calls.
pub fn counted(house: &House) -> Usage {
    let of = |call: &Value, name: &str| call["call"]["tokens"][name].as_u64().unwrap();
    let each = |call: &Value| Usage {
        input: of(call, "input"),
        cache_read: of(call, "cache_read"),
        cache_write: of(call, "cache_write"),
        output: of(call, "output"),
        reasoning: of(call, "reasoning"),
    };
    told(house, "CallMade").iter().map(each).sum()
}

/// Looks for a text in all files below a folder.
pub fn found_below(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(found_below(&path, text));
        } else if unpacked(&path).windows(text.len()).any(|window| window == text.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[track_caller]
fn does_a_task(cli: Cli) {
    let Some((agent, folder)) = agent(cli) else { return };
    let model = writing();
    let house = crew("", TASK, &FILES);
    let role = format!("worker.agents=[{agent:?}]");
    artel(&house, &model, &folder, &run(&role, &["--sandbox", "bubblewrap"])).exits(0);
    assert_eq!(house.landed("b.txt"), "after");
    let told: Usage = model.told();
    assert_eq!(counted(&house), told, "what was counted is what the model told");
    model.was_asked_only_by(KEY);
    assert_eq!(found_below(house.root(), KEY), Vec::<String>::new(), "the key lies nowhere");
    let cost = artel(&house, &model, &folder, &["cost", "--json"]).exits(0).json();
    assert!(cost["total"]["spend"]["nano_usd"].as_u64().unwrap() > 0, "{cost}");
}

/// Holds that a program asks its model to think as little as its role says, and not where that says nothing.
#[track_caller]
fn thinks_little(cli: Cli, name: &str, place: &str) {
    let Some((_, folder)) = agent(cli) else { return };
    for (role, expected) in [("worker.effort=low", true), ("worker.mechanical=false", false)] {
        let (model, house) = (writing(), crew("", TASK, &FILES));
        let agents = format!("worker.agents=[{name:?}]");
        artel(&house, &model, &folder, &run(&agents, &["--role", role])).exits(0);
        let asked = model.asked();
        let body: Value = serde_json::from_slice(&asked.last().unwrap().request.body).unwrap();
        assert_eq!(body.pointer(place) == Some(&Value::from("low")), expected, "{role}: {body}");
    }
}

#[test]
fn claude_code_is_told_how_hard_to_think() {
    thinks_little(Cli::Claude, "claude:claude-opus-4-5", "/output_config/effort");
}

#[test]
fn codex_is_told_how_hard_to_think() {
    thinks_little(Cli::Codex, "codex:gpt-5-codex", "/reasoning/effort");
}

#[test]
fn claude_code_does_a_task_in_the_sandbox_through_the_gateway() {
    does_a_task(Cli::Claude);
}

#[test]
fn codex_does_a_task_in_the_sandbox_through_the_gateway() {
    does_a_task(Cli::Codex);
}

#[test]
fn goose_does_a_task_in_the_sandbox_through_the_gateway() {
    does_a_task(Cli::Goose);
}

#[test]
fn nothing_is_sent_over_the_budget_and_the_run_goes_on_after_a_raise() {
    let Some((agent, folder)) = agent(Cli::Claude) else { return };
    let model = writing();
    let house = crew("budget: { usd: 0.001 }\n", TASK, &FILES);
    let role = format!("worker.agents=[{agent:?}]");
    artel(&house, &model, &folder, &run(&role, &[])).exits(8).says("$0.001");
    assert_eq!(model.asked().len(), 0, "nothing was sent");
    assert_eq!(told(&house, "MoneyRanOut").len(), 1);
    artel(&house, &model, &folder, &["resume", "--usd", "20"]).exits(0);
    assert_eq!(house.landed("b.txt"), "after");
    assert_eq!(counted(&house), model.told());
}

#[test]
fn what_is_accounted_is_no_less_than_what_was_used_when_the_coordinator_is_killed_in_an_answer() {
    let Some((agent, folder)) = agent(Cli::Claude) else { return };
    let gate = Gate::default();
    let used = Usage { input: 5000, cache_read: 0, cache_write: 0, output: 900, reasoning: 0 };
    let turns = [
        Turn::writes("{cwd}/b.txt", "during\n").using(used),
        Turn::says("It is not over.").using(used).behind(&gate),
        Turn::writes("{cwd}/b.txt", "after\n"),
        Turn::says("It is written."),
    ];
    let model = Model::plays_for(KEY, [Script::of("task-a", turns)]);
    let house = crew("budget: { usd: 50 }\n", TASK, &FILES);
    let role = format!("worker.agents=[{agent:?}]");
    let mut killed = command(&house, &model, &folder, &run(&role, &[])).spawn().unwrap();
    gate.is_reached_by(1);
    killed.kill().unwrap();
    killed.wait().unwrap();
    gate.open();
    artel(&house, &model, &folder, &["resume"]).exits(0);
    assert_eq!(house.landed("b.txt"), "after");
    let cost = artel(&house, &model, &folder, &["cost", "--json"]).exits(0).json();
    let accounted = cost["total"]["spend"]["nano_usd"].as_u64().unwrap();
    // Sonnet: 3 dollars a million tokens read, 3.75 to keep them, 0.30 from the cache, 15 written.
    let Usage { input, cache_read, cache_write, output, .. } = model.told();
    let used = input * 3_000 + cache_write * 3_750 + cache_read * 300 + output * 15_000;
    assert!(accounted >= used, "{accounted} of {used}");
}

#[test]
fn sessions_take_turns_where_the_budget_holds_one_call_at_a_time() {
    let Some((agent, folder)) = agent(Cli::Claude) else { return };
    let write = |task: &'static str, file: &str| {
        Script::of(task, [Turn::writes(&format!("{{cwd}}/{file}"), "after\n"), Turn::says("It is written.")])
    };
    let model = Model::plays_for(KEY, [write("task-a", "b.txt"), write("task-c", "d.txt")]);
    let tasks = "[{key: task-a, brief: \"This is task-a: write the file.\", paths: [b.txt]}, \
                 {key: task-c, brief: \"This is task-c: write the file.\", paths: [d.txt]}]";
    let house = crew("budget: { usd: 1.5 }\n", tasks, &FILES);
    let role = format!("worker.agents=[{agent:?}]");
    artel(&house, &model, &folder, &run(&role, &["--workers", "2"])).exits(0);
    assert_eq!((house.landed("b.txt"), house.landed("d.txt")), ("after".to_owned(), "after".to_owned()));
    assert_eq!(counted(&house), model.told());
    let most = told(&house, "AllowanceGranted").iter().map(|it| it["nano_usd"].as_u64().unwrap()).max().unwrap();
    assert!(2 * most > 1_500_000_000, "both could have called at once: {most}");
    assert_eq!(told(&house, "MoneyRanOut").len(), 0);
}

#[test]
fn a_refusal_is_journalled_with_who_was_refused_and_by_which_rules() {
    let Some((agent, folder)) = agent(Cli::Claude) else { return };
    let model = writing();
    let house = crew("", TASK, &FILES);
    fs::create_dir_all(house.home()).unwrap();
    fs::write(house.home().join("gateway.toml"), "[providers.anthropic]\nmodels = [\"nobody-*\"]\n").unwrap();
    let role = format!("worker.agents=[{agent:?}]");
    artel(&house, &model, &folder, &run(&role, &["--role", "worker.limits.attempts=1"])).exits(5);
    assert_eq!(model.asked().len(), 0);
    let calls = told(&house, "CallMade");
    let refused: Vec<&Value> = calls.iter().map(|call| &call["call"]["end"]["refused"]).collect();
    assert!(!refused.is_empty() && calls.iter().all(|call| call["attempt"] == "t1.1"), "{calls:?}");
    for it in refused {
        assert!(it["why"].as_str().unwrap().contains("allowed are nobody-*"), "{it}");
        assert_eq!(it["policy"].as_str().unwrap().len(), 12, "{it}");
    }
}

#[test]
fn a_broken_edit_of_the_rules_is_told_to_whoever_hosts_the_run() {
    let Some((agent, folder)) = agent(Cli::Claude) else { return };
    let model = writing();
    let house = crew("", TASK, &FILES);
    let role = format!("worker.agents=[{agent:?}, \"command:echo after > b.txt\"]");
    // The set-up of the first worktree stands for a person who edits the file while the run is live.
    let rules = house.home().join("gateway.toml");
    house.in_the_open();
    house.write("artel.toml", &format!("setup = [\"echo 'models = [' > {}\"]\n", rules.display()));
    house.commit("a set-up that edits");
    let said = artel(&house, &model, &folder, &run(&role, &[])).exits(0);
    said.says("note: the rules for models stay as they were: failed to read the providers of models").says("line 1");
    assert_eq!(house.landed("b.txt"), "after");
    model.was_asked_only_by(KEY);
}
