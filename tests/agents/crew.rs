//! Tells how the real programs play every part of one run: a planner that spawns another, workers and a judge, all asking
//! a model through the gateway, counted to the token.

use std::path::PathBuf;

use serde_json::json;

use crate::clis::Cli;
use crate::common::House;
use crate::model::{Call, Model, Script, Turn, Usage};
use crate::stage::told;
use crate::workers::{KEY, agent, artel, command, counted, found_below};

const GOAL: &str =
    "---\nname: a goal\ndone: [\"grep -q one docs/one.txt && grep -q two two.txt\"]\n---\nWrite what is missing.\n";

const USED: Usage = Usage { input: 900, cache_read: 100, cache_write: 10, output: 60, reasoning: 3 };

fn block(json: &str) -> String {
    format!("I have looked at it.\n\n```artel\n{json}\n```\n")
}

/// Says what a judge says of a change.
fn verdict(ruling: &str, findings: &str) -> String {
    let score = |name: &str| format!(r#"{{"criterion":"{name}","score":9,"evidence":"the diff"}}"#);
    let scores = ["brief", "restraint", "soundness"].map(score).join(",");
    block(&format!(r#"{{"scores":[{scores}],"findings":{findings},"ruling":"{ruling}"}}"#))
}

fn task(key: &str, path: &str) -> String {
    format!(
        r#"{{"key":"{key}","title":"write {path}","brief":"This is work-{key}: write {path}.","paths":["{path}"]}}"#
    )
}

/// Writes the parts of a planner, a sub-planner, two workers and a judge that refuses the first state of one's work.
fn parts() -> Model {
    let root = format!(
        r#"{{"tasks":[{}],"scopes":[{{"key":"docs","title":"the docs","brief":"Plan the docs.","paths":["docs/"]}}]}}"#,
        task("two", "two.txt")
    );
    let found = r#"[{"class":"wrong-word","path":"two.txt","what":"it says three","advice":"say two"}]"#;
    let says = |text: &str| Turn::says(text).using(USED);
    Model::plays_for(
        KEY,
        [
            Script::of("# Judge:", [says(&verdict("accept", "[]"))]).and("work-one").without_tools(),
            Script::of("# Judge:", [says(&verdict("reject", found)), says(&verdict("accept", "[]"))])
                .and("work-two")
                .without_tools(),
            Script::of(
                "Scope `docs`",
                [says(&block(&format!(r#"{{"tasks":[{}]}}"#, task("one", "docs/one.txt")))), says(&block("{}"))],
            ),
            Script::of("Scope `root`", [says(&block(&root)), says(&block("{}"))]),
            Script::of("work-one", [Turn::writes("{cwd}/docs/one.txt", "one\n").using(USED), says("Written.")]),
            Script::of(
                "work-two",
                [
                    Turn::writes("{cwd}/two.txt", "three\n").using(USED),
                    says("Written."),
                    Turn::runs("echo two > two.txt").using(USED),
                    says("Mended."),
                ],
            ),
        ],
    )
}

fn house() -> House {
    House::with(&[("goal.md", GOAL), ("docs/readme.md", "here\n")])
}

fn args(planner: &str, worker: &str, judge: &str) -> Vec<String> {
    let mut args = vec!["run".to_owned(), "goal.md".to_owned()];
    for role in [
        format!("shard.agents=[{planner:?}]"),
        "worker.mechanical=false".to_owned(),
        format!("worker.agents=[{worker:?}]"),
        format!("judge.agents=[\"ladder\",{judge:?}]"),
    ] {
        args.extend(["--role".to_owned(), role]);
    }
    args
}

#[track_caller]
fn all_parts_are_played(planner: Cli, worker: Cli, judge: Cli) {
    let (Some(planner), Some(worker), Some(judge)) = (agent(planner), agent(worker), agent(judge)) else { return };
    let (model, house) = (parts(), house());
    let folders = [&planner.1, &worker.1, &judge.1].map(|folder| folder.display().to_string());
    let folder = PathBuf::from(folders.join(":"));
    let args = args(planner.0, worker.0, judge.0);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    artel(&house, &model, &folder, &args).exits(0);
    assert_eq!((house.landed("docs/one.txt"), house.landed("two.txt")), ("one".to_owned(), "two".to_owned()));
    let rulings: Vec<String> = told(&house, "CandidateReviewed")
        .iter()
        .map(|it| it["review"]["ruling"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((rulings.len(), rulings.iter().filter(|it| *it == "reject").count()), (3, 1), "{rulings:?}");
    assert_eq!(told(&house, "ScopeOpened").len(), 2);
    assert_eq!(counted(&house), model.told(), "what was counted is what the model told");
    model.was_asked_only_by(KEY);
    assert_eq!(found_below(house.root(), KEY), Vec::<String>::new(), "the key lies nowhere");
    let cost = artel(&house, &model, &folder, &["cost", "--json"]).exits(0).json();
    let roles: Vec<&str> = cost["by_role"].as_array().unwrap().iter().map(|row| row["of"].as_str().unwrap()).collect();
    assert_eq!(roles, ["judge", "shard", "worker"]);
}

#[test]
fn claude_code_plans_codex_works_and_goose_judges() {
    all_parts_are_played(Cli::Claude, Cli::Codex, Cli::Goose);
}

#[test]
fn goose_plans_claude_code_works_and_codex_judges() {
    all_parts_are_played(Cli::Goose, Cli::Claude, Cli::Codex);
}

#[test]
fn a_coordinator_that_is_killed_while_a_planner_thinks_is_woken_and_all_is_accounted_for() {
    let Some((agent, folder)) = agent(Cli::Claude) else { return };
    let gate = crate::model::Gate::default();
    let plan = block(&format!(r#"{{"tasks":[{}]}}"#, task("two", "two.txt")));
    let model = Model::plays_for(
        KEY,
        [
            Script::of(
                "Scope `root`",
                [
                    Turn::says("Let me see.").using(USED).behind(&gate),
                    Turn::says(&plan).using(USED),
                    Turn::says(&block("{}")).using(USED),
                ],
            ),
            Script::of(
                "work-two",
                [Turn::writes("{cwd}/two.txt", "two\n").using(USED), Turn::says("Written.").using(USED)],
            ),
        ],
    );
    let house = House::with(&[
        ("goal.md", "---\nname: a goal\ndone: [\"grep -q two two.txt\"]\nbudget: { usd: 50 }\n---\nWrite it.\n"),
        ("a.txt", "a\n"),
    ]);
    let args = [
        "run",
        "goal.md",
        "--role",
        &format!("shard.agents=[{agent:?}]"),
        "--role",
        "worker.mechanical=false",
        "--role",
        &format!("worker.agents=[{agent:?}]"),
    ];
    let mut killed = command(&house, &model, &folder, &args).spawn().unwrap();
    gate.is_reached_by(1);
    killed.kill().unwrap();
    killed.wait().unwrap();
    gate.open();
    artel(&house, &model, &folder, &["resume"]).exits(0);
    assert_eq!(house.landed("two.txt"), "two");
    let cut: Vec<String> = told(&house, "SeatLeft").iter().map(|it| it["left"].to_string()).collect();
    assert_eq!(cut.iter().filter(|left| left.contains("its coordinator died")).count(), 1, "{cut:?}");
    let cost = artel(&house, &model, &folder, &["cost", "--json"]).exits(0).json();
    let accounted = cost["total"]["spend"]["nano_usd"].as_u64().unwrap();
    let of_calls: u64 = told(&house, "CallMade").iter().map(|it| it["call"]["nano_usd"].as_u64().unwrap()).sum();
    assert!(accounted > of_calls, "what was held for the session that was cut off is accounted for");
}

/// A planner that hands out by its tools: what the law refuses is told, and mended; then it looks, and says no more.
#[track_caller]
fn plans_by_tools(cli: Cli) {
    let Some((agent, folder)) = agent(cli) else { return };
    let task = |key: &str, paths: &str| json!({"key": key, "title": "write it", "brief": "This is work-two.", "paths": [paths]});
    let model = Model::plays_for(
        KEY,
        [
            Script::of(
                "Scope `root`",
                [
                    Turn::calls(Call::tool("emit_task", task("outside", "/etc/passwd"))).using(USED),
                    Turn::calls(Call::tool("emit_task", task("two", "two.txt"))).using(USED),
                    Turn::calls(Call::tool("plan_status", json!({}))).using(USED),
                    Turn::says(&block("{}")).using(USED),
                ],
            ),
            Script::of("work-two", [Turn::runs("echo two > two.txt").using(USED), Turn::says("Written.").using(USED)]),
        ],
    );
    let house = House::with(&[
        ("goal.md", "---\nname: a goal\ndone: [\"grep -q two two.txt\"]\n---\nWrite it.\n"),
        ("a.txt", "a\n"),
    ]);
    let planner = format!("shard.agents=[{agent:?}]");
    let worker = format!("worker.agents=[{agent:?}]");
    let args = ["run", "goal.md", "--role", &planner, "--role", "worker.mechanical=false", "--role", &worker];
    artel(&house, &model, &folder, &args).exits(0);
    assert_eq!(house.landed("two.txt"), "two");
    let heard: String =
        model.seen().iter().map(|seen| String::from_utf8_lossy(&seen.request.body).into_owned()).collect();
    assert!(heard.contains("names the path"), "what is wrong with a task is told");
    assert!(heard.contains("two: ") && heard.contains("write it"), "the status is told");
    assert_eq!(counted(&house), model.told());
}

#[test]
fn claude_code_hands_out_by_its_tools_and_is_told_what_is_wrong() {
    plans_by_tools(Cli::Claude);
}

#[test]
fn goose_hands_out_by_its_tools_and_is_told_what_is_wrong() {
    plans_by_tools(Cli::Goose);
}
