//! Owns the simulation of the queue: the real laws, with checks that are simulated.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use artel::io::roles::Roles;
use artel::machine::command::{Command, Link, Opening, PlanStep};
use artel::machine::decide::decide;
use artel::machine::due::{Effect, due};
use artel::machine::event::{Event, Recorded};
use artel::machine::evolve::evolve;
use artel::machine::state::State;
use artel::model::attempt::{Candidate, Handoff, Outcome, Usage};
use artel::model::check::{Answer, CheckResult, Looks};
use artel::model::config::Config;
use artel::model::goal_text;
use artel::model::ids::{Oid, RunId, TaskId};
use artel::model::paths::PathSet;
use artel::model::task::TaskDraft;
use artel::model::verdict::{Ruling, Verdict};

use super::Size;
use super::figure::{Goal, figure};

/// Says how often things are bad.
#[derive(Debug, Clone, Copy)]
pub struct Odds {
    /// The share of candidates that make the checks red, exactly.
    pub bad: f64,
    /// How often a check is red on a good tree.
    pub flaky: f64,
}

/// Tells what came of the candidates.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outcomes {
    /// Runs of the full checks.
    pub checks: u32,
    /// Candidates that landed.
    pub landed: u32,
    /// Good candidates that were ejected.
    pub wronged: u32,
    /// Bad candidates that landed.
    pub slipped: u32,
}

struct Sim {
    state: State,
    log: Vec<Recorded>,
    odds: Odds,
    bad: BTreeSet<TaskId>,
    chance: fastrand::Rng,
    checks: u32,
}

/// Plays the queue's laws with simulated checks.
pub fn queues(size: Size) {
    let count = if size == Size::Quick { 500 } else { 20_000 };
    let per_landed = |outcomes: Outcomes| f64::from(outcomes.checks) / f64::from(outcomes.landed);
    for (percent, goal) in [(1, 0.10), (2, 0.16), (5, 0.31), (10, 0.54)] {
        let (outcomes, _) = play(count, Odds { bad: f64::from(percent) / 100.0, flaky: 0.0 });
        assert!(outcomes.wronged == 0 && outcomes.slipped == 0, "without flakes all are told apart: {outcomes:?}");
        let name = format!("checks_per_landed_{percent}_percent_bad");
        figure(&name, per_landed(outcomes), "checks", Goal::Most(goal));
    }
    for percent in [0, 5] {
        let (outcomes, _) = play(count, Odds { bad: f64::from(percent) / 100.0, flaky: 0.03 });
        let wronged = f64::from(outcomes.wronged) * 100.0 / f64::from(outcomes.landed + outcomes.wronged);
        let name = |what: &str| format!("{what}_3_percent_flaky_{percent}_percent_bad");
        figure(&name("good_ejected"), wronged, "%", Goal::Most(0.05));
        figure(&name("checks_per_landed"), per_landed(outcomes), "checks", Goal::None);
    }
}

/// Plays a run of so many candidates; gives what came of them and all events.
pub fn play(count: u32, odds: Odds) -> (Outcomes, Vec<Recorded>) {
    let mut chance = fastrand::Rng::with_seed(7);
    let mut shuffled: Vec<u32> = (1..=count).collect();
    chance.shuffle(&mut shuffled);
    let bad = shuffled.into_iter().take((f64::from(count) * odds.bad).round() as usize).map(TaskId).collect();
    let mut sim = Sim { state: State::default(), log: Vec::new(), odds, bad, chance, checks: 0 };
    sim.tell(&Command::Open(Box::new(opening())));
    sim.tell(&Command::Wake { epoch: 1, sandbox: None });
    sim.tell(&Command::ReportBranch { at: oid(0, 0) });
    sim.tell(&Command::ReportBaseline { results: vec![result(Answer::Green, 1)] });
    let (scope, wake) = (artel::model::ids::ScopeId(0), 1);
    sim.tell(&Command::ReportPlan { scope, wake, fence: 0, step: PlanStep::Emit((1..=count).map(draft).collect()) });
    sim.tell(&Command::ReportPlan { scope, wake, fence: 0, step: PlanStep::Done });
    while sim.state.end.is_none() {
        sim.tell(&Command::Advance);
        let owed = due(&sim.state);
        assert!(!owed.is_empty() || sim.state.end.is_some(), "the run hangs: {:?}", sim.state.tally);
        for effect in owed {
            sim.carry_out(&effect);
        }
    }
    let landed = |id: &TaskId| matches!(sim.state.tasks[id].status, artel::machine::state::Status::Landed { .. });
    let all: Vec<TaskId> = sim.state.tasks.keys().copied().collect();
    let outcomes = Outcomes {
        checks: sim.checks,
        landed: all.iter().filter(|id| landed(id)).count() as u32,
        wronged: all.iter().filter(|id| !landed(id) && !sim.bad.contains(id)).count() as u32,
        slipped: all.iter().filter(|id| landed(id) && sim.bad.contains(id)).count() as u32,
    };
    (outcomes, sim.log)
}

impl Sim {
    fn tell(&mut self, command: &Command) {
        let events: Vec<Event> = decide(&self.state, command, 0).expect("a lawful command");
        for event in events {
            let recorded = Recorded { seq: self.state.seq + 1, at_ms: 0, event };
            self.state = evolve(std::mem::take(&mut self.state), &recorded);
            self.log.push(recorded);
        }
    }

    fn carry_out(&mut self, effect: &Effect) {
        let command = match effect {
            Effect::Work { attempt, fence } => {
                let id = attempt.task.0;
                let base = self.state.attempt(*attempt).expect("a leased attempt").base;
                let candidate =
                    Candidate { commit: oid(1, id), tree: oid(2, id), base, files: 1, extent: Default::default() };
                let (outcome, handoff) = (Outcome::Candidate(candidate), Handoff::default());
                Command::ReportAttempt { attempt: *attempt, fence: *fence, outcome, handoff, usage: Usage::default() }
            }
            Effect::Judge { attempt } => {
                let checks = vec![result(Answer::Green, 1)];
                let verdict =
                    Verdict { ruling: Ruling::Accept, judge: "bench".to_owned(), findings: Vec::new(), checks };
                Command::ReportVerdict { attempt: *attempt, verdict, usage: Usage::default() }
            }
            Effect::Merge { batch } => {
                let members = self.state.batch.as_ref().map(|batch| batch.members.clone()).unwrap_or_default();
                let link = |(at, attempt): (usize, &artel::model::ids::AttemptId)| Link {
                    attempt: *attempt,
                    commit: oid(3 + batch.0, at as u32),
                    tree: oid(1_000_000 + batch.0, at as u32),
                    extent: Default::default(),
                };
                let chain = members.iter().enumerate().map(link).collect();
                Command::ReportMerge { batch: *batch, chain, conflicts: Vec::new() }
            }
            Effect::Check { batch, upto, tree, repeat, .. } => {
                let members = self.state.batch.as_ref().map(|batch| batch.members.clone()).unwrap_or_default();
                let is_bad = members.iter().take(*upto as usize).any(|member| self.bad.contains(&member.task));
                let results = vec![self.check(is_bad, *repeat)];
                Command::ReportPrefix { batch: *batch, upto: *upto, tree: *tree, results }
            }
            Effect::Land { batch, to, tree, .. } => Command::ReportLanding { batch: *batch, head: *to, tree: *tree },
            Effect::CheckConditions { head } => {
                let results = vec![CheckResult { name: "true".to_owned(), ..result(Answer::Green, 1) }];
                Command::ReportConditions { head: *head, results }
            }
            Effect::OpenBranch
            | Effect::TakeBaseline
            | Effect::Plan { .. }
            | Effect::Review { .. }
            | Effect::JudgeRun { .. }
            | Effect::Deliver { .. } => return,
        };
        self.tell(&command);
    }

    /// Answers as `actors::checks` does; the answer that decides comes after one red look.
    fn check(&mut self, is_bad: bool, decides: bool) -> CheckResult {
        let mut looks = Looks::after(u32::from(decides), Config::default().flaky_reruns);
        loop {
            let is_red = self.is_red(is_bad);
            looks.learn(is_red);
            if !decides || looks.is_enough() {
                let plain = if is_red { Answer::Red } else { Answer::Green };
                return result(looks.contradiction().unwrap_or(plain), looks.green + looks.red);
            }
        }
    }

    fn is_red(&mut self, is_bad: bool) -> bool {
        self.checks += 1;
        is_bad || self.chance.f64() < self.odds.flaky
    }
}

fn result(answer: Answer, runs: u32) -> CheckResult {
    let (code, failed, tail) = (Some(i32::from(answer == Answer::Red)), BTreeSet::new(), String::new());
    CheckResult { name: "full".to_owned(), answer, code, wall_ms: 1, runs, executed: None, failed, tail }
}

fn oid(kind: u32, number: u32) -> Oid {
    let mut bytes = [0; 20];
    bytes[..4].copy_from_slice(&kind.to_be_bytes());
    bytes[4..8].copy_from_slice(&number.to_be_bytes());
    Oid(bytes)
}

fn draft(number: u32) -> TaskDraft {
    TaskDraft {
        key: format!("task-{number}"),
        title: format!("task {number}"),
        brief: String::new(),
        paths: PathSet::of_files([format!("src/f{number}.rs")]),
        after: BTreeSet::new(),
        checks: Vec::new(),
        role: "worker".to_owned(),
        rules: Vec::new(),
        weight: 1,
        splits: PathSet::default(),
    }
}

/// Opens a run whose candidates are queued as fast as they land, each tried once.
pub fn opening() -> Opening {
    let text = "---\nname: bench\ndone: [\"true\"]\nchecks: [{name: full, run: \"true\"}]\n---\nbench\n";
    // A run of a million events has more tasks than one planner may give out by default.
    let changes = ["worker.limits.attempts=1", "shard.limits.tasks=1000000"].map(str::to_owned);
    let roles = Roles::load(None, &changes).expect("the built-in roles");
    let roles: BTreeMap<_, _> = roles.iter().map(|role| (role.name.clone(), role.clone())).collect();
    Opening {
        run: RunId::from_str("r-bench").expect("a name"),
        name: None,
        repo: "/".to_owned(),
        goal: goal_text::read(text).expect("a goal"),
        goal_text: text.to_owned(),
        config: Config::default(),
        roles,
        prompts: BTreeMap::new(),
        assets: BTreeMap::new(),
        protect: Vec::new(),
        own: BTreeSet::new(),
        base: oid(0, 0),
        base_tree: oid(0, 1),
        branch: None,
        workers: 64,
        judges: 64,
        seed: 1,
        notes: Vec::new(),
    }
}
