//! Owns what has happened over the whole run, kept beside the machine, and the laws between an event and all before it.

use std::collections::{BTreeMap, BTreeSet};

use artel::machine::command::Link;
use artel::machine::event::{End, Event, Left, Rest};
use artel::machine::state::{Planning, State, Status, Task};
use artel::model::check::{Answer, CheckResult};
use artel::model::goal::Gate;
use artel::model::ids::{AttemptId, Oid, ScopeId, TaskId};
use artel::model::means::Means;
use artel::model::role::AgentRef;
use artel::model::seat::Seat;

use crate::checks;
use crate::gates::Words;
use crate::laws::{Law, broken, law};
use crate::repo::Repo;

#[derive(Default)]
pub struct Ledger {
    /// Kinds of events that happened.
    pub kinds: BTreeMap<&'static str, Event>,
    landed: BTreeMap<AttemptId, Oid>,
    /// Trees that were green, and whether only after a doubt.
    green: BTreeMap<Oid, bool>,
    handoffs: BTreeMap<ScopeId, BTreeSet<TaskId>>,
    /// What checks answered, by the tree that they were run on.
    pub answers: BTreeMap<Oid, Vec<Vec<CheckResult>>>,
    /// What a person had put on the run's branch and the run moved it away from.
    pub overwritten: Option<Oid>,
    /// What the calls to models of each who makes some have cost, heard of or not.
    pub calls: BTreeMap<Seat, Means>,
    /// Who has decided what.
    decided: BTreeMap<String, ScopeId>,
    /// Sessions that a limit ended at seats and that have not ended since: who had each, under which fence.
    parked: BTreeMap<Seat, (AgentRef, u64)>,
    /// Sessions that were taken up at seats by who sits there.
    taken_up: BTreeMap<Seat, (AgentRef, u64)>,
    /// Seats at which somebody asked and was not answered.
    asks: BTreeSet<Seat>,
    /// How often a prefix of the present batch was red.
    reds: BTreeMap<u32, u32>,
    /// The words that people gave.
    words: Words,
}

impl Ledger {
    /// Holds an event against all that happened before, in the machine and in the world.
    #[expect(clippy::too_many_lines, reason = "one arm for each event keeps the laws in one place")]
    pub fn before(&mut self, state: &State, event: &Event, repo: &Repo, is_tampered: bool) -> Law {
        self.kinds.entry(event.kind()).or_insert_with(|| event.clone());
        self.words.before(state, event, repo)?;
        match event {
            Event::PlannerWoken { scope, handoffs, .. } => self.woken(*scope, handoffs),
            Event::AttemptLeased(lease) => {
                touches_nothing_frozen(state, lease.attempt)?;
                let goes_on = lease.from.is_none_or(|from| repo.first_parent(from) == lease.base);
                law(goes_on, || format!("{} goes on from a candidate on another base", lease.attempt))
            }
            Event::AttemptEnded { attempt, .. } => {
                let owner = state.tasks[&attempt.task].scope;
                if !matches!(state.scopes[&owner].status, Planning::Failed(_)) {
                    self.handoffs.entry(owner).or_default().insert(attempt.task);
                }
                Ok(())
            }
            Event::ScopeAskRaised { task, to } => {
                self.handoffs.entry(*to).or_default().insert(*task);
                Ok(())
            }
            Event::ScopeAnswered { task, .. } | Event::TaskRetried { task } | Event::TaskDropped { task, .. } => {
                // Who was asked beside its own planner need not hear of it any longer.
                let own = state.tasks[task].scope;
                for (_, owed) in self.handoffs.iter_mut().filter(|(scope, _)| **scope != own) {
                    owed.remove(task);
                }
                self.handoffs.retain(|_, owed| !owed.is_empty());
                Ok(())
            }
            Event::QuestionAnswered { seat, .. } => {
                law(self.asks.remove(seat), || format!("somebody at {seat} is answered and has not asked"))
            }
            Event::RunParked { why: Rest::Question } => {
                law(!self.asks.is_empty(), || "the run rests on a question, and each is answered".to_owned())
            }
            Event::RunReopened | Event::IterationBegan { .. } => {
                self.withdraw();
                Ok(())
            }
            Event::SeatTaken { seat, agent, resumes, .. } => {
                law(!self.asks.contains(seat), || format!("somebody sits at {seat}, where a question waits"))?;
                let parked = self.parked.remove(seat);
                let is_its_own = resumes.is_none() || parked == resumes.map(|fence| (agent.clone(), fence));
                law(is_its_own, || format!("{agent} takes up {resumes:?} at {seat}, where {parked:?} waits"))?;
                self.taken_up.remove(seat);
                self.taken_up.extend(parked.filter(|_| resumes.is_some()).map(|parked| (*seat, parked)));
                Ok(())
            }
            Event::SeatLeft { seat, left, .. } => {
                self.left(state, *seat, left);
                Ok(())
            }
            Event::BatchFormed { members, .. } => {
                self.reds.clear();
                members.iter().try_for_each(|member| touches_nothing_frozen(state, *member))
            }
            Event::DecisionClaimed { scope, decision, .. } => {
                let before = self.decided.insert(decision.clone(), *scope);
                law(before.is_none(), || format!("{scope} decides `{decision}`, which {before:?} has"))
            }
            Event::PlanSentBack { .. } => {
                let is_begun = state.tasks.values().any(|task| !task.attempts.is_empty());
                law(!is_begun, || "a plan is sent back of which something was begun".to_owned())?;
                // What was decided with it is open again.
                self.decided.clear();
                Ok(())
            }
            Event::PrefixChecked { upto, tree, results, green, flaky, .. } => {
                *self.reds.entry(*upto).or_default() += u32::from(!green);
                self.checked(*tree, results, (*green, *flaky))
            }
            Event::MemberEjected { findings, .. } => {
                let is_conflict = findings.iter().all(|finding| finding.rule == "conflict");
                let is_sure = self.reds.values().any(|times| *times > 1);
                law(is_conflict || is_sure, || "a member was ejected for a red that was seen once".to_owned())
            }
            Event::BatchLanded { landed, head, tree, flaky, .. } => {
                law(self.overwritten.is_none(), || format!("{:?} was a person's and is gone", self.overwritten))?;
                law(is_tampered || repo.branch == Some(*head), || "landed means on the branch".to_owned())?;
                self.withdraw();
                self.landed(state, landed, (*head, *tree, *flaky), repo)
            }
            Event::SampleAccepted => sample_is_in(state),
            Event::Delivered { result: Ok(head), .. } => {
                law(repo.delivered.contains(head), || format!("{head} was delivered and is nowhere"))
            }
            Event::RunEnded { end } => red_is_red(state, end, repo),
            Event::RunOpened(_)
            | Event::CoordinatorWoke { .. }
            | Event::BranchOpened { .. }
            | Event::BaselineTaken { .. }
            | Event::ScopeOpened { .. }
            | Event::TasksEmitted { .. }
            | Event::PlannerFinished { .. }
            | Event::PlannerFailed { .. }
            | Event::LeaseRenewed { .. }
            | Event::SteeringHeard { .. }
            | Event::AllowanceGranted { .. }
            | Event::AllowanceReturned { .. }
            | Event::CallMade { .. }
            | Event::TranscriptKept { .. }
            | Event::MoneyRanOut { .. }
            | Event::CandidateReviewed { .. }
            | Event::RunJudged { .. }
            | Event::AttemptLost { .. }
            | Event::AttemptLimited { .. }
            | Event::LimitLifted { .. }
            | Event::VerdictGiven { .. }
            | Event::BatchMerged { .. }
            | Event::BatchClosed { .. }
            | Event::GateReached { .. }
            | Event::GatePassed { .. }
            | Event::GateRefused { .. }
            | Event::CandidateAsked { .. }
            | Event::CandidateApproved { .. }
            | Event::CandidateDenied { .. }
            | Event::WordOverdue { .. }
            | Event::PlanEdited { .. }
            | Event::DeliveryProposed { .. }
            | Event::DeliveryRefused { .. }
            | Event::ConditionsChecked { .. }
            | Event::TaskOverruled { .. }
            | Event::Steered { .. }
            | Event::DeliveryAsked { .. }
            | Event::Delivered { result: Err(_), .. }
            | Event::Draining
            | Event::Stopping
            | Event::Resumed
            | Event::BudgetRaised { .. }
            | Event::RunParked { .. }
            | Event::RequestAnswered { .. }
            | Event::RequestRefused { .. }
            | Event::SpaceRanShort { .. }
            | Event::SpaceCameBack => Ok(()),
        }
    }

    /// Notes what is left of a session at a seat: whoever was cut off says nothing against what it had taken up.
    fn left(&mut self, state: &State, seat: Seat, left: &Left) {
        let taken_up = self.taken_up.remove(&seat);
        if matches!(left, Left::Asks { .. }) {
            self.asks.insert(seat);
        }
        let kept = match left {
            Left::Cut { .. } => taken_up,
            Left::Limited { session: Some(_), .. } | Left::Asks { session: Some(_), .. } => {
                let sitting = &state.sitting[&seat];
                Some((sitting.agent.clone(), sitting.fence))
            }
            Left::Limited { session: None, .. }
            | Left::Asks { session: None, .. }
            | Left::Done
            | Left::Failed { .. } => None,
        };
        self.parked.extend(kept.map(|kept| (seat, kept)));
    }

    /// Forgets what the run's judge asked: the run has moved since it looked.
    fn withdraw(&mut self) {
        self.asks.retain(|seat| !matches!(seat, Seat::RunJudge { .. }));
    }

    fn woken(&mut self, id: ScopeId, handoffs: &[TaskId]) -> Law {
        if handoffs.is_empty() {
            return Ok(());
        }
        let given: BTreeSet<TaskId> = handoffs.iter().copied().collect();
        let owed = self.handoffs.remove(&id).unwrap_or_default();
        law(given == owed && given.len() == handoffs.len(), || format!("{id} was given {handoffs:?}, owed {owed:?}"))
    }

    fn checked(&mut self, tree: Oid, results: &[CheckResult], (green, flaky): (bool, bool)) -> Law {
        let is_its_own = self.answers.get(&tree).is_some_and(|given| given.iter().any(|it| it == results));
        law(is_its_own, || format!("tree {tree} was judged by the answers on another"))?;
        if green {
            self.green.insert(tree, flaky);
        }
        Ok(())
    }

    fn landed(&mut self, state: &State, landed: &[Link], (head, tree, flaky): (Oid, Oid, bool), repo: &Repo) -> Law {
        law(repo.tree_id(head) == tree, || "the landed tree is another".to_owned())?;
        for link in landed {
            let id = link.attempt;
            let candidate = state.attempt(id).and_then(|it| it.candidate());
            let commit = candidate.ok_or_else(|| broken("what landed is no candidate"))?.commit;
            law(self.landed.insert(id, commit).is_none(), || format!("{id} landed twice"))?;
        }
        let lost = self.landed.iter().find(|(_, commit)| !repo.is_ancestor(**commit, head));
        law(lost.is_none(), || format!("{lost:?} landed and is no ancestor of the branch"))?;
        self.stays_green(state, (tree, flaky), repo)
    }

    fn stays_green(&self, state: &State, (tree, flaky): (Oid, bool), repo: &Repo) -> Law {
        let (checks, baseline) = (&state.opening().goal.checks, state.baseline.clone().unwrap_or_default());
        if checks.is_empty() {
            return Ok(());
        }
        let doubted = self.green.get(&tree).ok_or_else(|| broken(format!("{tree} landed and was never green")))?;
        law(flaky || !doubted, || format!("{tree} landed on a flaky green and is not marked so"))?;
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

/// Holds that nothing else touches what the oldest split on its way splits; told without a look at any index.
fn touches_nothing_frozen(state: &State, id: AttemptId) -> Law {
    // One that waits for a person's word, or whose judge does, holds nobody up.
    let is_on_its_way = |status: &Status| !status.is_settled() && *status != Status::Gated;
    let is_open = |id: &TaskId, task: &Task| {
        !task.draft.splits.is_empty() && is_on_its_way(&task.status) && !state.is_asked_about(*id)
    };
    let Some((split, of)) = state.tasks.iter().find(|(id, task)| is_open(id, task)) else { return Ok(()) };
    let may_start = of.status != Status::Waiting && (state.sample_accepted || of.sample);
    let touches = *split != id.task && of.draft.splits.overlaps(&state.tasks[&id.task].draft.paths);
    law(!may_start || !touches, || format!("{id} touches what {split} splits"))
}

/// Tells whether each task of the sample is in, unless a person has let the sweep begin.
fn sample_is_in(state: &State) -> Law {
    let passed = state.passed.contains(&Gate::Sweep);
    let mut sample = state.tasks.values().filter(|task| task.sample);
    let is_in = |status: &Status| status.lets_followers_start() || matches!(status, Status::Dropped { .. });
    law(passed || sample.all(|task| is_in(&task.status)), || "the sample is not in".to_owned())
}

/// Holds what is said of the done-conditions against what stands on the branch.
fn red_is_red(state: &State, end: &End, repo: &Repo) -> Law {
    let tree = state.head.map(|head| repo.tree_of(head));
    let is_red = |name: &str| tree.is_none_or(|tree| checks::truth(name, tree).answer != Answer::Green);
    let red = state.opening().goal.done.iter().map(|it| it.name()).filter(|name| is_red(name));
    let named = match end {
        End::Done => &Vec::new(),
        End::Incomplete { red, .. } => red,
        End::Denied { .. } => return Ok(()),
    };
    law(red.clone().eq(named), || format!("{named:?} are named as red, and {:?} are", red.collect::<Vec<_>>()))
}
