//! Tells how many sessions of artel's own loop fare at once: nothing that they use is lost, and no budget is overshot.

use std::fs;

use serde_json::Value;

use super::faults::accounts_for_all;
use super::scene::{CLAUDE, Scene, USED};
use crate::model::{Gate, Script, Turn};
use crate::stage::told;
use crate::workers::{FILES, counted};

const SESSIONS: usize = 200;
/// Sessions of the crowd whose coordinator is killed, how often that is, and by which lot.
const KILLED: usize = 40;
const KILLS: usize = 4;
const SEED: u64 = 20_261_130;

/// What a task of the crowd is known by.
fn name(number: usize) -> String {
    format!("task-{number}-of-many")
}

/// What a session does first.
fn writes(number: usize) -> Turn {
    Turn::writes(&format!("f{number}.txt"), "after\n").using(USED)
}

fn says() -> Turn {
    Turn::says("It is written.").using(USED)
}

/// A scene in which as many sessions have a task each, and all ask for the first time at the same moment.
fn crowd(goal: &str, gate: &Gate) -> Scene {
    let script = |number| Script::of(&name(number), [writes(number).behind(gate), says()]);
    crowd_of(SESSIONS, goal, (0..SESSIONS).map(script))
}

/// What so many tasks are answered, whichever of so many attempts asks: who has written says so, and who has not writes.
fn whoever_asks(tasks: usize, attempts: usize) -> impl Iterator<Item = Script> {
    let ends = move |number| Script::of(&name(number), (0..attempts).map(|_| says())).and("Done: 6 bytes.");
    let begins = move |number| Script::of(&name(number), (0..attempts).map(|_| writes(number)));
    (0..tasks).map(ends).chain((0..tasks).map(begins))
}

/// A scene in which so many sessions have a task each.
fn crowd_of(sessions: usize, goal: &str, scripts: impl IntoIterator<Item = Script>) -> Scene {
    let task = |number| format!("{{key: t{number}, brief: \"{}\", paths: [f{number}.txt]}}", name(number));
    let tasks = format!("[{}]", (0..sessions).map(task).collect::<Vec<_>>().join(", "));
    let scene = Scene::with(CLAUDE, goal, &tasks, &FILES, scripts);
    fs::create_dir_all(scene.house.home()).unwrap();
    let providers = format!("[providers.anthropic]\ncalls_at_once = {sessions}\n");
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
    // A call may cost a quarter of a dollar and more, costs about half a cent, and four hundred are to be made.
    let scene = crowd_of(SESSIONS, "budget: { usd: 1 }\n", whoever_asks(SESSIONS, 2));
    let workers = SESSIONS.to_string();
    scene.run(&["--workers", &workers]).exits(8).says("$1");
    assert_eq!(counted(&scene.house), scene.model.told(), "nothing is lost");
    let spent = |calls: &[Value]| calls.iter().map(|it| it["call"]["nano_usd"].as_u64().unwrap()).sum::<u64>();
    let spent = spent(&told(&scene.house, "CallMade"));
    assert!((1..=1_000_000_000).contains(&spent), "{spent}");
    scene.artel(&["resume", "--usd", "200"]).exits(0);
    for number in 0..SESSIONS {
        assert_eq!(scene.house.landed(&format!("f{number}.txt")), "after");
    }
    scene.is_accounted();
}

#[test]
fn a_crowd_whose_coordinator_is_killed_at_random_accounts_for_no_less_than_it_used() {
    let scene = crowd_of(KILLED, "budget: { usd: 200 }\n", whoever_asks(KILLED, KILLS + 1));
    let mut lots = fastrand::Rng::with_seed(SEED);
    let args = ["--workers", "16", "--role", "worker.limits.attempts=9"];
    let mut started = scene.command(&scene.args(&args)).spawn().unwrap();
    // Two calls a session are the fewest that there are: each kill finds sessions that have more to say.
    let span = 2 * KILLED / (KILLS + 1);
    for kill in 0..KILLS {
        scene.model.is_asked(kill * span + lots.usize(1..=span));
        started.kill().unwrap();
        started.wait().unwrap();
        started = scene.command(&["resume"]).spawn().unwrap();
    }
    assert_eq!(started.wait().unwrap().code(), Some(0));
    for number in 0..KILLED {
        assert_eq!(scene.house.landed(&format!("f{number}.txt")), "after");
    }
    accounts_for_all(&scene);
    scene.house.artel(&["verify"]).exits(0);
}
