//! Owns the scenes of the machine's tests: given events, when a command, then events. Exists in tests only.

use std::collections::{BTreeMap, BTreeSet};

use super::command::{Ask, Command, Link, Opening, PlanStep};
use super::decide::decide;
use super::due::{Effect, due};
use super::event::{Event, Recorded};
use super::evolve::evolve;
use super::laws::follows;
use super::rejection::Rejection;
use super::snapshot;
use super::state::{State, Status, Task};
use crate::model::attempt::{Candidate, Handoff, Outcome, Usage};
use crate::model::check::{Answer, Check, CheckResult};
use crate::model::config::Config;
use crate::model::goal::{Budget, Condition, Goal, LandingPolicy, Order, Planning, Policy, Split};
use crate::model::ids::{AttemptId, BatchId, Oid, ScopeId, TaskId};
use crate::model::paths::PathSet;
use crate::model::role::{AgentRef, CONTEXT_TOKENS, ContextPolicy, Grants, Limits, Part, Role};
use crate::model::seat::Seat;
use crate::model::task::{ScopeDraft, TaskDraft};
use crate::model::verdict::{Finding, Ruling, Rung, Verdict};

/// Holds a run at one moment of a test.
#[derive(Clone)]
pub struct Scene {
    pub state: State,
    pub now_ms: i64,
    asked: u32,
}

impl Scene {
    /// Opens a run with one check, one planner that is a script, and a worker that may try twice.
    pub fn open() -> Self {
        Self::opened(|_| {})
    }

    /// Opens a run that differs from the usual one.
    pub fn opened(change: impl FnOnce(&mut Opening)) -> Self {
        let mut opening = opening();
        change(&mut opening);
        let scene = Self { state: State::default(), now_ms: 1_000_000, asked: 0 };
        scene.does(Command::Open(Box::new(opening))).does(Command::Wake { epoch: 1, sandbox: None })
    }

    /// Makes the branch and takes a green baseline.
    pub fn begun(self) -> Self {
        let at = self.state.opening().base;
        self.does(Command::ReportBranch { at }).does(Command::ReportBaseline { results: vec![green("tests")] })
    }

    /// Gives one command; tells what it brings.
    pub fn when(&self, command: &Command) -> Result<Vec<Event>, Rejection> {
        decide(&self.state, command, self.now_ms)
    }

    /// Gives one command, which the law must not refuse, and makes its events true.
    pub fn does(mut self, command: Command) -> Self {
        let events = self.when(&command).unwrap_or_else(|why| panic!("{command:?} is refused: {why}"));
        for event in events {
            follows(&self.state, &event).expect("a rule keeps the laws");
            self = self.given(event);
        }
        self
    }

    /// Makes an event true.
    pub fn given(mut self, event: Event) -> Self {
        let json = serde_json::to_string(&event).expect("an event can be stored");
        assert_eq!(serde_json::from_str::<Event>(&json).expect("an event can be read"), event);
        let recorded = Recorded { seq: self.state.seq + 1, at_ms: self.now_ms, event };
        self.state = evolve(self.state, &recorded);
        let kept = snapshot::write(&self.state).expect("a state can be kept");
        assert_eq!(snapshot::read(&kept), Some(self.state.clone()), "a kept state is the state");
        self
    }

    /// Lets time alone act until it brings nothing more.
    pub fn settled(mut self) -> Self {
        loop {
            let before = self.state.seq;
            self = self.does(Command::Advance);
            if self.state.seq == before {
                return self;
            }
        }
    }

    /// Lets time pass, then settles.
    pub fn later(mut self, ms: i64) -> Self {
        self.now_ms += ms;
        self.settled()
    }

    /// Brings a request under a name of its own.
    pub fn asks(mut self, ask: Ask) -> Self {
        self.asked += 1;
        let command = request(&format!("q-{}", self.asked), ask);
        self.does(command)
    }

    /// Tells why a request would be refused; empty where it would not.
    pub fn refusal(&self, ask: Ask) -> String {
        let events = self.when(&request("refused", ask)).expect("a request is answered, not rejected");
        let [Event::RequestRefused { why, .. }] = events.as_slice() else { return String::new() };
        why.clone()
    }

    /// Has the root planner make a move.
    pub fn plans(self, step: PlanStep) -> Self {
        let command = self.plan(0, step);
        self.does(command)
    }

    /// Names a move of a planner in its present waking.
    pub fn plan(&self, scope: u32, step: PlanStep) -> Command {
        let scope = ScopeId(scope);
        let wake = self.state.scopes[&scope].wake;
        let seat = Seat::Planner { scope, wake };
        let fence = self.state.sitting.get(&seat).map_or(0, |sitting| sitting.fence);
        Command::ReportPlan { scope, wake, fence, step }
    }

    /// Has the root planner hand out tasks and finish.
    pub fn planned(self, drafts: Vec<TaskDraft>) -> Self {
        self.plans(PlanStep::Emit(drafts)).plans(PlanStep::Done).settled()
    }

    /// Has the root planner woken, and hand out more tasks and finish where there are any.
    pub fn plans_anew(self, drafts: Vec<TaskDraft>) -> Self {
        let root = &self.state.scopes[&ScopeId(0)];
        let (scope, wake, handoffs) = (ScopeId(0), root.wake + 1, Vec::new());
        let scene = self.given(Event::PlannerWoken { scope, wake, handoffs });
        if drafts.is_empty() { scene } else { scene.planned(drafts) }
    }

    /// Has the root planner finish as often as it is woken.
    pub fn unplanned(mut self) -> Self {
        while self.state.planning.contains(&ScopeId(0)) {
            self = self.plans(PlanStep::Done).settled();
        }
        self
    }

    /// Ends an attempt under its own fence.
    pub fn ends(self, attempt: AttemptId, outcome: Outcome) -> Self {
        self.ends_with(attempt, outcome, Handoff::default())
    }

    /// Ends an attempt with a handoff.
    pub fn ends_with(self, attempt: AttemptId, outcome: Outcome, handoff: Handoff) -> Self {
        let command = self.ending(attempt, outcome, handoff);
        self.does(command)
    }

    /// Names the end of an attempt under its own fence and on its own base.
    pub fn ending(&self, attempt: AttemptId, mut outcome: Outcome, handoff: Handoff) -> Command {
        let lease = self.state.attempt(attempt).expect("the attempt was leased");
        if let Outcome::Candidate(candidate) = &mut outcome {
            candidate.base = lease.base;
        }
        let fence = lease.fence;
        Command::ReportAttempt { attempt, fence, outcome, handoff, usage: Usage::default() }
    }

    /// Has a judge accept a candidate with a green check.
    pub fn accepted(self, attempt: AttemptId) -> Self {
        self.does(verdict(attempt, Ruling::Accept))
    }

    /// Brings a task's first attempt to the queue.
    pub fn queued(self, task: u32) -> Self {
        let id = attempt(task, 1);
        self.ends(id, candidate(task)).accepted(id)
    }

    /// Merges the present batch without a conflict, onto trees that nobody has checked yet.
    pub fn merged(self) -> Self {
        let batch = self.state.batch.clone().expect("a batch is landing");
        let chain = batch.members.iter().map(|member| link(*member)).collect();
        self.does(Command::ReportMerge { batch: batch.id, chain, conflicts: Vec::new() })
    }

    /// Answers what the batch wants checked.
    pub fn checked(self, answer: Answer) -> Self {
        let command = self.checking(answer);
        self.does(command)
    }

    /// Names an answer to what the batch wants checked.
    pub fn checking(&self, answer: Answer) -> Command {
        let wanted = due(&self.state).into_iter().find(|effect| matches!(effect, Effect::Check { .. }));
        let Some(Effect::Check { batch, upto, tree, .. }) = wanted else { panic!("no prefix is to be checked") };
        Command::ReportPrefix { batch, upto, tree, results: vec![result("tests", answer)] }
    }

    /// Lands what is to land.
    pub fn landed(self) -> Self {
        let command = self.landing();
        self.does(command)
    }

    /// Names the landing that is owed.
    pub fn landing(&self) -> Command {
        let wanted = due(&self.state).into_iter().find(|effect| matches!(effect, Effect::Land { .. }));
        let Some(Effect::Land { batch, to: head, tree, .. }) = wanted else { panic!("nothing is to land") };
        Command::ReportLanding { batch, head, tree }
    }

    /// Brings a task whose first attempt runs to the run's branch, alone.
    pub fn lands(self, task: u32) -> Self {
        self.queued(task).settled().merged().checked(Answer::Green).landed().settled()
    }

    /// Answers the done-conditions.
    pub fn looked(self, answer: Answer) -> Self {
        let head = self.state.head.expect("the branch is there");
        self.does(Command::ReportConditions { head, results: vec![result("done", answer)] }).settled()
    }

    pub fn task(&self, id: u32) -> &Task {
        &self.state.tasks[&TaskId(id)]
    }

    pub fn status(&self, id: u32) -> &Status {
        &self.task(id).status
    }

    pub fn owes(&self) -> Vec<Effect> {
        due(&self.state)
    }
}

/// Names what events there are, in order.
pub fn kinds(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(Event::kind).collect()
}

pub fn request(id: &str, ask: Ask) -> Command {
    Command::Request { id: id.parse().expect("it is a request's name"), ask }
}

pub fn attempt(task: u32, number: u32) -> AttemptId {
    AttemptId { task: TaskId(task), number }
}

/// Makes an object's name of a number.
pub fn oid(number: u8) -> Oid {
    Oid([number; 20])
}

pub fn candidate(task: u32) -> Outcome {
    let number = task as u8;
    Outcome::Candidate(Candidate {
        commit: oid(100 + number),
        tree: oid(120 + number),
        base: oid(1),
        files: 1,
        extent: Default::default(),
    })
}

pub fn failed() -> Outcome {
    Outcome::Failed { why: "it broke".to_owned() }
}

/// Names the merge of an attempt; its tree is not the candidate's, so that it must be checked.
pub fn link(attempt: AttemptId) -> Link {
    let number = attempt.task.0 as u8;
    Link { attempt, commit: oid(140 + number), tree: oid(160 + number), extent: Default::default() }
}

pub fn batch(number: u32) -> BatchId {
    BatchId(number)
}

pub fn green(name: &str) -> CheckResult {
    result(name, Answer::Green)
}

pub fn result(name: &str, answer: Answer) -> CheckResult {
    CheckResult {
        name: name.to_owned(),
        answer,
        code: Some(i32::from(answer == Answer::Red)),
        wall_ms: 1,
        runs: 1,
        executed: None,
        failed: BTreeSet::new(),
        tail: "the tail".to_owned(),
    }
}

pub fn finding() -> Finding {
    Finding {
        rung: Rung::Checks,
        rule: "red".to_owned(),
        path: None,
        what: "it is red".to_owned(),
        advice: "mend it".to_owned(),
    }
}

/// Names a verdict of the ladder with a green check, and with a finding where it refuses.
pub fn verdict(attempt: AttemptId, ruling: Ruling) -> Command {
    let findings = if ruling == Ruling::Accept { Vec::new() } else { vec![finding()] };
    let verdict = Verdict { ruling, judge: "ladder".to_owned(), findings, checks: vec![green("tests")] };
    Command::ReportVerdict { attempt, verdict, usage: Usage::default() }
}

pub fn draft(key: &str, file: &str) -> TaskDraft {
    TaskDraft {
        key: key.to_owned(),
        title: key.to_owned(),
        brief: String::new(),
        paths: PathSet::parse([file.to_owned()]),
        after: BTreeSet::new(),
        checks: Vec::new(),
        role: "worker".to_owned(),
        rules: Vec::new(),
        weight: 1,
        splits: PathSet::default(),
    }
}

pub fn after(draft: TaskDraft, key: &str) -> TaskDraft {
    TaskDraft { after: [key.to_owned()].into(), ..draft }
}

pub fn part(key: &str, folder: &str) -> ScopeDraft {
    ScopeDraft {
        key: key.to_owned(),
        title: key.to_owned(),
        paths: PathSet::parse([folder.to_owned()]),
        decisions: BTreeSet::new(),
        role: "planner".to_owned(),
        brief: String::new(),
    }
}

fn role(name: &str, part: Part, agents: Vec<AgentRef>) -> (String, Role) {
    let role = Role {
        name: name.to_owned(),
        about: String::new(),
        part,
        agents,
        prompt: String::new(),
        failover: false,
        mechanical: false,
        lenses: Vec::new(),
        criteria: Vec::new(),
        effort: None,
        context: ContextPolicy::default(),
        context_tokens: CONTEXT_TOKENS,
        limits: Limits { depth: 1, fan_out: 2, tasks: 6, ..Limits::default() },
        grants: Grants::default(),
    };
    (name.to_owned(), role)
}

fn check(name: &str) -> Check {
    Check { name: name.to_owned(), run: "true".to_owned(), timeout_s: 60 }
}

fn opening() -> Opening {
    let script = || AgentRef::Script("part.yml".to_owned());
    Opening {
        run: "r-1".parse().expect("it is a run's name"),
        name: None,
        repo: "/repo/.git".to_owned(),
        goal: Goal {
            name: "goal".to_owned(),
            done: vec![Condition::Check(check("done"))],
            checks: vec![check("tests")],
            plan: Planning {
                planner: "planner".to_owned(),
                worker: "worker".to_owned(),
                judge: "judge".into(),
                run_judge: None,
                resolver: None,
                rules: Vec::new(),
                by: Split::Count,
                files_per_task: 1,
                sample: 0,
                exclude: Vec::new(),
                order: Order::None,
                iterations: 2,
                stop_list: false,
            },
            owns: Vec::new(),
            never: Vec::new(),
            budget: Budget::default(),
            landing: LandingPolicy { policy: Policy::Strict, batch: 8, conflicts: 1 },
            approve: BTreeSet::new(),
            gating: Default::default(),
            prose: String::new(),
            hash: String::new(),
        },
        goal_text: String::new(),
        config: Config { lease_s: 300, ..Config::default() },
        roles: BTreeMap::from([
            role("planner", Part::Planner, vec![script()]),
            role("worker", Part::Worker, vec![script()]),
            role("idle", Part::Worker, Vec::new()),
        ]),
        prompts: BTreeMap::new(),
        assets: BTreeMap::new(),
        protect: Vec::new(),
        own: BTreeSet::new(),
        base: oid(1),
        base_tree: oid(2),
        branch: Some("main".to_owned()),
        workers: 4,
        judges: 2,
        seed: 1,
        notes: Vec::new(),
    }
}
