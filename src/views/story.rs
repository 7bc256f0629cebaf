//! Owns runs for the tests of views and faces, told by the real law from commands. Never part of the product.

use std::collections::{BTreeMap, BTreeSet};

use super::board::{CheckingRow, Outside};
use super::pace::Pace;
use crate::machine::command::{Ask, Command, Conflict, Link, Opening, PlanStep};
use crate::machine::decide::decide;
use crate::machine::event::{Event, Recorded};
use crate::machine::evolve::evolve;
use crate::machine::state::{BatchStep, State, Status};
use crate::model::attempt::{Candidate, Handoff, Leftover, Outcome, Usage};
use crate::model::check::{Answer, Check, CheckResult};
use crate::model::config::Config;
use crate::model::goal::{Budget, Condition, Find, Gate, Goal, LandingPolicy, Order, Planning, Policy, Query, Split};
use crate::model::ids::{AttemptId, Oid, ScopeId, TaskId};
use crate::model::paths::PathSet;
use crate::model::role::{AgentRef, CONTEXT_TOKENS, ContextPolicy, Grants, Limits, Part, Role};
use crate::model::task::{ScopeDraft, TaskDraft};
use crate::model::verdict::{Finding, Ruling, Rung, Verdict};

/// What hostile text does: colours, moves, retitles, turns round, hides, breaks lines.
pub(crate) const HOSTILE: &str = "\x1b[31mred\x1b[2J\x1b]0;owned\x07\r\nsecond\u{9b}1A\u{202e}drawkcab\u{200b}\t\"q\\";

pub(crate) struct Story {
    pub(crate) state: State,
    pub(crate) events: Vec<Recorded>,
    pub(crate) pace: Pace,
    pub(crate) now_ms: i64,
    /// Put into every text that an agent or a repository could have written.
    taint: &'static str,
    oids: u64,
}

impl Story {
    pub(crate) fn open(taint: &'static str, approve: &[Gate], workers: u32) -> Self {
        Self::open_with(taint, approve, workers, |_| ())
    }

    /// Opens a run whose goal is changed before.
    fn open_with(taint: &'static str, approve: &[Gate], workers: u32, change: impl FnOnce(&mut Goal)) -> Self {
        let start = Self {
            state: State::default(),
            events: Vec::new(),
            pace: Pace::default(),
            // 2026-03-14 15:09:26 UTC
            now_ms: 1_773_500_966_000,
            taint,
            oids: 0,
        };
        let mut story = start;
        let mut opening = story.opening(approve, workers);
        change(&mut opening.goal);
        let at = opening.base;
        story.tell(Command::Open(Box::new(opening)));
        story.tell(Command::Wake { epoch: 1, sandbox: None });
        story.tell(Command::ReportBranch { at });
        let results = vec![story.answer("build", true), story.answer("lint", false)];
        story.tell(Command::ReportBaseline { results });
        story
    }

    fn opening(&mut self, approve: &[Gate], workers: u32) -> Opening {
        let taint = self.taint;
        let role = |name: &str, part, agents: &[AgentRef]| {
            let limits = Limits { attempts: 2, ..Limits::default() };
            let (name, about, prompt) = (name.to_owned(), format!("plays {name}{taint}"), name.to_owned());
            let role = Role {
                name: name.clone(),
                about,
                part,
                agents: agents.to_vec(),
                prompt,
                failover: false,
                mechanical: false,
                lenses: Vec::new(),
                criteria: Vec::new(),
                effort: None,
                context: ContextPolicy::default(),
                context_tokens: CONTEXT_TOKENS,
                limits,
                grants: Grants::default(),
            };
            (name, role)
        };
        let fix = AgentRef::Command(format!("./fix.sh{taint}"));
        let goal = self.goal(approve);
        Opening {
            run: "r-7k2m".parse().unwrap(),
            name: Some("TICKET-123".to_owned()),
            repo: "/home/ada/engine/.git".to_owned(),
            goal,
            goal_text: String::new(),
            config: Config::default(),
            roles: BTreeMap::from([
                role("shard", Part::Planner, &[AgentRef::Shard]),
                role("worker", Part::Worker, &[AgentRef::Codemod, fix]),
            ]),
            prompts: BTreeMap::new(),
            assets: BTreeMap::new(),
            protect: Vec::new(),
            own: BTreeSet::new(),
            base: self.oid(),
            base_tree: self.oid(),
            branch: Some(format!("main{taint}")),
            workers,
            judges: 2,
            seed: 7,
            notes: vec![format!("has a submodule at vendor/zlib; it is left alone{taint}")],
        }
    }

    fn goal(&self, approve: &[Gate]) -> Goal {
        let taint = self.taint;
        let check = |name: &str| Check { name: name.to_owned(), run: format!("cargo {name}"), timeout_s: 600 };
        Goal {
            name: format!("try-to-question-mark{taint}"),
            done: vec![
                Condition::Check(check("tests")),
                Condition::Query(Query {
                    name: "no try! is left".to_owned(),
                    find: Find::Regex("try!".to_owned()),
                    within: Vec::new(),
                }),
            ],
            checks: vec![check("build"), check("lint")],
            plan: Planning {
                planner: "shard".to_owned(),
                worker: "worker".to_owned(),
                judge: "judge".into(),
                run_judge: None,
                resolver: None,
                rules: vec!["rules/try.yml".to_owned()],
                by: Split::Folder,
                files_per_task: 1,
                sample: 0,
                exclude: Vec::new(),
                order: Order::None,
                iterations: 1,
                stop_list: true,
            },
            owns: Vec::new(),
            never: Vec::new(),
            budget: Budget::default(),
            landing: LandingPolicy { policy: Policy::Strict, batch: 4, conflicts: 0 },
            approve: approve.iter().copied().collect(),
            gating: Default::default(),
            prose: format!("Replace try! by ?.{taint}"),
            hash: "0".repeat(64),
        }
    }

    /// Makes the next object id, spread over all digits as real ones are.
    fn oid(&mut self) -> Oid {
        self.oids += 1;
        let mut bytes = [0; 20];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = (self.oids.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(at as u32 * 7) >> 11) as u8;
        }
        Oid(bytes)
    }

    fn answer(&self, name: &str, green: bool) -> CheckResult {
        CheckResult {
            name: name.to_owned(),
            answer: if green { Answer::Green } else { Answer::Red },
            code: Some(i32::from(!green)),
            wall_ms: 4200,
            runs: 1,
            executed: Some(126),
            failed: BTreeSet::new(),
            tail: match green {
                true => format!("test result: ok. 126 passed{}", self.taint),
                false => format!("src/runtime/value_11.rs:14: try!(read(input)){}", self.taint),
            },
        }
    }

    pub(crate) fn tell(&mut self, command: Command) {
        let events = decide(&self.state, &command, self.now_ms).expect("the story keeps the law");
        for event in events {
            self.record(event);
        }
        self.now_ms += 40;
    }

    fn record(&mut self, event: Event) {
        let recorded = Recorded { seq: self.state.seq + 1, at_ms: self.now_ms, event };
        self.state = evolve(std::mem::take(&mut self.state), &recorded);
        self.pace.learn(&recorded);
        self.events.push(recorded);
    }

    pub(crate) fn ask(&mut self, id: &str, ask: Ask) {
        self.tell(Command::Request { id: id.parse().unwrap(), ask });
    }

    pub(crate) fn pass(&mut self, ms: i64) {
        self.now_ms += ms;
    }

    /// Hands out work until nothing more happens by itself.
    pub(crate) fn advance(&mut self) {
        loop {
            let before = self.state.seq;
            self.tell(Command::Advance);
            if self.state.seq == before {
                return;
            }
        }
    }

    /// Plans two sub-scopes and their tasks; the last task waits for the one before it.
    pub(crate) fn plan(&mut self, tasks: u32) {
        let half = tasks / 2;
        let folders = [("src/parser/", 1..=half), ("src/runtime/", half + 1..=tasks)];
        let scope = |(folder, _): &(&str, _)| ScopeDraft {
            key: (*folder).to_owned(),
            title: format!("{folder}{}", self.taint),
            paths: PathSet::parse([(*folder).to_owned()]),
            decisions: BTreeSet::new(),
            role: "shard".to_owned(),
            brief: String::new(),
        };
        let drafts = folders.iter().map(scope).collect();
        self.tell(Command::ReportPlan { scope: ScopeId(0), wake: 1, fence: 0, step: PlanStep::Spawn(drafts) });
        self.tell(Command::ReportPlan { scope: ScopeId(0), wake: 1, fence: 0, step: PlanStep::Done });
        for (id, (folder, numbers)) in (1..).zip(folders) {
            let drafts = numbers.map(|number| self.draft(folder, number, tasks)).collect();
            self.tell(Command::ReportPlan { scope: ScopeId(id), wake: 1, fence: 0, step: PlanStep::Emit(drafts) });
            self.tell(Command::ReportPlan { scope: ScopeId(id), wake: 1, fence: 0, step: PlanStep::Done });
        }
    }

    fn draft(&self, folder: &str, number: u32, tasks: u32) -> TaskDraft {
        const NAMES: [&str; 6] = ["lexer", "expression", "statement", "module", "scheduler", "value"];
        let name = NAMES[number as usize % NAMES.len()];
        let path = format!("{folder}{name}_{number}.rs{}", self.taint);
        let after = if number == tasks { [format!("task {}", number - 1)].into() } else { BTreeSet::new() };
        TaskDraft {
            key: format!("task {number}"),
            title: path.clone(),
            brief: format!("Rewrite `try!(x)` to `x?`.{}", self.taint),
            paths: PathSet::of_files([path]),
            after,
            checks: Vec::new(),
            role: "worker".to_owned(),
            rules: vec!["rules/try.yml".to_owned()],
            weight: u64::from(number % 4 + 1),
            splits: PathSet::default(),
        }
    }

    fn usage(wall_ms: u64) -> Usage {
        Usage { wall_ms, cpu_ms: wall_ms * 3 / 4, output_bytes: 2048, leaked: 0 }
    }

    fn running(&self, task: u32) -> (AttemptId, u64) {
        let id = *self.state.running.iter().find(|id| id.task == TaskId(task)).expect("the task runs");
        (id, self.state.attempt(id).expect("its attempt is known").fence)
    }

    fn report(&mut self, task: u32, outcome: Outcome, leftovers: Vec<Leftover>) {
        let (attempt, fence) = self.running(task);
        let handoff = Handoff {
            done: format!("rewrote what the rule matched{}", self.taint),
            concerns: vec![format!("a macro hides some calls{}", self.taint)],
            leftovers,
            ..Handoff::default()
        };
        self.tell(Command::ReportAttempt { attempt, fence, outcome, handoff, usage: Self::usage(1840) });
    }

    pub(crate) fn candidate(&mut self, task: u32) {
        let base = self.state.head.expect("the branch is there");
        let candidate = Candidate { commit: self.oid(), tree: self.oid(), base, files: 1, extent: Default::default() };
        let leftovers = if task == 2 {
            let why = format!("inside a macro; the rule cannot see it{}", self.taint);
            vec![Leftover { path: format!("src/parser/statement_2.rs{}", self.taint), line: 88, why }]
        } else {
            Vec::new()
        };
        self.report(task, Outcome::Candidate(candidate), leftovers);
    }

    pub(crate) fn fail(&mut self, task: u32) {
        let why = format!("exit code 101: error[E0277]: the `?` operator needs a Result{}", self.taint);
        self.report(task, Outcome::Failed { why }, Vec::new());
    }

    pub(crate) fn block(&mut self, task: u32) {
        let missing = format!("a licence for the vendored font{}", self.taint);
        self.report(task, Outcome::Blocked { missing }, Vec::new());
    }

    pub(crate) fn nothing(&mut self, task: u32) {
        self.report(task, Outcome::Nothing, Vec::new());
    }

    pub(crate) fn lose(&mut self, task: u32) {
        let (attempt, _) = self.running(task);
        self.tell(Command::ReportLost { attempt, why: format!("its worker was killed{}", self.taint) });
    }

    fn judge(&mut self, task: u32, ruling: Ruling, findings: Vec<Finding>) {
        let attempt = *self.state.judging.iter().find(|id| id.task == TaskId(task)).expect("it waits");
        let checks = vec![self.answer("build", true), self.answer("lint", false)];
        let verdict = Verdict { ruling, judge: "ladder".to_owned(), findings, checks };
        self.tell(Command::ReportVerdict { attempt, verdict, usage: Self::usage(4200) });
    }

    pub(crate) fn accept(&mut self, task: u32) {
        self.judge(task, Ruling::Accept, Vec::new());
    }

    pub(crate) fn reject(&mut self, task: u32) {
        let finding = Finding {
            rung: Rung::Form,
            rule: "literal-changed".to_owned(),
            path: Some(format!("src/parser/expression_1.rs{}", self.taint)),
            what: format!("a string literal was changed that the rule does not own{}", self.taint),
            advice: "leave string literals as they are".to_owned(),
        };
        self.judge(task, Ruling::Restart, vec![finding]);
    }

    /// Lands all that is queued, batch after batch; tasks in `conflicting` do not merge.
    pub(crate) fn land(&mut self, conflicting: &[u32]) {
        self.advance();
        while let Some(batch) = self.state.batch.clone() {
            if batch.step == BatchStep::Merging {
                let (bad, good): (Vec<AttemptId>, Vec<AttemptId>) =
                    batch.members.iter().copied().partition(|id| conflicting.contains(&id.task.0));
                let chain: Vec<Link> = good
                    .into_iter()
                    .map(|attempt| Link { attempt, commit: self.oid(), tree: self.oid(), extent: Default::default() })
                    .collect();
                let paths = vec![format!("src/runtime/shared.rs{}", self.taint)];
                let conflict = |attempt| Conflict { attempt, paths: paths.clone() };
                let conflicts = bad.into_iter().map(conflict).collect();
                self.tell(Command::ReportMerge { batch: batch.id, chain, conflicts });
                continue;
            }
            let (chain, upto) = match &batch.step {
                BatchStep::Checking { chain, .. } => (chain, chain.len() as u32),
                BatchStep::Landing { chain, upto, .. } => (chain, *upto),
                BatchStep::Merging => unreachable!(),
            };
            let last = chain[upto as usize - 1].clone();
            if matches!(batch.step, BatchStep::Checking { .. }) {
                let mut results = vec![self.answer("build", true), self.answer("lint", false)];
                if batch.id.0 == 2 {
                    results[0].answer = Answer::Flaky;
                }
                self.tell(Command::ReportPrefix { batch: batch.id, upto, tree: last.tree, results });
            } else {
                self.tell(Command::ReportLanding { batch: batch.id, head: last.commit, tree: last.tree });
                self.advance();
            }
        }
    }

    pub(crate) fn close(&mut self, holds: bool) {
        self.advance();
        let head = self.state.head.expect("the branch is there");
        let results = vec![self.answer("tests", true), self.answer("no try! is left", holds)];
        self.tell(Command::ReportConditions { head, results });
    }

    pub(crate) fn outside(&self) -> Outside {
        let line = |id: &AttemptId| (*id, format!("   Compiling engine v0.4.2 ({id}){}", self.taint));
        Outside {
            now_ms: self.now_ms,
            last_lines: self.state.running.iter().map(line).collect(),
            checking: self.state.is_live().then(|| CheckingRow {
                check: format!("tests{}", self.taint),
                since_ms: self.now_ms - 12_300,
                last_line: Some(format!("test parser::blanks ... ok{}", self.taint)),
            }),
            pace: self.pace.clone(),
            coordinated: self.state.is_live(),
            target: None,
        }
    }

    /// Tells a run of 12 tasks in the middle of its work.
    pub(crate) fn at_work(taint: &'static str) -> Self {
        let mut story = Self::open(taint, &[], 4);
        story.plan(12);
        story.advance();
        story.pass(2400);
        story.run_tasks();
        story
    }

    fn run_tasks(&mut self) {
        // Longest chain first, then by age; the last task waits for the one before it.
        for _ in 0..2 {
            let running: Vec<u32> = self.state.running.iter().map(|id| id.task.0).collect();
            for task in running {
                self.pass(1700);
                match task {
                    8 => self.reject_twice(8),
                    _ => {
                        self.candidate(task);
                        self.accept(task);
                    }
                }
            }
            self.land(&[]);
        }
        self.pass(3100);
        let next = self.running_tasks();
        if let Some(first) = next.first() {
            self.candidate(*first);
        }
        self.advance();
        self.pass(900);
    }

    /// Tells of a run whose goal has each landing wait for a word, up to the first; gives the task whose candidate waits.
    pub(crate) fn awaiting() -> (Self, TaskId) {
        Self::awaiting_with(|_| ())
    }

    /// Does as [`Story::awaiting`], with a goal that is changed before.
    pub(crate) fn awaiting_with(change: impl FnOnce(&mut Goal)) -> (Self, TaskId) {
        let mut story = Self::open_with("", &[Gate::Landing], 1, change);
        story.plan(2);
        story.advance();
        let task = story.running_tasks()[0];
        story.candidate(task);
        story.accept(task);
        story.advance();
        (story, TaskId(task))
    }

    pub(crate) fn running_tasks(&self) -> Vec<u32> {
        self.state.running.iter().map(|id| id.task.0).collect()
    }

    /// Has each agent of a task fail, so that it is kept.
    fn reject_twice(&mut self, task: u32) {
        self.candidate(task);
        self.reject(task);
        self.advance();
        if self.state.running.iter().any(|id| id.task == TaskId(task)) {
            self.fail(task);
            self.advance();
        }
    }

    /// Plays every task to its end: 3 is lost once, 5 has nothing to do, 6 is blocked, 8 fails, 9 conflicts and
    /// the last waits for one that is kept.
    pub(crate) fn played(taint: &'static str, with_faults: bool) -> Self {
        let mut story = Self::open(taint, &[], 4);
        story.plan(12);
        story.advance();
        let mut lost = false;
        while let Some(task) = story.running_tasks().first().copied() {
            story.pass(1900);
            match task {
                3 if !lost => {
                    lost = true;
                    story.lose(3);
                }
                5 => story.nothing(5),
                6 if with_faults => story.block(6),
                8 | 11 if with_faults => story.fail(task),
                _ => {
                    story.candidate(task);
                    story.accept(task);
                    let conflicts: &[u32] = if with_faults { &[9] } else { &[] };
                    story.land(conflicts);
                }
            }
            story.advance();
        }
        story
    }

    /// Tells a run that ended with something left over.
    pub(crate) fn incomplete(taint: &'static str) -> Self {
        let mut story = Self::played(taint, true);
        story.close(false);
        story
    }

    /// Tells a run that ended well.
    pub(crate) fn done(taint: &'static str) -> Self {
        let mut story = Self::played(taint, false);
        story.close(true);
        story
    }

    /// Finds a task that stands in a state.
    pub(crate) fn first(&self, wanted: impl Fn(&Status) -> bool) -> TaskId {
        *self.state.tasks.iter().find(|(_, task)| wanted(&task.status)).expect("such a task").0
    }
}
