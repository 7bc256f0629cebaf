//! Tells what becomes of a task when its model fails: refuses, breaks off, says nothing of use, or is asked by an agent
//! that has to end. Each with a real program in the sandbox, and what is accounted is never less than what was told.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::clis::Cli;
use crate::common::{House, Said};
use crate::model::{Call, Model, Script, Seen, Taken, Turn, Usage};
use crate::stage::{alive, crew, run, told, why};
use crate::workers::{FILES, KEY, TASK, agent, artel, command, counted, found_below};

const USED: Usage = Usage { input: 1234, cache_read: 300, cache_write: 20, output: 77, reasoning: 5 };
const REASON: &str = "this is what the provider says against it";

/// Says how what is accounted stands to what the model told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    /// To the token.
    Exactly,
    /// No less: an answer broke off, and its end may have been used and not told.
    NoLess,
    /// No less in money: what was held counts as spent where it is over before a call is told.
    InMoney,
}

/// A house in which one task is to be done by a program that asks a model.
struct Stage {
    cli: Cli,
    house: House,
    model: Model,
    folder: PathBuf,
    role: String,
}

impl Stage {
    /// Sets the stage; nothing where the program is not here.
    fn of(cli: Cli, turns: impl IntoIterator<Item = Turn>) -> Option<Self> {
        let (agent, folder) = agent(cli)?;
        let model = Model::plays_for(KEY, [Script::of("task-a", turns)]);
        Some(Self { cli, house: crew("", TASK, &FILES), model, folder, role: format!("worker.agents=[{agent:?}]") })
    }

    fn args(&self) -> Vec<&str> {
        run(&self.role, &["--sandbox", "bubblewrap"])
    }

    fn artel(&self, args: &[&str]) -> Said {
        artel(&self.house, &self.model, &self.folder, args)
    }

    /// Runs the goal to its end, as often as its agent is tried once.
    fn run_once(&self) -> Said {
        let mut args = self.args();
        args.extend(["--role", "worker.limits.attempts=1"]);
        self.artel(&args)
    }

    /// Counts the requests that took a turn.
    fn turns(&self) -> usize {
        self.model.asked().iter().filter(|seen| matches!(seen.taken, Taken::Turn { .. })).count()
    }

    /// Prices what was told, in nano-dollars.
    fn price(&self, told: Usage) -> u64 {
        let Usage { input, cache_read, cache_write, output, .. } = told;
        match self.cli {
            // Sonnet: 3 dollars a million tokens read, 3.75 to keep them, 0.30 from the cache, 15 written.
            Cli::Claude | Cli::Goose => input * 3_000 + cache_write * 3_750 + cache_read * 300 + output * 15_000,
            // GPT-5: 1.25 dollars, whether kept or not, 0.125 and 10.
            Cli::Codex => (input + cache_write) * 1_250 + cache_read * 125 + output * 10_000,
        }
    }

    #[track_caller]
    fn accounts(&self, counted_as: Counted) {
        let (counted, told) = (counted(&self.house), self.model.told());
        let sum = |usage: Usage| usage.prompt() + usage.output;
        match counted_as {
            Counted::Exactly => assert_eq!(counted, told, "what was counted is what the model told"),
            Counted::NoLess => assert!(sum(counted) >= sum(told), "{counted:?} of {told:?}"),
            Counted::InMoney => {}
        }
        let cost = self.artel(&["cost", "--json"]).exits(0).json();
        let nano_usd = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("no money in {cost}"));
        let accounted = nano_usd(&cost["total"]["spend"]["nano_usd"]) + nano_usd(&cost["held_nano_usd"]);
        assert!(accounted >= self.price(told), "{accounted} of {}", self.price(told));
        if counted_as == Counted::Exactly {
            assert_eq!(accounted, self.price(told));
        }
        self.model.was_asked_only_by(KEY);
    }
}

/// Has a task done by a model that has this fault once, before it does what is to be done.
#[track_caller]
fn lands_after(cli: Cli, fault: Turn, counted: Counted) {
    let writes = Turn::writes("{cwd}/b.txt", "after\n").using(USED);
    let Some(stage) = Stage::of(cli, [fault, writes, Turn::says("It is written.")]) else { return };
    stage.run_once().exits(0);
    assert_eq!(stage.house.landed("b.txt"), "after");
    assert!(stage.turns() >= 3, "the fault took a turn");
    assert!(stage.turns() <= 5, "it was not asked again and again: {}", stage.turns());
    stage.accounts(counted);
}

fn limited() -> Turn {
    Turn::refuses(429).header("retry-after", "1")
}

#[test]
fn a_task_lands_after_a_limit_of_its_model() {
    lands_after(Cli::Claude, limited(), Counted::Exactly);
}

#[test]
fn codex_does_its_task_after_a_limit_of_its_model() {
    lands_after(Cli::Codex, limited(), Counted::Exactly);
}

#[test]
fn goose_does_its_task_after_a_limit_of_its_model() {
    lands_after(Cli::Goose, limited(), Counted::Exactly);
}

#[test]
fn a_task_lands_after_its_model_was_overloaded() {
    lands_after(Cli::Claude, Turn::refuses(529), Counted::Exactly);
}

#[test]
fn a_task_lands_after_its_model_failed() {
    lands_after(Cli::Claude, Turn::refuses(500), Counted::Exactly);
}

#[test]
fn codex_does_its_task_after_its_model_failed() {
    lands_after(Cli::Codex, Turn::refuses(500), Counted::Exactly);
}

#[test]
fn a_task_lands_after_an_answer_was_cut() {
    lands_after(Cli::Claude, Turn::says("It is half of what").using(USED).cut(), Counted::NoLess);
}

#[test]
fn codex_does_its_task_after_an_answer_was_cut() {
    lands_after(Cli::Codex, Turn::says("It is half of what").using(USED).cut(), Counted::NoLess);
}

#[test]
fn a_task_lands_after_an_error_in_an_answer() {
    let breaks = Turn::says("It is half of what").using(USED).breaking("overloaded_error");
    lands_after(Cli::Claude, breaks, Counted::NoLess);
}

#[test]
fn a_task_lands_after_a_connection_was_reset() {
    lands_after(Cli::Claude, Turn::resets(), Counted::NoLess);
}

/// Has a task tried by a model that never does it, and gives why it was kept.
#[track_caller]
fn is_kept(stage: &Stage, calls_most: usize) -> String {
    stage.run_once().exits(5);
    assert!(stage.turns() <= calls_most, "{} calls, at most {calls_most}", stage.turns());
    let landed = told(&stage.house, "BatchLanded");
    assert!(landed.is_empty(), "{landed:?}");
    why(&stage.house, "t1")
}

#[test]
fn a_task_whose_model_refuses_is_kept_with_the_reason() {
    let refuses = Turn::says("I will not do this.").using(USED).stopping("refusal");
    let Some(stage) = Stage::of(Cli::Claude, [refuses]) else { return };
    let why = is_kept(&stage, 4);
    assert!(why.contains("can't help with this"), "{why}");
    stage.accounts(Counted::Exactly);
}

#[test]
fn a_task_whose_model_takes_no_request_is_kept_with_the_reason() {
    let body = json!({"type": "error", "error": {"type": "invalid_request_error", "message": REASON}});
    for cli in [Cli::Claude, Cli::Codex] {
        let Some(stage) = Stage::of(cli, [Turn::refuses(400).body(body.clone())]) else { continue };
        let why = is_kept(&stage, 4);
        assert!(why.contains(REASON), "{why}");
        assert_eq!(counted(&stage.house), Usage::default());
    }
}

#[test]
fn a_task_whose_model_fails_each_time_is_kept_after_few_calls() {
    let Some(stage) = Stage::of(Cli::Claude, [Turn::refuses(500).header("retry-after", "0")]) else { return };
    let why = is_kept(&stage, 8);
    assert!(why.contains("500") || why.contains("error"), "{why}");
    assert_eq!(counted(&stage.house), Usage::default());
}

#[test]
fn a_task_whose_key_is_refused_is_kept_with_the_reason_and_without_the_key() {
    let Some(mut stage) = Stage::of(Cli::Claude, []) else { return };
    stage.model = Model::plays_for("another-key", [Script::of("task-a", [Turn::says("never said")])]);
    let why = is_kept(&stage, 0);
    assert!(why.contains("does not accept the key"), "{why}");
    let asked = stage.model.asked().len();
    assert_eq!(asked, 1, "it is shown once, however often the task is tried");
    assert_eq!(found_below(stage.house.root(), KEY), Vec::<String>::new(), "the key lies nowhere");
}

/// Has an agent end well that changed nothing: what is to be done decides, and says that it is not.
#[track_caller]
fn lands_nothing(cli: Cli, turns: impl IntoIterator<Item = Turn>) {
    let Some(stage) = Stage::of(cli, turns) else { return };
    stage.house.write("goal.md", "---\nname: a goal\ndone: [\"test -f b.txt\"]\n---\nDo what is written.\n");
    stage.house.commit("a goal that can fail");
    stage.run_once().exits(5).says("t1.1 changed nothing; nothing to do").says("test -f b.txt");
    assert!(told(&stage.house, "BatchLanded").is_empty());
    assert_eq!(told(&stage.house, "AttemptEnded")[0]["outcome"], "nothing");
    stage.accounts(Counted::Exactly);
}

#[test]
fn claude_code_that_only_says_that_it_is_done_lands_nothing() {
    lands_nothing(Cli::Claude, [Turn::says("All is done.").using(USED)]);
}

#[test]
fn codex_that_only_says_that_it_is_done_lands_nothing() {
    lands_nothing(Cli::Codex, [Turn::says("All is done.").using(USED)]);
}

#[test]
fn goose_that_only_says_that_it_is_done_lands_nothing() {
    lands_nothing(Cli::Goose, [Turn::says("All is done.").using(USED)]);
}

#[test]
fn an_agent_that_was_denied_its_tool_lands_nothing() {
    let leaves = Turn::calls(Call::exact("EnterWorktree", json!({"name": "elsewhere"})));
    lands_nothing(Cli::Claude, [leaves, Turn::says("All is done.")]);
}

/// Has an agent write something and then wait in the middle of an answer, in a run that was started.
fn in_mid_answer(cli: Cli) -> Option<(Stage, Child)> {
    let turns = [Turn::writes("{cwd}/b.txt", "during\n").using(USED), Turn::hangs().using(USED)];
    let stage = Stage::of(cli, turns)?;
    let log = File::create(stage.house.root().join("started.log")).unwrap();
    let mut command = command(&stage.house, &stage.model, &stage.folder, &stage.args());
    let started = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    let is_second = |it: &Seen| matches!(it.taken, Taken::Turn { turn: 2, .. }) && it.status.is_some();
    stage.model.waits("the second answer", |seen| seen.iter().any(is_second));
    assert!(!alive(&stage.house).is_empty(), "the agent lives");
    Some((stage, started))
}

/// Asserts that a run has ended with all that it started, and that no account lacks what was told.
#[track_caller]
fn has_stopped(stage: &Stage, mut started: Child) {
    assert_eq!(started.wait().unwrap().code(), Some(7));
    stage.house.until("no process of the house lives", || alive(&stage.house).is_empty());
    assert!(told(&stage.house, "BatchLanded").is_empty());
    stage.accounts(Counted::InMoney);
}

#[track_caller]
fn stops_at_once(cli: Cli) {
    let Some((stage, started)) = in_mid_answer(cli) else { return };
    stage.artel(&["stop", "--now"]).exits(0);
    has_stopped(&stage, started);
}

#[test]
fn a_run_that_is_stopped_at_once_leaves_no_process_of_claude_code_and_accounts_for_its_answer() {
    stops_at_once(Cli::Claude);
}

#[test]
fn a_run_that_is_stopped_at_once_leaves_no_process_of_codex_and_accounts_for_its_answer() {
    stops_at_once(Cli::Codex);
}

#[test]
fn a_run_that_is_stopped_at_once_leaves_no_process_of_goose_and_accounts_for_its_answer() {
    stops_at_once(Cli::Goose);
}

#[test]
fn a_run_that_is_interrupted_twice_leaves_no_process_of_an_agent_and_accounts_for_its_answer() {
    let Some((stage, started)) = in_mid_answer(Cli::Claude) else { return };
    let interrupt = || kill_process(Pid::from_child(&started), Signal::INT).unwrap();
    interrupt();
    let log = stage.house.root().join("started.log");
    stage.house.until("it drains", || fs::read_to_string(&log).is_ok_and(|text| text.contains("Ctrl-C once more")));
    interrupt();
    has_stopped(&stage, started);
}
