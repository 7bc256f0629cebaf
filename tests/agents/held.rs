//! Tells how the real programs are held to a schema when an answer of theirs could not be read and is asked for again.

use serde_json::{Value, json};

use crate::clis::Cli;
use crate::common::{House, Said};
use crate::model::{Call, Model, Script, Seen, Turn};
use crate::stage::{crew, run, told};
use crate::workers::{FILES, KEY, TASK, agent, artel, counted};

const GOAL: &str = "---\nname: a goal\ndone: [\"grep -q quince a.txt\"]\n---\nWrite it.\n";
/// Begins what is said to who is asked again.
const AGAIN: &str = "Your answer could not be read";

/// Answers by the schema, as the program has its model do that.
fn answers(cli: Cli, answer: &Value) -> Turn {
    match cli {
        Cli::Claude => Turn::calls(Call::tool("StructuredOutput", answer.clone())),
        Cli::Codex | Cli::Goose => Turn::says(&answer.to_string()),
    }
}

/// Gives the schema that a request holds its model to, where there is one.
fn schema(seen: &Seen) -> Option<Value> {
    let body: Value = serde_json::from_slice(&seen.request.body).unwrap();
    let tools = body["tools"].as_array().into_iter().flatten();
    let by_tool = tools.filter(|tool| tool["name"] == "StructuredOutput").map(|tool| &tool["input_schema"]);
    let format = &body["text"]["format"];
    let by_format = (format["type"] == "json_schema" && format["strict"] == true).then_some(&format["schema"]);
    by_tool.chain(by_format).next().cloned()
}

/// Holds that who was asked again was held to a schema with these members, that it had artel's tools beside, and that nobody
/// else was held to one.
#[track_caller]
fn only_who_is_asked_again_is_held(model: &Model, members: &[&str]) {
    let asked = model.asked();
    assert!(asked.iter().any(|seen| seen.holds(AGAIN)), "nobody was asked again");
    for seen in asked.iter().filter(|seen| !seen.tools.is_empty()) {
        let schema = schema(seen);
        assert_eq!(schema.is_some(), seen.holds(AGAIN), "{seen:?}");
        let Some(schema) = schema else { continue };
        assert_eq!((&schema["required"], &schema["additionalProperties"]), (&json!(members), &json!(false)));
        assert!(seen.tools.iter().any(|tool| tool.ends_with("ask")), "{:?}", seen.tools);
    }
}

/// Plans in words that cannot be read, and answers so when asked again.
fn planned(cli: Cli, answer: &Value) -> Option<(House, Model, Said)> {
    let (agent, folder) = agent(cli)?;
    let first = Script::of("Scope `root`", [Turn::says("Let me see."), Turn::says("```artel\n{}\n```")]);
    let model = Model::plays_for(KEY, [Script::of(AGAIN, [answers(cli, answer)]), first]);
    let house = House::with(&[("goal.md", GOAL), ("b.txt", "b\n")]);
    let planner = format!("shard.agents=[{agent:?}]");
    let worker = "worker.agents=[\"command:echo quince > a.txt\"]";
    let args = ["run", "goal.md", "--role", &planner, "--role", worker, "--role", "worker.mechanical=false"];
    let ran = artel(&house, &model, &folder, &args);
    Some((house, model, ran))
}

fn plan(path: &str) -> Value {
    let task = json!({
        "key": "one", "title": "write it", "brief": "This is work-one.", "paths": [path], "after": [], "checks": [],
        "role": null, "weight": 1, "splits": []
    });
    json!({"tasks": [task], "scopes": [], "decisions": [], "answers": []})
}

#[track_caller]
fn plans(cli: Cli) {
    let Some((house, model, ran)) = planned(cli, &plan("a.txt")) else { return };
    ran.exits(0);
    assert_eq!(house.landed("a.txt"), "quince");
    only_who_is_asked_again_is_held(&model, &["tasks", "scopes", "decisions", "answers"]);
    assert_eq!(counted(&house), model.told());
}

/// Answers by the schema what cannot be taken: what is no path of the repository.
#[track_caller]
fn fails_closed(cli: Cli) {
    let Some((house, model, ran)) = planned(cli, &plan("/etc/passwd")) else { return };
    assert_ne!(ran.code, Some(0));
    assert_eq!(told(&house, "TasksEmitted").len(), 0);
    let left = told(&house, "SeatLeft");
    let why = left[0]["left"]["failed"]["why"].as_str().unwrap_or_default();
    assert!(why.contains("could not be taken, twice") && why.contains("names the path `/etc/passwd`"), "{left:?}");
    only_who_is_asked_again_is_held(&model, &["tasks", "scopes", "decisions", "answers"]);
}

#[track_caller]
fn judges(cli: Cli) {
    let Some((agent, folder)) = agent(cli) else { return };
    let score = |name: &str| json!({"criterion": name, "score": 9, "evidence": "b.txt"});
    let scores = ["brief", "restraint", "soundness"].map(score);
    let accepts = json!({"scores": scores, "findings": [], "ruling": "accept"});
    let first = Script::of("# Judge:", [Turn::says("It is right.")]);
    let model = Model::plays_for(KEY, [Script::of(AGAIN, [answers(cli, &accepts)]), first]);
    let house = crew("", TASK, &FILES);
    let judge = format!("judge.agents=[\"ladder\",{agent:?}]");
    let more = ["--role", judge.as_str(), "--role", "judge.lenses=diff"];
    artel(&house, &model, &folder, &run("worker.agents=[\"command:echo after > b.txt\"]", &more)).exits(0);
    assert_eq!(house.landed("b.txt"), "after");
    let rulings: Vec<Value> =
        told(&house, "CandidateReviewed").iter().map(|it| it["review"]["ruling"].clone()).collect();
    assert_eq!(rulings, ["accept"]);
    only_who_is_asked_again_is_held(&model, &["scores", "findings", "ruling"]);
}

#[test]
fn claude_code_plans_by_a_schema_when_it_is_asked_again() {
    plans(Cli::Claude);
}

#[test]
fn codex_plans_by_a_schema_when_it_is_asked_again() {
    plans(Cli::Codex);
}

#[test]
fn claude_code_judges_by_a_schema_when_it_is_asked_again() {
    judges(Cli::Claude);
}

#[test]
fn codex_judges_by_a_schema_when_it_is_asked_again() {
    judges(Cli::Codex);
}

#[test]
fn what_claude_code_answers_by_a_schema_and_cannot_be_taken_fails() {
    fails_closed(Cli::Claude);
}

#[test]
fn what_codex_answers_by_a_schema_and_cannot_be_taken_fails() {
    fails_closed(Cli::Codex);
}
