//! Tells what becomes of a task of artel's own loop when its model fails, its money ends, or somebody ends it: nothing is
//! lost, nothing asked for ever, and what is accounted is never less than what was told.

use std::fs::{self, File};
use std::process::Child;

use serde_json::{Value, json};

use super::scene::{AGENTS, CLAUDE, Scene, TASK, USED};
use crate::model::{Gate, Model, Script, Taken, Turn, Usage};
use crate::stage::{alive, told, why};
use crate::workers::{FILES, KEY, counted, found_below};

fn writes() -> Turn {
    Turn::writes("b.txt", "after\n").using(USED)
}

/// Has a task done by each API whose model has this fault once, before it does what is to be done.
#[track_caller]
fn lands_after(fault: impl Fn() -> Turn, is_exact: bool) {
    lands_by(&AGENTS, fault, is_exact);
}

#[track_caller]
fn lands_by(agents: &[&str], fault: impl Fn() -> Turn, is_exact: bool) {
    for agent in agents {
        let scene = Scene::of(agent, [fault(), writes(), Turn::says("It is written.").using(USED)]);
        scene.run(&[]).exits(0);
        assert_eq!(scene.house.landed("b.txt"), "after", "{agent}");
        assert_eq!(scene.turns().len(), 3, "{agent}: each was asked once, and the one that failed once more");
        if is_exact {
            scene.is_accounted();
        } else {
            let sum = |usage: Usage| usage.prompt() + usage.output;
            let (counted, told) = (counted(&scene.house), scene.model.told());
            assert!(sum(counted) >= sum(told), "{agent}: {counted:?} of {told:?}");
        }
    }
}

#[test]
fn a_task_lands_after_a_limit_of_its_model() {
    lands_after(|| Turn::refuses(429).header("retry-after", "1"), true);
}

#[test]
fn a_task_lands_after_its_model_failed() {
    lands_after(|| Turn::refuses(500), true);
}

#[test]
fn a_task_lands_after_its_model_was_overloaded() {
    lands_by(&[CLAUDE], || Turn::refuses(529), true);
}

#[test]
fn a_task_lands_after_an_answer_was_cut() {
    lands_after(|| Turn::says("It is half of what").using(USED).cut(), false);
}

#[test]
fn a_task_lands_after_an_error_in_an_answer() {
    lands_after(|| Turn::says("It is half of what").using(USED).breaking("overloaded_error"), false);
}

#[test]
fn a_task_lands_after_a_connection_was_reset() {
    lands_after(Turn::resets, false);
}

/// Has a task tried by a model that never does it, and gives why it was kept.
#[track_caller]
fn is_kept(scene: &Scene, turns: usize) -> String {
    scene.run(&[]).exits(5);
    assert_eq!(scene.turns().len(), turns);
    assert!(told(&scene.house, "BatchLanded").is_empty());
    why(&scene.house, "t1")
}

#[test]
fn a_task_whose_model_refuses_is_kept_with_its_words() {
    for (agent, reason) in AGENTS.into_iter().zip(["refusal", "content_filter", "", "SAFETY"]) {
        if reason.is_empty() {
            continue;
        }
        let scene = Scene::of(agent, [Turn::says("I will not do this.").using(USED).stopping(reason)]);
        let why = is_kept(&scene, 1);
        assert_eq!(why, "the model refused to go on: I will not do this.", "{agent}");
        scene.is_accounted();
    }
}

#[test]
fn a_task_whose_model_takes_no_request_is_kept_with_the_reason() {
    let error = json!({"error": {"type": "invalid_request_error", "message": "this is what the provider says"}});
    for agent in AGENTS {
        let scene = Scene::of(agent, [Turn::refuses(400).body(error.clone())]);
        assert_eq!(is_kept(&scene, 1), "400: this is what the provider says", "{agent}");
        assert_eq!(counted(&scene.house), Usage::default());
    }
}

#[test]
fn a_task_whose_key_is_refused_is_kept_and_without_the_key() {
    let mut scene = Scene::of(CLAUDE, []);
    scene.model = Model::plays_for("another-key", [Script::of("task-a", [Turn::says("never said")])]);
    assert!(is_kept(&scene, 0).contains("does not accept the key"), "{}", why(&scene.house, "t1"));
    assert_eq!(scene.model.asked().len(), 1, "it was shown once");
    assert_eq!(found_below(scene.house.root(), KEY), Vec::<String>::new());
}

#[test]
fn a_task_without_a_key_or_a_provider_says_what_to_do() {
    for (agent, expected) in [
        (CLAUDE, "there is no key for `anthropic`; set ANTHROPIC_API_KEY, or say in gateway.toml where it is"),
        ("llm:nobody::m", "failed to find the provider `nobody`: say in gateway.toml where it is"),
        ("llm:anthropic/chat::m", "`anthropic` does not speak that form"),
    ] {
        let scene = Scene::of(agent, []);
        let mut command = scene.command(&scene.args(&[]));
        if agent == CLAUDE {
            command.env_remove("ANTHROPIC_API_KEY");
        }
        crate::common::said(&command.output().unwrap()).exits(5);
        assert!(why(&scene.house, "t1").contains(expected), "{}", why(&scene.house, "t1"));
    }
}

#[test]
fn nothing_lands_of_a_model_that_only_says_that_it_is_done() {
    let scene = Scene::of(CLAUDE, [Turn::says("All is done.").using(USED)]);
    scene.house.write("goal.md", "---\nname: a goal\ndone: [\"test -f b.txt\"]\n---\nDo what is written.\n");
    scene.house.commit("a goal that can fail");
    scene.run(&[]).exits(5).says("t1.1 changed nothing");
    assert_eq!(told(&scene.house, "AttemptEnded")[0]["outcome"], "nothing");
    scene.is_accounted();
}

#[test]
fn nothing_is_sent_over_the_budget_and_the_run_goes_on_after_a_raise() {
    let turns = [writes(), Turn::says("It is written.").using(USED)];
    let scene = Scene::with(CLAUDE, "budget: { usd: 0.001 }\n", TASK, &FILES, [Script::of("task-a", turns)]);
    scene.run(&[]).exits(8).says("$0.001");
    assert_eq!(scene.model.asked().len(), 0, "nothing was sent");
    assert_eq!(told(&scene.house, "MoneyRanOut").len(), 1);
    scene.artel(&["resume", "--usd", "20"]).exits(0);
    assert_eq!(scene.house.landed("b.txt"), "after");
    scene.is_accounted();
}

#[test]
fn calls_of_a_session_are_bounded_by_its_role() {
    let scene = Scene::of(CLAUDE, [writes(), writes(), writes()]);
    scene.run(&["--role", "worker.limits.calls=2"]).exits(5);
    assert_eq!(scene.turns().len(), 2);
    assert!(why(&scene.house, "t1").contains("may make 2 calls"), "{}", why(&scene.house, "t1"));
    scene.is_accounted();
}

#[cfg(debug_assertions)]
#[test]
fn a_limit_of_hours_costs_no_try_and_no_call_until_it_is_lifted() {
    for agent in AGENTS {
        let limited = Turn::refuses(429).header("retry-after", "7200");
        let scene = Scene::of(agent, [limited, writes(), Turn::says("It is written.").using(USED)]);
        let skew = scene.house.root().join("skew");
        fs::write(&skew, "0").unwrap();
        let mut waiting = scene.command(&scene.args(&[])).env("ARTEL_SKEW", &skew).spawn().unwrap();
        scene.house.until("the limit is met", || told(&scene.house, "AttemptLimited").len() == 1);
        let limit = &told(&scene.house, "AttemptLimited")[0];
        assert!(limit["until_ms"].is_number(), "{agent}: {limit}");
        waiting.kill().unwrap();
        waiting.wait().unwrap();
        assert_eq!(scene.turns().len(), 1, "{agent}");
        fs::write(&skew, "7300000").unwrap();
        let resumed = scene.command(&["resume"]).env("ARTEL_SKEW", &skew).output().unwrap();
        crate::common::said(&resumed).exits(0);
        assert_eq!(scene.house.landed("b.txt"), "after", "{agent}");
        assert_eq!(scene.turns().len(), 3, "{agent}");
    }
}

/// Prices what was told as Sonnet is priced: 3 dollars a million tokens read, 3.75 to keep them, 0.30 from the cache, 15
/// written.
fn price(told: Usage) -> u64 {
    let Usage { input, cache_read, cache_write, output, .. } = told;
    input * 3_000 + cache_write * 3_750 + cache_read * 300 + output * 15_000
}

#[track_caller]
pub(super) fn accounts_for_all(scene: &Scene) {
    let cost = scene.artel(&["cost", "--json"]).exits(0).json();
    let nano_usd = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("no money in {cost}"));
    let accounted = nano_usd(&cost["total"]["spend"]["nano_usd"]) + nano_usd(&cost["held_nano_usd"]);
    let used = price(scene.model.told());
    assert!(accounted >= used, "{accounted} of {used}");
}

/// Starts a run and waits until the model is in the middle of its second answer.
fn in_mid_answer(first: Turn) -> (Scene, Child) {
    let scene = Scene::of(CLAUDE, [first, Turn::hangs().using(USED)]);
    let log = File::create(scene.house.root().join("started.log")).unwrap();
    let mut command = scene.command(&scene.args(&[]));
    let started = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    scene.model.waits("the second answer", |seen| {
        seen.iter().any(|it| matches!(it.taken, Taken::Turn { turn: 2, .. }) && it.status.is_some())
    });
    (scene, started)
}

#[test]
fn a_session_that_is_stopped_leaves_no_process_and_its_answer_is_accounted_for() {
    for first in [writes(), Turn::runs("true").using(USED)] {
        let (scene, mut started) = in_mid_answer(first);
        scene.artel(&["stop", "--now"]).exits(0);
        assert_eq!(started.wait().unwrap().code(), Some(7));
        assert_eq!(alive(&scene.house), Vec::<String>::new());
        assert!(told(&scene.house, "BatchLanded").is_empty());
        accounts_for_all(&scene);
    }
}

#[test]
fn a_command_that_runs_when_its_session_is_stopped_is_ended_with_it() {
    let scene = Scene::of(CLAUDE, [Turn::runs("echo begun > begun; sleep 600").using(USED)]);
    let mut started = scene.command(&scene.args(&[])).spawn().unwrap();
    let has_begun = || scene.worktrees().iter().any(|tree| fs::exists(format!("{tree}/begun")).unwrap());
    scene.house.until("the command runs", has_begun);
    assert!(alive(&scene.house).len() > 1);
    scene.artel(&["stop", "--now"]).exits(0);
    assert_eq!(started.wait().unwrap().code(), Some(7));
    scene.house.until("no process of the house lives", || alive(&scene.house).is_empty());
    scene.is_accounted();
}

#[test]
fn what_is_accounted_is_no_less_than_what_was_used_when_the_coordinator_is_killed_in_an_answer() {
    let gate = Gate::default();
    let turns = [
        Turn::writes("b.txt", "during\n").using(USED),
        Turn::says("It is not over.").using(USED).behind(&gate),
        Turn::writes("b.txt", "after\n").using(USED),
        Turn::says("It is written.").using(USED),
    ];
    let scene = Scene::with(CLAUDE, "budget: { usd: 50 }\n", TASK, &FILES, [Script::of("task-a", turns)]);
    let mut killed = scene.command(&scene.args(&["--role", "worker.limits.attempts=2"])).spawn().unwrap();
    gate.is_reached_by(1);
    killed.kill().unwrap();
    killed.wait().unwrap();
    gate.open();
    scene.artel(&["resume"]).exits(0);
    assert_eq!(scene.house.landed("b.txt"), "after");
    accounts_for_all(&scene);
}

#[test]
fn a_model_that_has_keys_looked_for_finds_none() {
    let gate = Gate::default();
    let sift = "grep -aoE '(sk-real-[0-9a-f]+|artel-[0-9a-f]{64})' | sort -u";
    let looks = [
        format!("env | {sift}"),
        format!("cat /proc/*/environ /proc/*/cmdline /proc/*/maps 2>/dev/null | tr '\\0' '\\n' | {sift}"),
        format!(
            "find / -path /proc -prune -o -path /sys -prune -o -path /usr -prune -o -mmin -10 -type f -size -4M -print 2>/dev/null | xargs -d '\\n' cat 2>/dev/null | {sift}"
        ),
        "cat /proc/net/tcp /proc/net/tcp6 | grep -c ' 0A '; tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '"
            .to_owned(),
    ];
    let mut turns: Vec<Turn> = looks.iter().map(|line| Turn::runs(&format!("bash -c {}", quoted(line)))).collect();
    turns.extend([writes(), Turn::says("It is written.").behind(&gate)]);
    let scene = Scene::of(CLAUDE, turns);
    let mut started = scene.command(&scene.args(&["--sandbox", "bubblewrap"])).spawn().unwrap();
    gate.is_reached_by(1);
    let token = found_below(scene.house.root(), "artel-");
    gate.open();
    assert_eq!(started.wait().unwrap().code(), Some(0));
    for (text, _) in &scene.results()[..3] {
        assert_eq!(text, "It exited with 0.\nIt wrote nothing.\n");
    }
    assert_eq!(scene.results()[3].0, "It exited with 0.\n> 0\n> lo\n", "nobody listens, and no net leads out");
    let named = |path: &&String| fs::read(path).is_ok_and(|bytes| holds_token(&bytes));
    assert_eq!(token.iter().filter(named).collect::<Vec<_>>(), Vec::<&String>::new(), "the token lies nowhere");
    scene.is_accounted();
}

fn quoted(line: &str) -> String {
    format!("'{}'", line.replace('\'', "'\\''"))
}

/// Tells whether something holds what a session is known by.
fn holds_token(bytes: &[u8]) -> bool {
    let is_hex = |bytes: &[u8]| bytes.len() == 64 && bytes.iter().all(u8::is_ascii_hexdigit);
    bytes.windows(70).any(|window| window.starts_with(b"artel-") && is_hex(&window[6..]))
}
