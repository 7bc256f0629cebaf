//! Tells how a plan is let go: a sample first, gates, a stop list, and planning anew within bounds.

use crate::common::{House, RENAME, rename_goal};

const OLD: &str = "print(old(1))\nprint(old(2))\n";

/// Replaces one `old` in each file of its task; fails where a file says so.
const ONE_AT_A_TIME: &str = r#"
while read -r file; do
    if grep -q broken "$file"; then echo "cannot do $file"; exit 1; fi
    sed -i '0,/old/s//new/' "$file"
done < "$ARTEL_PATHS"
"#;

const AGENT: &[&str] = &["--role", "worker.agents=command:sh fix.sh", "--role", "worker.limits.attempts=1"];

fn house(front: &str, files: &[(&str, &str)]) -> House {
    let goal = rename_goal(front);
    let mut all = vec![("rename.yml", RENAME), ("goal.md", goal.as_str()), ("fix.sh", ONE_AT_A_TIME)];
    all.extend_from_slice(files);
    House::with(&all)
}

fn with_agent<'a>(verb: &[&'a str]) -> Vec<&'a str> {
    [verb, AGENT].concat()
}

fn number(event: &serde_json::Value) -> u64 {
    event["seq"].as_u64().unwrap()
}

const THREE: &[(&str, &str)] = &[("a.py", "old(1)\n"), ("b.py", "old(1)\n"), ("c.py", "old(1)\n")];

#[test]
fn the_sweep_begins_only_when_the_sample_has_landed() {
    let house = house("plan: { rules: [rename.yml], files_per_task: 1, sample: 1 }\n", THREE);
    house.artel(&["run", "goal.md", "--workers", "3"]).exits(0).says("the sample has landed");
    let events = house.events();
    let accepted = number(events.iter().find(|event| event["kind"] == "SampleAccepted").unwrap());
    let begun = house.told("AttemptLeased");
    assert_eq!(begun[0]["attempt"], "t1.1");
    assert!(number(&house.told("BatchLanded")[0]) < accepted);
    assert!(begun[1..].iter().all(|attempt| number(attempt) > accepted));
    assert_eq!(house.board()["counts"]["landed"], 3);
}

#[test]
fn a_failing_sample_stops_the_sweep_and_is_named() {
    let files = [("a.py", "old(1) # broken\n"), ("b.py", "old(1)\n"), ("c.py", "old(1)\n")];
    let house = house("plan: { rules: [rename.yml], files_per_task: 1, sample: 1 }\n", &files);
    let said = house.artel(&with_agent(&["run", "goal.md"])).exits(5);
    said.says("cannot do a.py").says("sample");
    let begun = house.told("AttemptLeased");
    assert_eq!(begun.len(), 1, "{begun:?}");
    assert_eq!(house.board()["counts"]["ready"], 2);
    assert_eq!(house.landed("b.py"), "old(1)");
}

#[test]
fn no_worker_starts_before_the_plan_is_approved() {
    let house = house("plan: { rules: [rename.yml], files_per_task: 1 }\napprove: [plan]\n", THREE);
    house.artel(&["run", "goal.md"]).exits(6).says("artel approve");
    assert_eq!(house.told("AttemptLeased").len(), 0);
    assert_eq!(house.board()["counts"]["ready"], 3);
    house.artel(&["resume"]).exits(6);
    assert_eq!(house.told("AttemptLeased").len(), 0);
    house.artel(&["approve"]).exits(0);
    house.artel(&["resume"]).exits(0);
    assert_eq!(house.board()["counts"]["landed"], 3);
}

#[test]
fn a_plan_that_is_refused_ends_the_run_without_an_attempt() {
    let house = house("plan: { rules: [rename.yml] }\napprove: [plan]\n", THREE);
    house.artel(&["run", "goal.md"]).exits(6);
    house.artel(&["deny", "--reason", "too wide"]).exits(0);
    house.artel(&["resume"]).exits(5).says("too wide");
    assert_eq!(house.told("AttemptLeased").len(), 0);
    house.artel(&["approve"]).exits(10);
}

#[test]
fn the_sweep_waits_for_a_persons_word_when_asked() {
    let front = "plan: { rules: [rename.yml], files_per_task: 1, sample: 1 }\napprove: [sweep]\n";
    let house = house(front, THREE);
    house.artel(&["run", "goal.md"]).exits(6);
    assert_eq!(house.board()["counts"]["landed"], 1);
    assert_eq!(house.told("AttemptLeased").len(), 1);
    house.artel(&["approve"]).exits(0);
    house.artel(&["resume"]).exits(0);
    assert_eq!(house.board()["counts"]["landed"], 3);
}

/// Lists the files that each iteration handed out.
fn by_iteration(house: &House) -> Vec<Vec<String>> {
    let mut found: Vec<Vec<String>> = Vec::new();
    for (key, (paths, _)) in house.handed_out() {
        let iteration: usize = key[1..].split('/').next().unwrap().parse().unwrap();
        found.resize(found.len().max(iteration), Vec::new());
        found[iteration - 1].extend(paths);
    }
    found
}

#[test]
fn a_red_condition_has_the_rest_planned_anew_without_what_failed() {
    let files = [("a.py", "old(1) # broken\n"), ("b.py", OLD)];
    let house = house("plan: { rules: [rename.yml], files_per_task: 1 }\n", &files);
    let said = house.artel(&with_agent(&["run", "goal.md"])).exits(5);
    said.says("iteration 2 begins").says("cannot do a.py").says("no old is left");
    assert_eq!(house.landed("b.py"), "print(new(1))\nprint(new(2))");
    assert_eq!(by_iteration(&house), [vec!["a.py", "b.py"], vec!["b.py"]]);
}

#[test]
fn without_a_stop_list_what_failed_is_planned_again() {
    let files = [("a.py", "old(1) # broken\n"), ("b.py", OLD)];
    let house = house("plan: { rules: [rename.yml], files_per_task: 1, stop_list: false }\n", &files);
    house.artel(&with_agent(&["run", "goal.md"])).exits(5);
    assert_eq!(by_iteration(&house)[1], ["a.py", "b.py"]);
}

#[test]
fn planning_anew_is_bounded() {
    let five = "old(1)\nold(2)\nold(3)\nold(4)\nold(5)\n";
    let house = house("plan: { rules: [rename.yml], iterations: 2 }\n", &[("a.py", five)]);
    house.artel(&with_agent(&["run", "goal.md"])).exits(5).says("no old is left");
    assert_eq!(house.told("IterationBegan").len(), 1);
    assert_eq!(house.landed("a.py"), "new(1)\nnew(2)\nold(3)\nold(4)\nold(5)");
}

#[test]
fn an_iteration_that_lands_nothing_is_the_last() {
    let house = house("plan: { rules: [rename.yml] }\n", &[("a.py", "old(1) # broken\n")]);
    house.artel(&with_agent(&["run", "goal.md"])).exits(5);
    assert_eq!(house.told("IterationBegan").len(), 0);
}

#[test]
fn a_goal_that_finds_nothing_to_do_is_done_if_its_conditions_hold() {
    let house = house("plan: { rules: [rename.yml] }\n", &[("a.py", "new(1)\n")]);
    house.artel(&["run", "goal.md"]).exits(0);
    assert_eq!(house.head(), house.git(&["rev-parse", "main"]));
}
