//! Tells how a session that a usage limit ended is the same session afterwards: what it had done lies in its files, and its
//! model is shown what was said before.

use std::fs;

use serde_json::Value;

use crate::clis::Cli;
use crate::common::said;
use crate::llm;
use crate::model::{Model, Script, Seen, Turn};
use crate::stage::{crew, run, told};
use crate::workers::{KEY, agent, command, counted, found_below};

const TASK: &str = "[{key: task-a, brief: \"This is task-a: write both files.\", paths: [a.txt, b.txt]}]";
const FILES: [(&str, &str); 1] = [("c.txt", "c\n")];

/// Writes one file, meets a limit of two hours, and writes the other when that is lifted.
fn turns() -> [Turn; 4] {
    [
        Turn::writes("{cwd}/a.txt", "quince\n"),
        Turn::refuses(429).header("retry-after", "7200"),
        // It is another folder, and the beginning of the session names the old one.
        Turn::writes("{after You work in:}/b.txt", "medlar\n"),
        Turn::says("Both are written."),
    ]
}

fn words(seen: &Seen) -> String {
    String::from_utf8_lossy(&seen.request.body).into_owned()
}

#[track_caller]
fn is_the_same_session(house: &crate::common::House, model: &Model) {
    assert_eq!((house.landed("a.txt"), house.landed("b.txt")), ("quince".to_owned(), "medlar".to_owned()));
    let leases = told(house, "AttemptLeased");
    let taken_up: Vec<&Value> = leases.iter().map(|lease| &lease["resumes"]).collect();
    assert_eq!(taken_up, [&Value::Null, &1.into()]);
    let limited = &told(house, "AttemptLimited")[0];
    assert!(limited["parked"]["session"].is_string() && limited["parked"]["files"].is_string(), "{limited}");
    let last = model.asked().pop().unwrap();
    assert!(words(&last).contains("quince") && words(&last).contains("task-a"), "{}", words(&last));
    assert_eq!(counted(house), model.told(), "what was counted is what the model told");
    assert_eq!(found_below(house.root(), KEY), Vec::<String>::new(), "the key lies nowhere");
    house.artel(&["verify"]).exits(0);
}

#[track_caller]
fn goes_on(cli: Cli, name: Option<&str>) {
    let Some((agent, folder)) = agent(cli) else { return };
    let agent = name.unwrap_or(agent);
    let model = Model::plays_for(KEY, [Script::of("task-a", turns())]);
    let house = crew("", TASK, &FILES);
    let role = format!("worker.agents=[{agent:?}]");
    let skew = house.root().join("skew");
    fs::write(&skew, "0").unwrap();
    let mut waiting = command(&house, &model, &folder, &run(&role, &[]));
    let mut waiting = waiting.env("ARTEL_SKEW", &skew).spawn().unwrap();
    house.until("the limit is met", || told(&house, "AttemptLimited").len() == 1);
    waiting.kill().unwrap();
    waiting.wait().unwrap();
    fs::write(&skew, "7300000").unwrap();
    let resumed = command(&house, &model, &folder, &["resume"]).env("ARTEL_SKEW", &skew).output().unwrap();
    said(&resumed).exits(0);
    is_the_same_session(&house, &model);
    let run_dir = house.home().join("runs").join(house.run()).join("desks");
    for name in ["claude", "codex", "home"] {
        for attempt in ["t1.1", "t1.2"] {
            assert!(!run_dir.join(attempt).join(name).exists(), "{attempt} keeps a session that is over");
        }
    }
}

#[cfg(debug_assertions)]
#[test]
fn claude_code_goes_on_in_the_session_that_a_limit_ended() {
    goes_on(Cli::Claude, None);
}

#[cfg(debug_assertions)]
#[test]
fn codex_goes_on_in_the_session_that_a_limit_ended() {
    goes_on(Cli::Codex, None);
}

#[cfg(debug_assertions)]
#[test]
fn goose_goes_on_in_the_session_that_a_limit_ended() {
    goes_on(Cli::Goose, Some("acp:env GOOSE_PROVIDER=openai GOOSE_MODEL=gpt-4.1 goose acp"));
}

#[cfg(debug_assertions)]
#[test]
fn artels_own_loop_goes_on_with_what_was_said_before_a_limit() {
    for agent in llm::AGENTS {
        let scene = llm::Scene::with(agent, "", TASK, &FILES, [Script::of("task-a", own_turns())]);
        let skew = scene.house.root().join("skew");
        fs::write(&skew, "0").unwrap();
        let mut waiting = scene.command(&scene.args(&[])).env("ARTEL_SKEW", &skew).spawn().unwrap();
        scene.house.until("the limit is met", || told(&scene.house, "AttemptLimited").len() == 1);
        waiting.kill().unwrap();
        waiting.wait().unwrap();
        fs::write(&skew, "7300000").unwrap();
        said(&scene.command(&["resume"]).env("ARTEL_SKEW", &skew).output().unwrap()).exits(0);
        is_the_same_session(&scene.house, &scene.model);
        assert_eq!(scene.turns().len(), 4, "{agent}: nothing is asked twice");
    }
}

/// The same for who names files from where it stands.
fn own_turns() -> [Turn; 4] {
    let [_, limit, _, says] = turns();
    [Turn::writes("a.txt", "quince\n"), limit, Turn::writes("b.txt", "medlar\n"), says]
}

#[cfg(debug_assertions)]
#[test]
fn what_a_session_had_done_is_there_also_where_the_session_is_gone() {
    let Some((agent, folder)) = agent(Cli::Claude) else { return };
    let [first, limit, _, says] = turns();
    let again = Turn::writes("{cwd}/b.txt", "medlar\n");
    let model = Model::plays_for(KEY, [Script::of("task-a", [first, limit, again, says])]);
    let house = crew("", TASK, &FILES);
    let role = format!("worker.agents=[{agent:?}]");
    let skew = house.root().join("skew");
    fs::write(&skew, "0").unwrap();
    let mut waiting = command(&house, &model, &folder, &run(&role, &[]));
    let mut waiting = waiting.env("ARTEL_SKEW", &skew).spawn().unwrap();
    house.until("the limit is met", || told(&house, "AttemptLimited").len() == 1);
    waiting.kill().unwrap();
    waiting.wait().unwrap();
    fs::remove_dir_all(house.home().join("runs").join(house.run()).join("desks/t1.1/claude")).unwrap();
    fs::write(&skew, "7300000").unwrap();
    let resumed = command(&house, &model, &folder, &["resume"]).env("ARTEL_SKEW", &skew).output().unwrap();
    said(&resumed).exits(0);
    assert_eq!((house.landed("a.txt"), house.landed("b.txt")), ("quince".to_owned(), "medlar".to_owned()));
    let last = model.asked().pop().unwrap();
    assert!(words(&last).contains("what it had done lies in your files"), "it is told");
}
