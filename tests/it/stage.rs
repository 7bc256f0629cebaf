//! Owns what stories about workers share: a goal whose tasks are written down, played by the agents of the story.

use serde_json::Value;

use crate::common::{House, Said};

/// Builds a house whose planner hands out these tasks (a YAML list); `goal` is added to the goal's front matter.
pub fn crew(goal: &str, tasks: &str, files: &[(&str, &str)]) -> House {
    let goal = format!("---\nname: a goal\ndone: [\"true\"]\n{goal}---\nDo what is written.\n");
    let plan = format!("plan:\n  - emit: {tasks}\n");
    let mut all = vec![("goal.md", goal.as_str()), ("plan.yml", plan.as_str())];
    all.extend(files);
    House::with(&all)
}

/// Lists the arguments of a run of such a goal with these agents (TOML or comma list) and these further arguments.
pub fn run<'a>(agents: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["run", "goal.md", "--role", "shard.agents=script:plan.yml"];
    args.extend(["--role", "worker.mechanical=false", "--role", agents]);
    args.extend(more);
    args
}

/// Runs such a goal to its end.
pub fn work(house: &House, agents: &str, more: &[&str]) -> Said {
    house.artel(&run(agents, more))
}

/// Gives what the newest run's events of a kind say, in order.
#[track_caller]
pub fn told(house: &House, kind: &str) -> Vec<Value> {
    house.events().iter().filter(|event| event["kind"] == kind).map(|event| event["event"][kind].clone()).collect()
}

/// Lists the rules by which judges refused, in order.
#[track_caller]
pub fn refused_by(house: &House) -> Vec<String> {
    let verdicts = told(house, "VerdictGiven");
    let findings = verdicts.iter().flat_map(|it| it["verdict"]["findings"].as_array().unwrap().clone());
    findings.map(|finding| text(&finding["rule"])).collect()
}

/// Lists each attempt with its agent, in the order in which they were leased.
#[track_caller]
pub fn leased(house: &House) -> Vec<(String, String)> {
    told(house, "AttemptLeased").iter().map(|lease| (text(&lease["attempt"]), text(&lease["agent"]))).collect()
}

/// Tells of a task as `artel show` does.
#[track_caller]
pub fn task(house: &House, task: &str) -> Value {
    house.artel(&["show", task, "--json"]).exits(0).json()
}

/// Says why a task stands where it does.
#[track_caller]
pub fn why(house: &House, id: &str) -> String {
    let task = task(house, id);
    task["why"].as_str().unwrap_or_else(|| panic!("{task}")).to_owned()
}

/// Lists the processes whose environment names something below the house.
pub fn alive(house: &House) -> Vec<String> {
    let root = house.root().to_string_lossy().into_owned();
    let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    let ours = all.filter(|process| {
        std::fs::read(process.join("environ")).is_ok_and(|env| String::from_utf8_lossy(&env).contains(&root))
    });
    ours.map(|process| process.display().to_string()).collect()
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
