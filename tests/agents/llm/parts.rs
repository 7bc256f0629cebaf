//! Tells how one model plans, works and judges by artel's own loop, each part by another API and with tools of its own.

use serde_json::json;

use super::scene::{AGENTS, USED, body, keyed};
use crate::common::{House, said};
use crate::model::{Call, Model, Script, Seen, Turn};
use crate::stage::told;
use crate::workers::{KEY, counted, found_below};

const GOAL: &str =
    "---\nname: a goal\ndone: [\"grep -q after b.txt\"]\nbudget: { usd: 20 }\n---\nDo what is written.\n";
/// Begins what a planner, a judge and a worker are told.
const PLANNER: &str = "You plan; others do the work";
const JUDGE: &str = "Say whether it may land.";

fn answer(value: &serde_json::Value) -> Turn {
    Turn::says(&format!("I have looked.\n```artel\n{value}\n```\n")).using(USED)
}

fn scores(score: u8) -> serde_json::Value {
    let one = |name: &str| json!({"criterion": name, "score": score, "evidence": "b.txt"});
    json!([one("brief"), one("restraint"), one("soundness")])
}

/// A goal that a model has to plan, do and judge.
fn house() -> House {
    House::with(&[("goal.md", GOAL), ("a.txt", "before\n")])
}

fn plays(reviews: impl IntoIterator<Item = Turn>) -> Model {
    let task =
        json!({"key": "one", "title": "write b.txt", "brief": "This is task-a: write b.txt.", "paths": ["b.txt"]});
    let planner = [
        Turn::calls(Call::exact("list", json!({}))).and(Call::read("a.txt")).using(USED),
        Turn::calls(Call::exact("task_brief", json!({}))).using(USED),
        Turn::calls(Call::exact("write", json!({"path": "a.txt", "content": "x"}))).using(USED),
        answer(&json!({"tasks": [task]})),
        answer(&json!({})),
    ];
    let worker = [Turn::writes("b.txt", "after\n").using(USED), Turn::says("It is written.").using(USED)];
    Model::plays_for(
        KEY,
        [Script::of(JUDGE, reviews), Script::of(PLANNER, planner), Script::of("This is task-a", worker)],
    )
}

#[test]
fn a_drafted_goal_is_not_reached_where_its_checks_hold_and_the_planner_found_nothing_to_do() {
    let house = House::with(&[("a.txt", "a\n"), ("artel.toml", "checks = [\"true\"]\n")]);
    let missing =
        || answer(&json!({"ruling": "continue", "why": "c.txt is not there", "handoff": {"missing": ["c.txt"]}}));
    let judge = Script::of("# Judge of the run:", [missing(), missing(), missing()]);
    let planner = Script::of(PLANNER, [(); 3].map(|()| answer(&json!({}))));
    let model = Model::plays_for(KEY, [judge, planner]);
    let mut command = house.command(&["run", "add a file c.txt", "--yes"]);
    let told = said(&keyed(command.env("PATH", "/usr/bin:/bin"), &model).output().unwrap()).exits(5);
    told.says("run judge").says("its judge does not call it done: c.txt is not there");
    assert_eq!(told_rulings(&house), ["continue", "continue", "continue"]);
}

fn told_rulings(house: &House) -> Vec<String> {
    let rulings = told(house, "RunJudged").into_iter().map(|it| it["verdict"]["ruling"].as_str().unwrap().to_owned());
    rulings.collect()
}

fn run(house: &House, model: &Model) -> crate::common::Said {
    run_with(house, model, &[])
}

fn run_with(house: &House, model: &Model, more: &[&str]) -> crate::common::Said {
    let role = |role: &str, agents: &str| format!("{role}.agents=[{agents}]");
    let planner = role("shard", &format!("{:?}", AGENTS[1]));
    let worker = role("worker", &format!("{:?}", AGENTS[0]));
    let judge = role("judge", &format!("\"ladder\",{:?}", AGENTS[3]));
    let args = ["run", "goal.md", "--role", &planner, "--role", &worker, "--role", &judge];
    let both = ["--role", "judge.lenses=diff,codebase", "--role", "worker.mechanical=false"];
    let mut command = house.command(&[&args[..], &both[..], more].concat());
    said(&keyed(&mut command, model).output().unwrap())
}

#[test]
fn one_model_plans_works_and_judges_and_all_of_it_is_counted() {
    let accept = json!({"scores": scores(9), "findings": [], "ruling": "accept"});
    let model = plays([Turn::calls(Call::read("b.txt")).using(USED), answer(&accept)]);
    let house = house();
    run(&house, &model).exits(0);
    assert_eq!(house.landed("b.txt"), "after");
    let asked = model.asked();
    let planned: Vec<_> = asked.iter().filter(|seen| seen.holds(PLANNER)).collect();
    let own = ["emit_task", "spawn_planner", "claim_decision", "answer_scope", "plan_status"];
    let looking = ["task_brief", "read", "list", "search_code", "repo_map", "ask", "blocked", "hand_over"];
    let tools = [&own[..], &looking].concat();
    assert_eq!(planned[0].tools, tools, "who plans has no tool that changes a file");
    let asked_again = body(planned[2]);
    let messages = asked_again["messages"].as_array().unwrap();
    let [said, .., answered] = &messages[1..] else { panic!("{asked_again}") };
    assert_eq!(said["content"], answered["content"], "the brief is given again, byte for byte");
    assert!(body(planned[3]).to_string().contains("there is no tool `write`"), "{}", body(planned[3]));
    assert_eq!(house.landed("a.txt"), "before");
    let judged: Vec<_> = asked.iter().filter(|seen| seen.holds(JUDGE)).collect();
    assert!(judged[1].holds("there is no file b.txt"), "who sees the change alone sees no file");
    assert!(judged.iter().all(|seen| !seen.holds("It is written.")), "what the worker says for itself is not shown");
    assert_eq!(told(&house, "CandidateReviewed").len(), 2);
    assert_eq!(counted(&house), model.told());
    model.was_asked_only_by(KEY);
    assert_eq!(found_below(house.root(), KEY), Vec::<String>::new());
}

#[test]
fn what_a_model_finds_as_judge_is_mended_by_the_worker() {
    let found = json!({"class": "missed-case", "path": "b.txt", "what": "one case is missed", "advice": "see to it"});
    let reject = json!({"scores": scores(3), "findings": [found], "ruling": "reject"});
    let accept = json!({"scores": scores(9), "findings": [], "ruling": "accept"});
    let model = plays([answer(&reject), answer(&accept)]);
    let house = house();
    run(&house, &model).exits(0);
    let worked: Vec<_> = model.asked().into_iter().filter(|seen| seen.holds("one case is missed")).collect();
    assert!(worked.iter().any(|seen| !seen.holds(JUDGE)), "the worker is told");
    assert_eq!(house.landed("b.txt"), "after");
    assert_eq!(counted(&house), model.told());
}

#[test]
fn a_model_gives_its_verdict_by_a_tool_and_its_last_words_need_hold_none() {
    let found = json!({"class": "missed-case", "path": "b.txt", "what": "one case is missed", "advice": "see to it"});
    let rules = |ruling: &str| Turn::calls(Call::exact("verdict", json!({"scores": scores(9), "ruling": ruling})));
    let model = plays([
        Turn::calls(Call::exact("findings", json!({"findings": [found]}))),
        rules("reject"),
        rules("restart"),
        Turn::says("That is all."),
        rules("accept"),
        Turn::says("```artel\n{\"ruling\": \"reject\"}\n```"),
        rules("accept"),
        Turn::says("That is all."),
    ]);
    let house = house();
    run(&house, &model).exits(0);
    let reviews = told(&house, "CandidateReviewed");
    let rulings: Vec<_> = reviews.iter().map(|it| it["review"]["ruling"].as_str().unwrap()).collect();
    assert_eq!(rulings, ["reject", "accept", "accept"], "each lens of the second state accepts");
    assert_eq!(reviews[0]["review"]["findings"][0]["rule"], "missed-case");
    let judged: Vec<_> = model.asked().into_iter().filter(|seen| seen.holds(JUDGE)).collect();
    assert!(judged[3].holds("`reject`, and it stands"), "a second verdict that says otherwise is refused");
    assert_eq!(house.landed("b.txt"), "after");
}

#[test]
fn who_judges_and_ends_without_a_verdict_has_given_none() {
    let model = plays([Turn::says("It looks good."), Turn::says("It does.")]);
    let house = house();
    let args = ["--role", "judge.limits.attempts=1"];
    run_with(&house, &model, &args).exits(5).says("no judge gave a verdict");
    assert!(told(&house, "BatchLanded").is_empty());
}

#[test]
fn a_model_that_plans_and_one_that_judges_ask_by_a_tool_and_go_on_with_the_answer() {
    let asks = || [Turn::calls(Call::exact("ask", json!({"question": "Which colour?"}))), Turn::says("I have asked.")];
    let task =
        json!({"key": "one", "title": "write b.txt", "brief": "This is task-a: write b.txt.", "paths": ["b.txt"]});
    let planner = [&asks()[..], &[answer(&json!({"tasks": [task]})), answer(&json!({}))]].concat();
    let accept = || answer(&json!({"scores": scores(9), "findings": [], "ruling": "accept"}));
    let judge = [&asks()[..], &[accept(), accept()]].concat();
    let worker = [Turn::writes("b.txt", "after\n"), Turn::says("It is written.")];
    let scripts = [Script::of(JUDGE, judge), Script::of(PLANNER, planner), Script::of("This is task-a", worker)];
    let model = Model::plays_for(KEY, scripts);
    let house = house();
    run(&house, &model).exits(6);
    for who in ["s0", "t1"] {
        assert!(house.artel(&["inbox", "--json"]).exits(0).out.contains("an answer to: Which colour?"));
        house.artel(&["answer", who, "Blue, not red."]).exits(0);
        let code = if who == "s0" { 6 } else { 0 };
        said(&keyed(&mut house.command(&["resume"]), &model).output().unwrap()).exits(code);
    }
    assert_eq!(house.landed("b.txt"), "after");
    let goes_on =
        |seen: &Seen| seen.holds("an answer to: Which colour?: Blue, not red.") && seen.holds("I have asked.");
    let told_on: Vec<Seen> = model.asked().into_iter().filter(goes_on).collect();
    for part in [PLANNER, JUDGE] {
        assert_eq!(told_on.iter().filter(|seen| seen.holds(part)).count(), 1, "it goes on in its session: {part}");
    }
    assert_eq!(told(&house, "QuestionAnswered").len(), 2);
}
