//! Tells how an agent works by a login of its own where its role grants that: with what asks models and never what renews it,
//! counted by its own word, and said so.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::clis::Cli;
use crate::common::{House, said};
use crate::model::{Model, Script, Turn, Usage};
use crate::stage::{crew, run, told, why};
use crate::workers::{FILES, TASK, agent, counted, found_below};

const TOKEN: &str = "sk-ant-oat01-0123456789abcdef";
const RENEWS: &str = "sk-ant-ort01-0123456789abcdef";
const USED: Usage = Usage { input: 1234, cache_read: 300, cache_write: 20, output: 77, reasoning: 0 };

/// A user who has logged in with Claude Code, whose login ends at a time in milliseconds since 1970.
fn house(ends_ms: i64) -> House {
    let house = crew("", TASK, &FILES);
    let kept = json!({"claudeAiOauth": {"accessToken": TOKEN, "refreshToken": RENEWS, "expiresAt": ends_ms,
        "scopes": ["user:inference"], "subscriptionType": "max"}});
    let folder = house.root().join("somebody/.claude");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(".credentials.json"), kept.to_string()).unwrap();
    house
}

fn command(house: &House, model: &Model, folder: &std::path::Path, more: &[&str]) -> Command {
    let mut args = run("worker.agents=[\"claude:claude-sonnet-4-5\"]", &["--sandbox", "none"]);
    args.extend(["--role", "worker.grants.env=ANTHROPIC_BASE_URL"]);
    args.extend(more);
    let mut command = house.command(&args);
    command.env("PATH", format!("{}:{}", folder.display(), std::env::var("PATH").unwrap()));
    command.env("HOME", house.root().join("somebody")).env("ANTHROPIC_BASE_URL", model.url());
    command
}

fn writing() -> Model {
    let turns = [Turn::writes("{cwd}/b.txt", "after\n").using(USED), Turn::says("It is written.").using(USED)];
    Model::plays_for(TOKEN, [Script::of("task-a", turns)])
}

const IN_2100: i64 = 4_102_444_800_000;

#[test]
fn claude_code_works_by_its_own_login_where_that_is_granted() {
    let Some((_, folder)) = agent(Cli::Claude) else { return };
    let (model, house) = (writing(), house(IN_2100));
    let ran = command(&house, &model, &folder, &["--role", "worker.grants.logins=claude"]).output().unwrap();
    said(&ran).exits(0).says("role worker may use your own login of claude").says("as told by the agent");
    assert_eq!(house.landed("b.txt"), "after");
    model.was_asked_only_by(TOKEN);
    assert!(model.seen().iter().all(|seen| !seen.holds(RENEWS)), "what renews the login never leaves its file");
    let calls = told(&house, "CallMade");
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert_eq!((&calls[0]["call"]["told"], &calls[0]["call"]["provider"]), (&true.into(), &"claude".into()));
    assert_eq!(counted(&house), model.told(), "its word is what the model told");
    house.artel(&["cost"]).exits(0).says("as told by the agent");
    let cost = house.artel(&["cost", "--json"]).exits(0).json();
    assert!(cost["total"]["spend"]["nano_usd"].as_u64().unwrap() > 0, "it tells a price: {cost}");
    for secret in [TOKEN, RENEWS] {
        assert_eq!(found_below(&house.home(), secret), Vec::<String>::new(), "nothing that artel keeps holds it");
    }
}

#[test]
fn nobody_logs_in_who_was_not_granted_it_and_none_by_a_login_that_is_over() {
    let Some((_, folder)) = agent(Cli::Claude) else { return };
    let (model, house) = (writing(), house(1_000_000));
    let more = ["--role", "worker.grants.logins=claude", "--role", "worker.limits.attempts=1"];
    said(&command(&house, &model, &folder, &more).output().unwrap()).exits(5);
    assert!(why(&house, "t1").contains("start `claude` once by yourself"), "{}", why(&house, "t1"));
    assert_eq!(model.asked().len(), 0);
    said(&command(&house, &model, &folder, &["--role", "worker.grants.logins=everybody"]).output().unwrap()).exits(3);
}
