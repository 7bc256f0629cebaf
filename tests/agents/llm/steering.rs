//! Tells how what people say while a session of artel's own loop runs stays with it: whatever part it plays, and however often
//! its context is made shorter.

use serde_json::json;

use super::scene::{CLAUDE, Scene, USED, keyed};
use crate::common::{House, said};
use crate::model::{Call, Gate, Model, Script, Seen, Turn, Usage};
use crate::stage::told;
use crate::workers::KEY;

/// What each of them is told in the middle of its session.
const WORDS: &str = "take the blue one";

#[test]
fn what_a_worker_was_told_stands_in_each_context_after() {
    let long = Usage { input: 5000, ..USED };
    let gate = Gate::default();
    let note = json!({"done": "", "left": "write b.txt", "decided": "", "found": ""});
    let turns = [
        Turn::calls(Call::read("a.txt")).using(long).behind(&gate),
        Turn::calls(Call::exact("hand_over", note.clone())).using(long),
        Turn::calls(Call::read("a.txt")).using(long),
        Turn::calls(Call::exact("hand_over", note)).using(long),
        Turn::writes("b.txt", "after\n").using(USED),
        Turn::says("It is written.").using(USED),
    ];
    let scene = Scene::of(CLAUDE, turns);
    let mut running = scene.command(&scene.args(&["--role", "worker.context_tokens=4000"])).spawn().unwrap();
    gate.is_reached_by(1);
    scene.house.artel(&["steer", WORDS]).exits(0);
    gate.open();
    assert!(running.wait().unwrap().success());
    assert_eq!(told(&scene.house, "SteeringHeard").len(), 1);
    let times: Vec<usize> = scene.turns().iter().map(times).collect();
    assert_eq!(times, [0, 1, 1, 1, 1, 1], "it is told once, and in each context");
}

#[test]
fn a_planner_is_told_with_the_answer_of_its_next_tool() {
    let goal = "---\nname: a goal\ndone: [\"grep -q quince a.txt\"]\n---\nWrite it.\n";
    let task = json!({"key": "one", "title": "write it", "brief": "This is work-one.", "paths": ["a.txt"]});
    let gate = Gate::default();
    let turns = [
        Turn::calls(Call::exact("list", json!({}))).behind(&gate),
        Turn::calls(Call::tool("emit_task", task)),
        Turn::says("```artel\n{}\n```"),
        Turn::says("```artel\n{}\n```"),
    ];
    let model = Model::plays_for(KEY, [Script::of("Scope `root`", turns)]);
    let house = House::with(&[("goal.md", goal), ("b.txt", "b\n")]);
    let planner = format!("shard.agents=[{CLAUDE:?}]");
    let worker = "worker.agents=[\"command:echo quince > a.txt\"]";
    let args = ["run", "goal.md", "--role", &planner, "--role", worker, "--role", "worker.mechanical=false"];
    let mut command = house.command(&args);
    let mut running = keyed(&mut command, &model).spawn().unwrap();
    gate.is_reached_by(1);
    house.artel(&["steer", WORDS]).exits(0);
    gate.open();
    assert!(running.wait().unwrap().success());
    let heard = told(&house, "SteeringHeard");
    assert_eq!((&heard[0]["seat"], &heard[0]["before_call"]), (&json!("s0/1"), &json!(2)), "{heard:?}");
    let times: Vec<usize> = model.asked().iter().map(times).collect();
    assert_eq!(times[..3], [0, 1, 1], "the session that ran was told");
    said(&house.command(&["verify"]).output().unwrap()).exits(0);
}

/// Counts how often a request holds what was said.
fn times(seen: &Seen) -> usize {
    String::from_utf8_lossy(&seen.request.body).matches(WORDS).count()
}
