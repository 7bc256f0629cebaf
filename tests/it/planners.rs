//! Tells what a scripted planner may do, what is refused it by name, and when it is woken.

use std::fs;

use crate::common::House;

/// A planner by script; its tasks are done by a script too.
const PLANNER: &str =
    "about = \"plans by script\"\npart = \"planner\"\nagents = [\"script:plan.yml\"]\nprompt = \"planner\"\n";
const WORKER: &str = "agents = [\"script:work.yml\"]\nmechanical = false\n[limits]\nattempts = 1\n";
/// Adds a line to what the task owns.
const WORK: &str = "steps:\n  - append: {text: \"done by {task}\\n\"}\n";

fn house(plan: &str, work: &str) -> House {
    let goal = "---\nname: as written\ndone: [\"true\"]\nplan: { planner: planner }\n---\nPlay the part.\n";
    House::with(&[
        ("goal.md", goal),
        ("plan.yml", plan),
        ("work.yml", work),
        (".artel/roles/planner.toml", PLANNER),
        (".artel/roles/worker.toml", WORKER),
        ("src/a.txt", "a\n"),
        ("src/b.txt", "b\n"),
        ("docs/c.txt", "c\n"),
        ("docs/d.txt", "d\n"),
    ])
}

fn number(event: &serde_json::Value) -> u64 {
    event["seq"].as_u64().unwrap()
}

/// Gives the id of a task by its key.
fn id(house: &House, key: &str) -> String {
    let emitted = house.told("TasksEmitted");
    let mut all = emitted.iter().flat_map(|told| told["tasks"].as_array().unwrap());
    all.find(|task| task["draft"]["key"] == key).unwrap()["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_written_part_hands_out_tasks_and_spawns_planners() {
    let plan = "
plan:
  - emit: [{key: first, paths: [src/a.txt]}]
  - spawn: [{key: docs, paths: [docs/], role: planner, decisions: [tone]}]
scopes:
  docs:
    plan:
      - emit_each: {count: 2, task: {key: \"{scope}-{n}\", paths: [\"docs/{n}.md\"], after: [first]}}
";
    let house = house(plan, WORK);
    house.artel(&["run", "goal.md"]).exits(0);
    let scope = &house.told("ScopeOpened")[1];
    assert_eq!((&scope["parent"], &scope["draft"]["key"]), (&"s0".into(), &"docs".into()));
    let tasks = house.handed_out();
    assert_eq!(tasks.keys().collect::<Vec<_>>(), ["docs-1", "docs-2", "first"]);
    assert_eq!(tasks["docs-2"], (vec!["docs/2.md".to_owned()], vec!["first".to_owned()]));
    assert_eq!(house.landed("src/a.txt"), format!("a\ndone by {}", id(&house, "first")));
}

#[test]
fn a_planner_that_was_done_is_woken_by_handoffs_each_of_them_once() {
    let plan = "
plan:
  - emit: [{key: one, paths: [src/a.txt]}]
on_handoff:
  - {task: one, says: small, then: [{emit: [{key: \"after-{from}-{wake}\", paths: [src/b.txt]}]}]}
";
    let work = "
steps:
  - append: {text: \"x\\n\"}
  - match:
      title: one
      then: [{handoff: {done: yes it is, concerns: [too small]}}]
";
    let house = house(plan, work);
    house.artel(&["run", "goal.md"]).exits(0);
    let tasks = house.handed_out();
    assert_eq!(tasks.keys().collect::<Vec<_>>(), ["after-one-1", "one"]);
    let woken = house.told("PlannerWoken");
    let finished = house.told("PlannerFinished");
    assert_eq!(finished.len(), woken.len() + 1);
    for (before, wake) in finished.iter().zip(&woken) {
        assert!(number(before) < number(wake), "it was woken before it was done");
    }
    let mut given: Vec<&str> =
        woken.iter().flat_map(|wake| wake["handoffs"].as_array().unwrap()).map(|task| task.as_str().unwrap()).collect();
    let all = given.len();
    given.sort_unstable();
    given.dedup();
    assert_eq!((given.len(), all), (2, 2), "each handoff is given once: {woken:?}");
}

#[test]
fn what_the_law_refuses_a_planner_fails_it_by_name() {
    let cases: &[(&str, &str)] = &[
        (
            "- spawn: [{key: x, paths: [src/], role: planner}, {key: y, paths: [src/a.txt], role: planner}]",
            "scope `y` overlaps `x`",
        ),
        (
            "- spawn: [{key: x, paths: [src/], role: planner, decisions: [tone]}, {key: y, paths: [docs/], role: planner, decisions: [tone]}]",
            "decision `tone` belongs to scope s1",
        ),
        ("- spawn: [{key: x, paths: [src/], role: nobody}]", "`x` names `nobody`, and this run has no such role"),
        ("- emit: [{key: x, paths: [src/a.txt], role: nobody}]", "`x` names `nobody`, and this run has no such role"),
        (
            "- emit: [{key: x, paths: [src/a.txt], after: [y]}, {key: y, paths: [src/b.txt], after: [x]}]",
            "waits for itself by way of others",
        ),
        ("- emit: [{key: x, paths: [src/a.txt], after: [x]}]", "task `x` waits for itself"),
        (
            "- emit: [{key: x, paths: [src/a.txt], after: [nothing]}]",
            "task `x` waits for `nothing`, which no planner has emitted",
        ),
        ("- emit: [{key: \"\", paths: [src/a.txt]}]", "without a key"),
        ("- fail: the stars are wrong", "the stars are wrong"),
    ];
    for (moves, why) in cases {
        let house = house(&format!("plan:\n  {moves}\n"), WORK);
        let plan = house.artel(&["plan", "goal.md", "--json"]).exits(5).json();
        let failed = plan["roots"][0]["failed"].as_str().unwrap_or_else(|| panic!("{moves} was allowed"));
        assert!(failed.contains(why), "{moves}: {failed}");
    }
    let house = house(&format!("plan:\n  {}\n", cases[0].0), WORK);
    house.artel(&["run", "goal.md"]).exits(5).says(cases[0].1);
    assert_eq!(house.told("PlannerFailed")[0]["scope"], "s0");
    house.artel(&["list", "--inbox"]).exits(0).says(&house.run());
}

#[test]
fn a_sub_planner_stays_inside_its_scope() {
    let below = |moves: &str| {
        format!(
            "plan:\n  - spawn: [{{key: sub, paths: [docs/], role: planner}}]\nscopes:\n  sub:\n    plan:\n      {moves}\n"
        )
    };
    let cases = [
        ("- emit: [{key: x, paths: [src/a.txt]}]", "task `x` reaches outside scope s1"),
        ("- spawn: [{key: x, paths: [src/], role: planner}]", "scope `x` reaches outside its parent s1"),
    ];
    for (moves, why) in cases {
        let house = house(&below(moves), WORK);
        house.artel(&["run", "goal.md"]).exits(5).says(why);
        let failed = house.told("PlannerFailed");
        assert_eq!((failed.len(), &failed[0]["scope"]), (1, &"s1".into()));
    }
}

#[test]
fn planners_are_bounded_in_depth_width_and_tasks() {
    let nest = "
plan: [{spawn: [{key: one, paths: [src/], role: planner}, {key: other, paths: [docs/], role: planner}]}]
scopes:
  one: {plan: [{spawn: [{key: two, paths: [src/a.txt], role: planner}]}]}
  other: {plan: []}
  two: {plan: [{emit_each: {count: 3, task: {key: \"t{n}\", paths: [src/a.txt]}}}]}
";
    let house = house(nest, WORK);
    let fails = |limit: &str, why: &str| {
        let set = format!("planner.limits.{limit}");
        house.artel(&["plan", "goal.md", "--role", &set]).exits(5).says(why);
    };
    house.artel(&["plan", "goal.md", "--role", "planner.limits.depth=2"]).exits(0).says("3 tasks");
    fails("depth=1", "its role allows 1 levels of planners below the root");
    fails("fan_out=1", "its role allows 1 sub-planners");
    fails("tasks=2", "its role allows 2 tasks");
}

#[test]
fn a_failed_planner_does_not_undo_what_it_handed_out() {
    let plan = "plan:\n  - emit: [{key: x, paths: [src/a.txt]}]\n  - fail: no more\n";
    let house = house(plan, WORK);
    house.artel(&["run", "goal.md"]).exits(5).says("no more");
    assert_eq!(house.board()["counts"]["landed"], 1);
}

#[test]
fn a_sub_planner_may_play_a_part_of_its_own() {
    let house = house("plan: [{spawn: [{key: sub, paths: [docs/], role: second}]}]\n", WORK);
    house.write(".artel/roles/second.toml", &PLANNER.replace("plan.yml", "second.yml"));
    house.write("second.yml", "scopes:\n  sub: {plan: [{emit: [{key: x, paths: [docs/c.txt]}]}]}\nplan: []\n");
    house.commit("a second planner");
    house.artel(&["run", "goal.md"]).exits(0);
    assert_eq!(house.handed_out().len(), 1);
}

#[test]
fn a_role_of_another_part_plans_and_works_nothing() {
    let house = house("plan: [{spawn: [{key: sub, paths: [docs/], role: worker}]}]\n", WORK);
    house.artel(&["run", "goal.md"]).exits(5).says("worker");
    assert_eq!(house.told("PlannerFailed").len(), 1);
    let other = self::house("plan: [{emit: [{key: x, paths: [docs/c.txt], role: planner}]}]\n", WORK);
    other.artel(&["run", "goal.md"]).exits(5).says("planner");
    assert_eq!(other.board()["counts"]["landed"], 0);
}

#[test]
fn tasks_whose_paths_overlap_never_run_side_by_side_and_the_others_do() {
    let plan = "
plan:
  - emit:
      - {key: folder, paths: [src/], weight: 9}
      - {key: file, paths: [src/a.txt], weight: 8}
      - {key: same, paths: [src/a.txt], weight: 7}
      - {key: beside, paths: [docs/c.txt], weight: 1}
";
    // The task that owns the folder ends only once the task beside it has begun.
    let house = house(plan, "steps: [nothing]\n");
    let meet = house.root().join("met");
    house.in_the_open();
    let script = format!(
        "case $ARTEL_TASK in t1) n=0; until test -e {meet}; do n=$((n+1)); test $n -lt 400 || exit 9; sleep 0.05; done;; \
         t4) touch {meet};; esac\nwhile read -r path; do test -d $path || echo x >> $path; done < $ARTEL_PATHS\n\
         test $ARTEL_TASK != t1 || echo x >> src/b.txt\n",
        meet = meet.display()
    );
    let agent = house.root().join("agent.sh");
    fs::write(&agent, script).unwrap();
    let set = format!("worker.agents=command:sh {}", agent.display());
    house.artel(&["run", "goal.md", "--workers", "4", "--role", &set]).exits(0);
    let events = house.events();
    let mut at_work: Vec<String> = Vec::new();
    let mut together = 0;
    for event in &events {
        let task = |field: &str| {
            let attempt = event["event"][event["kind"].as_str().unwrap()][field].as_str()?;
            Some(attempt.split('.').next().unwrap().to_owned())
        };
        match event["kind"].as_str().unwrap() {
            "AttemptLeased" => {
                let task = task("attempt").unwrap();
                if task != "t4" {
                    assert!(at_work.iter().all(|other| other == "t4"), "{task} began beside {at_work:?}");
                }
                at_work.push(task);
                together = together.max(at_work.len());
            }
            "AttemptEnded" => at_work.retain(|other| Some(other) != task("attempt").as_ref()),
            _ => {}
        }
    }
    assert_eq!(together, 2, "the task beside ran with one of the others");
}

#[test]
fn the_longest_chain_of_work_goes_first_and_then_the_oldest() {
    let plan = "
plan:
  - emit:
      - {key: light, paths: [w/1]}
      - {key: chain, paths: [w/2]}
      - {key: heavy, paths: [w/3], weight: 5}
      - {key: light-too, paths: [w/4]}
      - {key: end-of-chain, paths: [w/5], after: [chain], weight: 9}
";
    let house = house(plan, WORK);
    house.artel(&["run", "goal.md", "--workers", "1"]).exits(0);
    let begun: Vec<String> =
        house.told("AttemptLeased").iter().map(|it| it["attempt"].as_str().unwrap().to_owned()).collect();
    let place = |key: &str| {
        let attempt = format!("{}.1", id(&house, key));
        begun.iter().position(|it| *it == attempt).unwrap()
    };
    assert_eq!(place("chain"), 0);
    assert!(place("heavy") < place("light") && place("light") < place("light-too"), "{begun:?}");
}

#[test]
fn a_straggler_holds_up_nothing_that_does_not_wait_for_it() {
    let plan = "
plan:
  - emit:
      - {key: slow, paths: [w/0], weight: 9}
      - {key: one, paths: [w/1]}
      - {key: two, paths: [w/2], after: [one]}
      - {key: three, paths: [w/3], after: [two]}
      - {key: last, paths: [w/4], after: [slow]}
";
    // The straggler ends only after a chain of three tasks beside it has been gone through.
    let house = house(plan, "steps: [nothing]\n");
    let gone = house.root().join("gone");
    house.in_the_open();
    let script = format!(
        "case $ARTEL_TASK in t1) n=0; until test -e {gone}; do n=$((n+1)); test $n -lt 400 || exit 9; sleep 0.05; done;; \
         t4) touch {gone};; esac\nmkdir -p w; echo x > $(cat $ARTEL_PATHS)\n",
        gone = gone.display()
    );
    let agent = house.root().join("agent.sh");
    fs::write(&agent, script).unwrap();
    let set = format!("worker.agents=command:sh {}", agent.display());
    house.artel(&["run", "goal.md", "--workers", "2", "--role", &set]).exits(0);
    assert_eq!(house.board()["counts"]["landed"], 5);
}

#[test]
fn a_part_with_faults_is_refused_with_all_of_them() {
    let house = house("plan:\n  - emmit: []\n  - wait: {ms: soon}\n", WORK);
    let said = house.artel(&["run", "goal.md"]).exits(3).says("plan.yml").says("emmit");
    assert!(said.err.contains("line 2, column 5") && said.err.contains("line 3, column 5"), "{}", said.err);
    fs::remove_file(house.repo().join("plan.yml")).unwrap();
    house.artel(&["run", "goal.md"]).exits(3).says("plan.yml").says("No such file");
    house.artel(&["list", "--json"]).exits(0).says("[]");
}
