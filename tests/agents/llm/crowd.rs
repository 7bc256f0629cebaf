//! Tells how many sessions of artel's own loop fare at once: nothing that they use is lost, and no budget is overshot.

use std::fs;

use serde_json::Value;

use super::scene::{CLAUDE, Scene, USED};
use crate::model::{Gate, Script, Turn};
use crate::stage::told;
use crate::workers::{FILES, counted};

const SESSIONS: usize = 200;

/// A scene in which as many sessions have a task each, and all ask for the first time at the same moment.
fn crowd(goal: &str, gate: &Gate) -> Scene {
    let name = |number: usize| format!("task-{number}-of-many");
    let task = |number| format!("{{key: t{number}, brief: \"{}\", paths: [f{number}.txt]}}", name(number));
    let tasks = format!("[{}]", (0..SESSIONS).map(task).collect::<Vec<_>>().join(", "));
    let script = |number: usize| {
        let first = Turn::writes(&format!("f{number}.txt"), "after\n").using(USED).behind(gate);
        Script::of(&name(number), [first, Turn::says("It is written.").using(USED)])
    };
    let scene = Scene::with(CLAUDE, goal, &tasks, &FILES, (0..SESSIONS).map(script));
    fs::create_dir_all(scene.house.home()).unwrap();
    let providers = format!("[providers.anthropic]\ncalls_at_once = {SESSIONS}\n");
    fs::write(scene.house.home().join("gateway.toml"), providers).unwrap();
    scene
}

#[test]
fn two_hundred_sessions_at_once_are_counted_to_the_token() {
    let gate = Gate::default();
    let scene = crowd("", &gate);
    let workers = SESSIONS.to_string();
    let mut started = scene.command(&scene.args(&["--workers", &workers])).spawn().unwrap();
    gate.is_reached_by(SESSIONS);
    gate.open();
    assert_eq!(started.wait().unwrap().code(), Some(0));
    assert_eq!(told(&scene.house, "CallMade").len(), 2 * SESSIONS);
    assert_eq!(scene.worktrees(), Vec::<String>::new());
    scene.is_accounted();
}

#[test]
fn a_crowd_of_sessions_spends_no_more_than_the_budget() {
    let gate = Gate::default();
    gate.open();
    // A call may cost a quarter of a dollar and more, costs about half a cent, and four hundred are to be made.
    let scene = crowd("budget: { usd: 1 }\n", &gate);
    let workers = SESSIONS.to_string();
    scene.run(&["--workers", &workers]).exits(8).says("$1");
    assert_eq!(counted(&scene.house), scene.model.told(), "nothing is lost");
    let spent = |calls: &[Value]| calls.iter().map(|it| it["call"]["nano_usd"].as_u64().unwrap()).sum::<u64>();
    let spent = spent(&told(&scene.house, "CallMade"));
    assert!((1..=1_000_000_000).contains(&spent), "{spent}");
    scene.artel(&["resume", "--usd", "200"]).exits(0);
    assert_eq!(scene.house.landed(&format!("f{}.txt", SESSIONS - 1)), "after");
    scene.is_accounted();
}
