//! Tells what planners and workers may ask for while they are at it: that a file be split, that a task may change more than
//! it owns, that something be decided once for all.

use serde_json::{Value, json};

use crate::common::House;

const PLANNER: &str =
    "about = \"plans by script\"\npart = \"planner\"\nagents = [\"script:plan.yml\"]\nprompt = \"planner\"\n";
const WORKER: &str = "agents = [\"script:work.yml\"]\nmechanical = false\n[limits]\nattempts = 1\n";

fn house(plan: &str, work: &str) -> House {
    let goal = "---\nname: as written\ndone: [\"true\"]\nplan: { planner: planner }\n---\nPlay the part.\n";
    House::with(&[
        ("goal.md", goal),
        ("plan.yml", plan),
        ("work.yml", work),
        (".artel/roles/planner.toml", PLANNER),
        (".artel/roles/worker.toml", WORKER),
        ("big.txt", "all\n"),
        ("a.txt", "a\n"),
        ("b.txt", "b\n"),
    ])
}

/// Gives the number of the first event of a kind that tells this.
#[track_caller]
fn number(house: &House, kind: &str, holds: impl Fn(&Value) -> bool) -> u64 {
    let told = house.told(kind);
    let found = told.iter().find(|it| holds(it)).unwrap_or_else(|| panic!("no such {kind} in {told:?}"));
    found["seq"].as_u64().unwrap()
}

#[test]
fn a_file_that_a_worker_flags_is_split_and_whatever_touches_it_waits_for_that_alone() {
    let plan = "
plan:
  - emit: [{key: first, paths: [a.txt]}]
on_handoff:
  - task: first
    says: \"each task adds a line\"
    then:
      - emit:
          - {key: split, paths: [big.txt, part/], splits: [big.txt]}
          - {key: touches, paths: [big.txt]}
          - {key: beside, paths: [b.txt]}
";
    let work = "
steps:
  - match:
      title: \"^first$\"
      then:
        - append: {text: \"more\\n\"}
        - handoff: {done: a, flagged: [{path: big.txt, why: \"each task adds a line\"}]}
      or:
        - match:
            title: \"^split$\"
            then: [{write: {path: part/one.txt, text: \"all\\n\"}}, {write: {path: big.txt, text: \"see part\\n\"}}]
            or: [{append: {text: \"more\\n\"}}]
";
    let house = house(plan, work);
    house.artel(&["run", "goal.md", "--workers", "4"]).exits(0);
    assert_eq!((house.landed("big.txt"), house.landed("part/one.txt")), ("see part\nmore".into(), "all".into()));
    let begun = |attempt: &'static str| number(&house, "AttemptLeased", move |it| it["attempt"] == attempt);
    let landed = |attempt: &'static str| {
        let holds = move |it: &Value| it["landed"].as_array().unwrap().iter().any(|it| it["attempt"] == attempt);
        number(&house, "BatchLanded", holds)
    };
    assert!(begun("t4.1") < landed("t2.1"), "what does not touch the file waits for nothing");
    assert!(begun("t3.1") > landed("t2.1"), "what touches it waits until the split has landed");
    house.artel(&["show", "t1"]).says("flags").says("big.txt: each task adds a line");
}

/// Asks at its first attempt to change `b.txt`, and then looks whether its brief holds some words.
fn asking(words: &str) -> String {
    format!(
        "
steps:
  - match:
      title: \"^asks$\"
      then:
        - on_attempt:
            1: [{{handoff: {{wants: {{paths: [b.txt], why: \"it calls what lies there\"}}}}}}]
            else:
              - run: \"grep -q '{words}' $ARTEL_BRIEF\"
              - run: \"for f in $(cat $ARTEL_PATHS); do echo more >> $f; done\"
      or:
        - run: \"grep -q 'task asks was let change b.txt, and has: it calls what lies there' $ARTEL_BRIEF\"
        - append: {{text: \"later\\n\"}}
"
    )
}

#[test]
fn a_planner_lets_a_task_change_more_and_why_stands_in_the_briefs_of_those_whose_files_it_changed() {
    let plan = "
plan:
  - emit: [{key: asks, paths: [a.txt]}]
on_handoff:
  - says: \"it calls what lies there\"
    then:
      - grant: {reason: \"nobody else does\"}
      - emit: [{key: later, paths: [b.txt], after: [asks]}]
";
    let house = house(plan, &asking("you asked to change b.txt too, and may: nobody else does"));
    house.artel(&["run", "goal.md"]).exits(0);
    assert_eq!((house.landed("a.txt"), house.landed("b.txt")), ("a\nmore".into(), "b\nmore\nlater".into()));
    let answered = &house.told("ScopeAnswered")[0];
    assert_eq!((&answered["granted"], &answered["by"]), (&json!(true), &json!("s0")));
    let leased = house.told("AttemptLeased");
    assert_eq!(leased.iter().filter(|it| it["attempt"].as_str().unwrap().starts_with("t1.")).count(), 2);
    house.artel(&["log"]).says("the planner of s0 lets t1 asks change b.txt too: nobody else does");
}

#[test]
fn a_planner_that_refuses_says_why_in_the_next_brief() {
    let plan = "
plan:
  - emit: [{key: asks, paths: [a.txt]}]
on_handoff:
  - says: \"it calls what lies there\"
    then: [{refuse: {reason: \"call it by its old name\"}}]
";
    let house = house(plan, &asking("it may not change b.txt: call it by its old name"));
    house.artel(&["run", "goal.md"]).exits(0);
    assert_eq!((house.landed("a.txt"), house.landed("b.txt")), ("a\nmore".into(), "b".into()));
}

#[test]
fn where_no_planner_answers_a_person_does_and_nothing_is_held_meanwhile() {
    let plan = "plan: [{emit: [{key: asks, paths: [a.txt]}]}]\n";
    let house = house(plan, &asking("you asked to change b.txt too, and may: go on"));
    house.artel(&["run", "goal.md"]).exits(5);
    house.artel(&["list", "--inbox"]).exits(0).says("asks: leave to change b.txt too").says("artel grant");
    house.artel(&["grant", "t9"]).exits(11);
    house.artel(&["grant", "t1", "-m", "go on"]).exits(0);
    house.artel(&["resume"]).exits(0);
    assert_eq!((house.landed("a.txt"), house.landed("b.txt")), ("a\nmore".into(), "b\nmore".into()));
    house.artel(&["grant", "t1"]).exits(10).says("does not ask to change anything");
}

#[test]
fn a_person_refuses_with_a_reason_too() {
    let plan = "plan: [{emit: [{key: asks, paths: [a.txt]}]}]\n";
    let house = house(plan, &asking("it may not change b.txt: it is frozen"));
    house.artel(&["run", "goal.md"]).exits(5);
    house.artel(&["grant", "t1", "--refuse", "it is frozen"]).exits(0);
    house.artel(&["resume"]).exits(0);
    assert_eq!((house.landed("a.txt"), house.landed("b.txt")), ("a\nmore".into(), "b".into()));
}

#[test]
fn what_one_planner_has_decided_stands_in_each_brief_and_no_other_decides_it() {
    let plan = "
plan:
  - claim: {key: error-type, value: one enum}
  - spawn: [{key: below, paths: [a.txt], role: planner}]
  - emit: [{key: one, paths: [b.txt]}]
scopes:
  below:
    plan:
      - emit: [{key: two, paths: [a.txt]}]
      - claim: {key: error-type, value: strings}
";
    let work = "
steps:
  - run: \"grep -q 'error-type: one enum (decided by s0)' $ARTEL_BRIEF\"
  - append: {text: \"more\\n\"}
";
    let house = house(plan, work);
    house.artel(&["run", "goal.md"]).exits(5).says("`error-type` is decided by scope s0: one enum");
    assert_eq!((house.landed("a.txt"), house.landed("b.txt")), ("a\nmore".into(), "b\nmore".into()));
    assert_eq!(house.told("DecisionClaimed").len(), 1);
}

#[test]
fn a_planner_s_session_decides_splits_and_answers_in_its_block() {
    let answers = |json: &str| format!("cat <<'EOF'\n```artel\n{json}\n```\nEOF\n");
    let first = answers(
        r#"{"decisions":[{"key":"tone","value":"plain words"}],"tasks":[
            {"key":"asks","title":"asks","brief":"b","paths":["a.txt"]},
            {"key":"split","title":"split","brief":"b","paths":["big.txt"],"splits":["big.txt"]}]}"#,
    );
    let second = answers(r#"{"answers":[{"task":"asks","grant":true,"reason":"go on"}]}"#);
    let planner = format!(
        "grep -q 'leave to change b.txt too' $ARTEL_BRIEF && grep -q '^- tone: plain words' $ARTEL_BRIEF && {{ {second}\nexit 0; }}\n\
         case $ARTEL_SEAT in */1) {first}\n;; *) {}\n;; esac\n",
        answers("{}")
    )
    .replace("&& { cat", "&& { \ncat");
    let work = "steps:\n  - match:\n      title: \"^asks$\"\n      then:\n        - on_attempt:\n            1: [{handoff: {wants: {paths: [b.txt], why: \"it calls it\"}}}]\n            else: [{run: \"for f in $(cat $ARTEL_PATHS); do echo more >> $f; done\"}]\n      or: [{append: {text: \"more\\n\"}}]\n";
    let goal = "---\nname: a goal\ndone: [\"true\"]\n---\nDo what is written.\n";
    let house = House::with(&[
        ("goal.md", goal),
        ("plan.sh", &planner),
        ("work.yml", work),
        ("big.txt", "all\n"),
        ("a.txt", "a\n"),
        ("b.txt", "b\n"),
    ]);
    let roles = ["shard.agents=[\"command:sh plan.sh\"]", "worker.agents=script:work.yml", "worker.mechanical=false"];
    house.artel(&["run", "goal.md", "--role", roles[0], "--role", roles[1], "--role", roles[2]]).exits(0);
    assert_eq!((house.landed("b.txt"), house.landed("big.txt")), ("b\nmore".into(), "all\nmore".into()));
    assert_eq!(house.told("ScopeAnswered")[0]["reason"], "go on");
}

/// A planner whose sub-planner hands out a task that asks for what lies outside its scope.
fn planned_below(answer: &str) -> String {
    format!(
        "
plan:
  - spawn: [{{key: one, paths: [a.txt], role: planner}}]
on_handoff:
  - {{task: asks, says: \"it calls what lies there\", then: [{answer}]}}
scopes:
  one: {{plan: [{{emit: [{{key: asks, paths: [a.txt]}}]}}]}}
  two: {{plan: [{{emit: [{{key: later, paths: [b.txt], after: [asks]}}]}}]}}
"
    )
}

#[test]
fn the_planner_above_grants_what_its_scope_holds_and_those_whose_files_it_is_are_told_why() {
    let another = "spawn: [{key: two, paths: [b.txt], role: planner}]";
    let plan = planned_below(&format!("{{grant: {{reason: \"nobody else does\"}}}}, {{{another}}}"));
    let house = house(&plan, &asking("you asked to change b.txt too, and may: nobody else does"));
    house.artel(&["run", "goal.md"]).exits(0);
    assert_eq!((house.landed("a.txt"), house.landed("b.txt")), ("a\nmore".into(), "b\nmore\nlater".into()));
    let answered = &house.told("ScopeAnswered")[0];
    assert_eq!((&answered["granted"], &answered["by"]), (&json!(true), &json!("s0")));
    assert_eq!(house.told("ScopeAskRaised")[0]["to"], "s0");
    let of_root = |it: &Value| it["scope"] == "s0";
    assert_eq!(house.told("PlannerWoken").into_iter().filter(of_root).count(), 1, "it is woken for that, once");
    house
        .artel(&["log"])
        .says("what t1 asks asks to change lies outside its planner's scope: the planner of s0 is asked");
}

#[test]
fn the_planner_above_refuses_with_a_reason_or_leaves_it_to_a_person() {
    let plan = planned_below("{refuse: {reason: \"call it by its old name\"}}");
    let refuses = house(&plan, &asking("it may not change b.txt: call it by its old name"));
    refuses.artel(&["run", "goal.md"]).exits(0);
    refuses.artel(&["log"]).says("the planner of s0 does not let t1 asks change b.txt: call it by its old name");
    assert_eq!((refuses.landed("a.txt"), refuses.landed("b.txt")), ("a\nmore".into(), "b".into()));
    let silent = house(&planned_below(""), &asking("you asked to change b.txt too, and may: go on"));
    silent.artel(&["run", "goal.md"]).exits(5);
    silent.artel(&["list", "--inbox"]).exits(0).says("asks: leave to change b.txt too");
    silent.artel(&["grant", "t1", "-m", "go on"]).exits(0);
    silent.artel(&["resume"]).exits(0);
    assert_eq!(silent.landed("b.txt"), "b\nmore");
}
