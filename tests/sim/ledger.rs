//! Owns what has happened over the whole run, kept beside the machine, and the laws between an event and all before it.

use std::collections::{BTreeMap, BTreeSet};

use artel::machine::command::Link;
use artel::machine::event::{End, Event, Lease, Next};
use artel::machine::state::{Planning, State, Status};
use artel::model::attempt::Outcome;
use artel::model::check::{Answer, CheckResult};
use artel::model::goal::Gate;
use artel::model::ids::{AttemptId, Oid, RequestId, ScopeId, TaskId};
use artel::model::role::AgentRef;
use artel::model::task::Work;
use artel::model::verdict::{Finding, Ruling, Verdict};

use crate::checks;
use crate::laws::law;
use crate::repo::Repo;
use crate::world::Law;

#[derive(Default)]
pub struct Ledger {
    /// Kinds of events that happened.
    pub kinds: BTreeMap<&'static str, Event>,
    landed: BTreeMap<AttemptId, Oid>,
    overruled: BTreeSet<TaskId>,
    green: BTreeSet<Oid>,
    answered: BTreeSet<RequestId>,
    handoffs: BTreeMap<ScopeId, BTreeSet<TaskId>>,
    /// What checks answered, by the tree that they were run on.
    pub answers: BTreeMap<Oid, Vec<Vec<CheckResult>>>,
    /// How often a prefix of the present batch was red.
    reds: BTreeMap<u32, u32>,
    fence: u64,
    epoch: u64,
}

impl Ledger {
    /// Holds an event against the state before it and all that happened before.
    pub fn before(&mut self, state: &State, event: &Event, repo: &Repo, is_tampered: bool) -> Law {
        self.kinds.entry(event.kind()).or_insert_with(|| event.clone());
        match event {
            Event::CoordinatorWoke { epoch, sandbox: _ } => {
                law(*epoch > self.epoch, || format!("epoch {epoch} does not rise"))?;
                self.epoch = *epoch;
                Ok(())
            }
            Event::PlannerWoken { scope, wake, handoffs } => self.woken(state, *scope, *wake, handoffs),
            Event::AttemptLeased(lease) => self.leased(state, lease, repo),
            Event::AttemptEnded { attempt, outcome, .. } => self.ended(state, *attempt, outcome),
            Event::VerdictGiven { attempt, verdict, .. } => self.judged(state, *attempt, verdict),
            Event::TaskOverruled { task } => {
                self.overruled.insert(*task);
                Ok(())
            }
            Event::BatchFormed { members, onto, .. } => {
                self.reds.clear();
                law(state.head == Some(*onto), || "a batch is not formed on the head".to_owned())?;
                members.iter().try_for_each(|member| self.may_land(state, *member))
            }
            Event::PrefixChecked { upto, tree, results, green, .. } => {
                *self.reds.entry(*upto).or_default() += u32::from(!green);
                self.checked(state, *tree, results, *green)
            }
            Event::MemberEjected { attempt, findings, next, .. } => self.ejected(state, *attempt, findings, next),
            Event::AttemptLost { attempt, next: Next::Again(again), .. } => {
                let was = &state.tasks[&attempt.task].again;
                law(again == was, || format!("{attempt} was lost, and its task goes on from {again:?}, not {was:?}"))
            }
            Event::BatchLanded { landed, head, tree, .. } => {
                law(is_tampered || repo.branch == Some(*head), || "landed means on the branch".to_owned())?;
                self.landed(state, landed, (*head, *tree), repo)
            }
            Event::SampleAccepted => sample_is_in(state),
            Event::RequestAnswered { id } | Event::RequestRefused { id, .. } => {
                law(self.answered.insert(id.clone()), || format!("request {id} was answered twice"))
            }
            Event::RunEnded { end } => {
                law(state.end.is_none(), || "an ended run ended again".to_owned())?;
                done_is_done(state, end, repo)
            }
            Event::RunParked { .. } => law(state.is_live(), || "a run that rests or has ended was parked".to_owned()),
            Event::RunOpened(_)
            | Event::BranchOpened { .. }
            | Event::BaselineTaken { .. }
            | Event::ScopeOpened { .. }
            | Event::TasksEmitted { .. }
            | Event::PlannerFinished { .. }
            | Event::PlannerFailed { .. }
            | Event::LeaseRenewed { .. }
            | Event::AttemptLost { .. }
            | Event::BatchMerged { .. }
            | Event::BatchClosed { .. }
            | Event::GateReached { .. }
            | Event::GatePassed { .. }
            | Event::GateRefused { .. }
            | Event::IterationBegan { .. }
            | Event::ConditionsChecked { .. }
            | Event::TaskDropped { .. }
            | Event::TaskRetried { .. }
            | Event::Steered { .. }
            | Event::DeliveryAsked { .. }
            | Event::Delivered { .. }
            | Event::Draining
            | Event::Stopping
            | Event::Resumed
            | Event::BudgetRaised { .. }
            | Event::RunReopened => Ok(()),
        }
    }

    fn woken(&mut self, state: &State, id: ScopeId, wake: u32, handoffs: &[TaskId]) -> Law {
        let scope = &state.scopes[&id];
        law(wake == scope.wake + 1, || format!("waking {wake} of {id} follows {}", scope.wake))?;
        law(!matches!(scope.status, Planning::Active), || format!("{id} was woken while it planned"))?;
        if handoffs.is_empty() {
            return Ok(());
        }
        law(scope.status == Planning::Finished, || format!("handoffs woke {id}, which has not finished"))?;
        let given: BTreeSet<TaskId> = handoffs.iter().copied().collect();
        let owed = self.handoffs.remove(&id).unwrap_or_default();
        law(given == owed && given.len() == handoffs.len(), || format!("{id} was given {handoffs:?}, owed {owed:?}"))
    }

    fn leased(&mut self, state: &State, lease: &Lease, repo: &Repo) -> Law {
        let (id, goal) = (lease.attempt.task, &state.opening().goal);
        let task = &state.tasks[&id];
        self.overruled.remove(&id);
        law(lease.fence > self.fence, || format!("fence {} does not rise", lease.fence))?;
        self.fence = lease.fence;
        law(task.status == Status::Ready, || format!("{id} is {:?} and was leased", task.status))?;
        law(lease.attempt.number as usize == task.attempts.len() + 1, || format!("{} is misnumbered", lease.attempt))?;
        let limit = state.budget.attempts.unwrap_or(u64::MAX);
        law(lease.fence <= limit, || format!("attempt {} is above the budget of {limit}", lease.fence))?;
        let waits_at_plan = goal.approve.contains(&Gate::Plan) && !state.passed.contains(&Gate::Plan);
        law(!waits_at_plan, || format!("{id} started before the plan was approved"))?;
        let is_revert = matches!(task.work, Work::Revert(_));
        law(state.sample_accepted || task.sample || is_revert, || format!("{id} started before the sample was in"))?;
        let is_there = |before: &TaskId| {
            let before = &state.tasks[before];
            before.status.lets_followers_start() || before.attempts.iter().any(|attempt| attempt.landed.is_some())
        };
        law(task.after.iter().all(is_there), || format!("{id} started before what it waits for"))?;
        law(is_revert == (lease.agent == AgentRef::Revert), || format!("{id} is played by {}", lease.agent))?;
        let goes_on = lease.from.is_none_or(|from| repo.first_parent(from) == lease.base);
        law(goes_on, || format!("{} goes on from a candidate on another base", lease.attempt))
    }

    fn ended(&mut self, state: &State, id: AttemptId, outcome: &Outcome) -> Law {
        let task = &state.tasks[&id.task];
        let scope = &state.scopes[&task.scope];
        if !matches!(scope.status, Planning::Failed(_)) {
            self.handoffs.entry(task.scope).or_default().insert(id.task);
        }
        let (Outcome::Candidate(candidate), Some(attempt)) = (outcome, state.attempt(id)) else { return Ok(()) };
        law(candidate.base == attempt.base, || format!("{id} stands on another base than its lease"))
    }

    fn judged(&self, state: &State, id: AttemptId, verdict: &Verdict) -> Law {
        law(verdict.judge != id.to_string(), || format!("{id} judged itself"))?;
        if verdict.ruling != Ruling::Accept {
            return law(!verdict.findings.is_empty(), || format!("{id} was refused without a finding"));
        }
        let wanted = state.opening().goal.checks.iter().chain(&state.tasks[&id.task].draft.checks);
        let baseline = state.baseline.clone().unwrap_or_default();
        let held = checks::held(wanted, &verdict.checks, &baseline);
        law(held, || format!("{id} was accepted without its checks"))
    }

    fn may_land(&self, state: &State, id: AttemptId) -> Law {
        let accepted =
            state.attempt(id).and_then(|it| it.verdict.as_ref()).is_some_and(|it| it.ruling == Ruling::Accept);
        law(accepted || self.overruled.contains(&id.task), || format!("{id} is to land and nobody accepted it"))
    }

    fn checked(&mut self, state: &State, tree: Oid, results: &[CheckResult], green: bool) -> Law {
        let baseline = state.baseline.clone().unwrap_or_default();
        let held = checks::held(&state.opening().goal.checks, results, &baseline);
        law(held == green, || format!("tree {tree} was taken for {green}"))?;
        let is_its_own = self.answers.get(&tree).is_some_and(|given| given.iter().any(|it| it == results));
        law(is_its_own, || format!("tree {tree} was judged by the answers on another"))?;
        if held {
            self.green.insert(tree);
        }
        Ok(())
    }

    fn ejected(&self, state: &State, id: AttemptId, findings: &[Finding], next: &Next) -> Law {
        let is_conflict = findings.iter().all(|finding| finding.rule == "conflict");
        let is_sure = self.reds.values().any(|times| *times > 1);
        law(!findings.is_empty(), || "a member was ejected without a finding".to_owned())?;
        let conflicts = state.tasks[&id.task].conflicts;
        let is_over = is_conflict && conflicts >= state.opening().goal.landing.conflicts;
        law(!is_over || matches!(next, Next::Keep { .. }), || format!("{id} conflicted {conflicts} times before"))?;
        law(is_conflict || is_sure, || "a member was ejected for a red that was seen once".to_owned())
    }

    fn landed(&mut self, state: &State, landed: &[Link], (head, tree): (Oid, Oid), repo: &Repo) -> Law {
        law(repo.tree_id(head) == tree, || "the landed tree is another".to_owned())?;
        for link in landed {
            self.lands(state, link.attempt, repo, head)?;
        }
        self.stays_green(state, tree, repo)
    }

    fn lands(&mut self, state: &State, id: AttemptId, repo: &Repo, head: Oid) -> Law {
        self.may_land(state, id)?;
        law(state.tasks[&id.task].status == Status::Queued, || format!("{id} landed and was not queued"))?;
        let candidate = state.attempt(id).and_then(|it| it.candidate()).ok_or("what landed is no candidate")?;
        law(self.landed.insert(id, candidate.commit).is_none(), || format!("{id} landed twice"))?;
        let lost = self.landed.iter().find(|(_, commit)| !repo.is_ancestor(**commit, head));
        law(lost.is_none(), || format!("{lost:?} landed and is no ancestor of the branch"))
    }

    fn stays_green(&self, state: &State, tree: Oid, repo: &Repo) -> Law {
        let (checks, baseline) = (&state.opening().goal.checks, state.baseline.clone().unwrap_or_default());
        law(checks.is_empty() || self.green.contains(&tree), || format!("tree {tree} landed and was never green"))?;
        let truth: Vec<CheckResult> = checks.iter().map(|it| checks::truth(&it.name, repo.tree(tree))).collect();
        law(checks::held(checks, &truth, &baseline), || format!("the branch holds the red tree {tree}"))
    }

    /// Lists planners that have finished and were not given what their tasks reported.
    pub fn undelivered(&self, state: &State) -> Law {
        for (id, tasks) in &self.handoffs {
            let scope = &state.scopes[id];
            let learns = state.opening().roles[&scope.draft.role].agents.first() != Some(&AgentRef::Shard);
            let owes = learns && scope.status == Planning::Finished && !tasks.is_empty();
            law(!owes, || format!("{id} finished and was never told of {tasks:?}"))?;
        }
        Ok(())
    }
}

fn sample_is_in(state: &State) -> Law {
    let gated = state.opening().goal.approve.contains(&Gate::Sweep);
    let passed = state.passed.contains(&Gate::Sweep);
    law(!gated || passed, || "the sweep began without a word".to_owned())?;
    let mut sample = state.tasks.values().filter(|task| task.sample);
    let is_in = |status: &Status| status.lets_followers_start() || matches!(status, Status::Dropped { .. });
    law(passed || sample.all(|task| is_in(&task.status)), || "the sample is not in".to_owned())
}

fn done_is_done(state: &State, end: &End, repo: &Repo) -> Law {
    let goal = &state.opening().goal;
    let tree = state.head.map(|head| repo.tree_of(head));
    let is_red = |name: &str| tree.is_none_or(|tree| checks::truth(name, tree).answer != Answer::Green);
    let red: Vec<&str> = goal.done.iter().map(|it| it.name()).filter(|name| is_red(name)).collect();
    match end {
        End::Done => {
            law(red.is_empty(), || format!("done is said over {red:?}"))?;
            let left = state.tasks.iter().find(|(_, task)| !task.status.is_settled() || is_kept(&task.status));
            law(left.is_none(), || format!("done is said over {left:?}"))
        }
        End::Incomplete { kept, red: named, failed_planners } => {
            law(*named == red, || format!("{named:?} are named as red, and {red:?} are"))?;
            let is_something = !kept.is_empty() || !red.is_empty() || !failed_planners.is_empty();
            law(is_something, || "incomplete without a reason".to_owned())
        }
        End::Denied { .. } => Ok(()),
    }
}

fn is_kept(status: &Status) -> bool {
    matches!(status, Status::Kept { .. } | Status::Blocked { .. })
}
