//! Tells what happens when whoever plans or judges cannot go on without a person: it is asked once, nothing is held while it
//! waits, whatever dies meanwhile, and whoever sits there next knows the answer.

use serde_json::{Value, json};

use crate::common::{House, Said};
use crate::stage::told;

const WORKER: &str = "worker.agents=[\"command:for f in $(cat $ARTEL_PATHS); do echo $ARTEL_TASK > $f; done\"]";
const PLANNER: &str = "shard.agents=[\"command:sh plan.sh\"]";
/// What stands in the brief of whoever goes on.
const TOLD: &str = "grep -q 'the answer: Blue' $ARTEL_BRIEF";

fn answers(json: &str) -> String {
    format!("cat <<'EOF'\n```artel\n{json}\n```\nEOF\n")
}

/// Asks in the block of an answer.
fn asks() -> String {
    answers(r#"{"ask": "Which colour?"}"#)
}

fn tasks(keys: &[&str]) -> String {
    let task = |key: &&str| json!({"key": key, "title": format!("write {key}.txt"), "brief": "b", "paths": [format!("{key}.txt")]});
    answers(&json!({"tasks": keys.iter().map(task).collect::<Vec<_>>()}).to_string())
}

/// Plans these tasks at once, where it need not ask, and nothing more.
fn plans(keys: &[&str]) -> String {
    format!("case $ARTEL_SEAT in */1) {}\n;; *) {}\n;; esac\n", tasks(keys), answers("{}"))
}

fn house(goal: &str, plan: &str, judge: &str) -> House {
    let goal = format!("---\nname: a goal\ndone: [\"true\"]\n{goal}---\nDo what is written.\n");
    let last = "about = 'has the last word'\npart = 'judge'\nprompt = 'run-judge'\nagents = ['command:sh judge.sh']\n";
    House::with(&[
        ("goal.md", goal.as_str()),
        ("a.txt", "a\n"),
        ("plan.sh", plan),
        ("judge.sh", judge),
        (".artel/roles/last.toml", last),
    ])
}

fn args<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let args = ["run", "goal.md", "--role", PLANNER, "--role", "worker.mechanical=false", "--role", WORKER];
    [&args[..], more].concat()
}

fn run(house: &House, more: &[&str]) -> Said {
    house.artel(&args(more))
}

/// Gives the one thing in the inbox that needs a person.
#[track_caller]
fn asked(house: &House) -> Value {
    let items = house.artel(&["inbox", "--json"]).exits(0).json();
    let items = items.as_array().unwrap().iter();
    let mut needs: Vec<Value> = items.filter(|item| item["bucket"] == "needs_input").cloned().collect();
    assert_eq!(needs.len(), 1, "it stands in one place: {needs:?}");
    needs.remove(0)
}

/// Answers what is asked as the inbox says it is done, and goes on.
#[track_caller]
fn is_answered(house: &House, words: &str, whom: &str) -> Said {
    let item = asked(house);
    assert!(item["why"].as_str().unwrap().contains(words), "{item}");
    let next = item["next"].as_str().unwrap();
    assert_eq!(next, format!("artel answer {}/{whom} ANSWER", house.run()));
    house.artel(&["status"]).says("waits for your answer").says(next);
    house.artel(&["answer", &format!("{}/{whom}", house.run()), "Blue"]).exits(0);
    house.artel(&["resume"])
}

#[test]
fn a_planner_asks_and_plans_with_the_answer() {
    let house = house("", &format!("if {TOLD}; then {}\nelse {}\nfi\n", plans(&["one"]), asks()), "");
    run(&house, &[]).exits(6).says("waits for your answer to 1 question");
    house.artel(&["resume"]).exits(6);
    assert_eq!(told(&house, "SeatTaken").len(), 1, "nobody sits down before it is answered");
    is_answered(&house, "the planner of s0 lacks an answer to: Which colour?", "s0").exits(0);
    assert_eq!(house.landed("one.txt"), "t1");
    house.artel(&["log"]).exits(0).says("the planner of s0 waits for a person").says("was answered: Blue");
    house.artel(&["answer", "s0", "Red"]).exits(10).says("the planner of s0 asks nothing");
    house.artel(&["verify"]).exits(0);
}

#[test]
fn a_judge_asks_and_accepts_with_the_answer_what_waited_meanwhile() {
    let score = |name: &str| json!({"criterion": name, "score": 9, "evidence": "one.txt"});
    let scores = ["brief", "restraint", "soundness"].map(score);
    let accepts = answers(&json!({"scores": scores, "findings": [], "ruling": "accept"}).to_string());
    // A program of any kind asks by the file in which it says what is missing.
    let asks = r#"echo '{"blocked": "an answer to: Which colour?"}' > $ARTEL_HANDOFF"#;
    let line = format!("case $ARTEL_SEAT in t1.1/*) {TOLD} || {{ {asks}; exit 0; }};; esac\n{accepts}");
    let house = house("", &plans(&["one", "two"]), &line);
    let judge = house.root().join("judge.sh");
    std::fs::copy(house.repo().join("judge.sh"), &judge).unwrap();
    let agents = format!("judge.agents=[\"ladder\",\"command:sh {}\"]", judge.display());
    let read = format!("judge.grants.read=[\"{}\"]", judge.display());
    let more = ["--role", &agents, "--role", &read, "--role", "judge.lenses=diff"];
    run(&house, &more).exits(6);
    assert_eq!(house.landed("two.txt"), "t2", "the other task was judged and has landed");
    assert_eq!(told(&house, "CandidateReviewed").len(), 1, "who asks gives no verdict");
    house.artel(&["show", "t1"]).exits(0).says("the judge of t1.1").says("Which colour?");
    is_answered(&house, "the judge of t1.1 (lens 1) lacks an answer to: Which colour?", "t1").exits(0);
    assert_eq!(house.landed("one.txt"), "t1");
    assert_eq!(told(&house, "AttemptLeased").len(), 2, "the candidate is the one that waited");
}

#[test]
fn a_run_whose_judge_asks_does_not_end_before_it_is_answered() {
    let done = answers(r#"{"ruling": "done", "why": "all is there"}"#);
    let judge = format!("if {TOLD}; then {done}\nelse {}\nfi\n", asks());
    let house = house("plan: { run_judge: last }\n", &plans(&["one"]), &judge);
    run(&house, &[]).exits(6);
    assert_eq!((told(&house, "RunEnded").len(), told(&house, "RunJudged").len()), (0, 0));
    is_answered(&house, "the run's judge (iteration 1) lacks an answer to: Which colour?", "run").exits(0);
    assert_eq!(told(&house, "RunJudged").len(), 1);
}

#[test]
fn a_question_outlives_the_death_of_its_coordinator_and_is_answered_while_nobody_works() {
    let plan = format!("if {TOLD}; then {}\nelse {}\nfi\n", plans(&["one"]), asks());
    let parts = answers(
        r#"{"tasks": [{"key": "slow", "title": "t", "brief": "b", "paths": ["slow.txt"]}],
        "scopes": [{"key": "more", "title": "more", "brief": "b", "paths": ["one.txt"]}]}"#,
    );
    let plan = format!("case $ARTEL_SEAT in s1/*) {plan};; s0/1) {parts}\n;; *) {}\n;; esac\n", answers("{}"));
    let house = house("", &plan, "");
    house.in_the_open();
    let gate = house.root().join("gate");
    let slow = format!("until test -e {}; do sleep 0.02; done; echo done > $(cat $ARTEL_PATHS)", gate.display());
    let worker =
        format!("worker.agents=[\"command:case $ARTEL_TASK in t1) {slow};; *) echo b > $(cat $ARTEL_PATHS);; esac\"]");
    let args = args(&["--role", &worker]);
    let mut working = house.start(&args);
    house.until("the planner below has asked", || {
        told(&house, "SeatLeft").iter().any(|it| it["left"]["asks"].is_object())
    });
    let item = asked(&house);
    assert!(item["why"].as_str().unwrap().contains("the planner of s1 lacks"), "{item}");
    house.until("its sibling goes on", || house.board()["counts"]["running"] == 1);
    working.kill().unwrap();
    working.wait().unwrap();
    house.artel(&["answer", "s1", "Blue"]).exits(0).says("nobody works on");
    std::fs::write(&gate, "").unwrap();
    house.artel(&["resume"]).exits(0);
    assert_eq!((house.landed("slow.txt"), house.landed("one.txt")), ("done".to_owned(), "b".to_owned()));
    let sat: Vec<Value> = told(&house, "SeatTaken").into_iter().filter(|it| it["seat"] == "s1/1").collect();
    assert_eq!(sat.len(), 2, "once to ask, and once to plan: {sat:?}");
}
