//! Owns how a digest is gathered: from each event with the state after it, in order. Never reads a clock.

use std::collections::BTreeMap;

use super::hot::Heat;
use super::page::{
    CheckTold, ConditionTold, ConflictTold, DeliveryTold, Digest, LandedTold, LeftTold, NeedTold, PlannerTold,
    ScopeLandings, Span, SpendRow, SpendTold,
};
use super::story::Moments;
use crate::machine::command::Link;
use crate::machine::event::{Event, Recorded};
use crate::machine::state::{State, Status};
use crate::model::attempt::Usage;
use crate::model::check::{Answer, CheckResult};
use crate::model::egress::EGRESS;
use crate::model::ids::{AttemptId, ScopeId, TaskId};
use crate::model::login::AS_TOLD;
use crate::model::seat::Seat;
use crate::model::spend::{Call, Spend, Tokens};
use crate::model::verdict::Ruling;
use crate::views::concerns::tasks_of;
use crate::views::counts::counts;
use crate::views::ended::ended;
use crate::views::inbox::{Bucket, inbox};

/// Says from where on a run is told of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// The number of the last event that is known already.
    pub after: u64,
    /// The time before which nothing is told, in milliseconds since 1970.
    pub since_ms: Option<i64>,
}

/// Gathers a digest.
#[derive(Debug, Default)]
pub struct Teller {
    window: Window,
    span: Span,
    /// Money that was spent before the window.
    before_nano_usd: u64,
    /// The last event about each task.
    of_task: BTreeMap<TaskId, u64>,
    /// The event since which the run stands as it does.
    stands_at: u64,
    conditions_at: Option<u64>,
    landed: BTreeMap<ScopeId, Vec<LandedTold>>,
    delivered: Vec<DeliveryTold>,
    planners: Vec<PlannerTold>,
    checks: BTreeMap<String, CheckTold>,
    conflicts: Vec<ConflictTold>,
    heat: Heat,
    spend: BTreeMap<(String, String), SpendRow>,
    /// Who sits at each seat, with its role: it is gone from the state by the event that tells of its end.
    seated: BTreeMap<Seat, (String, String)>,
    moments: Moments,
}

impl Teller {
    /// Begins to gather what is told from there on.
    pub fn new(window: Window) -> Self {
        Self { window, ..Self::default() }
    }

    /// Takes an event in; `state` is the fold up to and with it.
    pub fn learn(&mut self, state: &State, recorded: &Recorded) {
        self.keep_track(state, recorded);
        if recorded.seq <= self.window.after || self.window.since_ms.is_some_and(|since| recorded.at_ms < since) {
            self.span.after = recorded.seq;
            self.before_nano_usd = state.total_spent().spend.nano_usd;
            return;
        }
        if self.span.upto == 0 {
            self.span.from_ms = recorded.at_ms;
        }
        self.span.upto = recorded.seq;
        self.span.to_ms = recorded.at_ms;
        self.moments.learn(state, recorded);
        self.tell(state, recorded);
    }

    /// Notes what a later event needs to know, in the window or before it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "most events change nothing that a later one needs to know")]
    fn keep_track(&mut self, state: &State, recorded: &Recorded) {
        let seq = recorded.seq;
        for task in tasks_of(state, &recorded.event) {
            self.of_task.insert(task, seq);
        }
        match &recorded.event {
            Event::SeatTaken { seat, agent, .. } => {
                self.seated.insert(*seat, (role_at(state, *seat), agent.to_string()));
            }
            Event::AttemptLeased(lease) => {
                let seat = Seat::Attempt(lease.attempt);
                self.seated.insert(seat, (role_at(state, seat), lease.agent.to_string()));
            }
            Event::ConditionsChecked { .. } => self.conditions_at = Some(seq),
            Event::RunParked { .. }
            | Event::RunEnded { .. }
            | Event::RunReopened
            | Event::Resumed
            | Event::RunOpened(_)
            | Event::Draining
            | Event::Stopping
            | Event::GateReached { .. }
            | Event::GatePassed { .. }
            | Event::IterationBegan { .. } => self.stands_at = seq,
            _ => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the story tells of the other events in words")]
    fn tell(&mut self, state: &State, recorded: &Recorded) {
        let seq = recorded.seq;
        match &recorded.event {
            Event::BaselineTaken { results } => {
                for result in results.iter().filter(|it| it.answer != Answer::Green) {
                    self.check(&result.name, seq).red_on_base = true;
                }
            }
            Event::PlannerFailed { scope, why, .. } => {
                self.planners.push(PlannerTold { at: seq, scope: *scope, why: why.clone() });
            }
            Event::CallMade { seat, call } => self.call(*seat, call, seq),
            Event::AttemptEnded { attempt, usage, .. } | Event::AttemptLimited { attempt, usage, .. } => {
                self.ended(Seat::Attempt(*attempt), *usage, seq);
            }
            Event::SeatLeft { seat, usage, .. } => self.ended(*seat, *usage, seq),
            Event::VerdictGiven { attempt, verdict, .. } => {
                self.answers(&verdict.checks, seq);
                if verdict.ruling != Ruling::Accept {
                    self.refused(state, *attempt, seq);
                }
            }
            Event::CandidateReviewed { attempt, review, .. } if review.ruling != Ruling::Accept => {
                self.refused(state, *attempt, seq);
            }
            Event::MemberEjected { attempt, .. } => self.refused(state, *attempt, seq),
            Event::BatchMerged { conflicts, .. } => {
                for conflict in conflicts {
                    conflict.paths.iter().for_each(|path| self.heat.conflict(path, seq));
                    let (attempt, paths) = (conflict.attempt, conflict.paths.clone());
                    self.conflicts.push(ConflictTold { at: seq, attempt, paths });
                }
            }
            Event::PrefixChecked { results, .. } => self.answers(results, seq),
            Event::BatchLanded { landed, .. } => landed.iter().for_each(|link| self.landing(state, link, seq)),
            Event::Delivered { branch, result } => self.delivered.push(DeliveryTold {
                at: seq,
                branch: branch.clone(),
                commit: result.as_ref().ok().copied(),
                why: result.as_ref().err().cloned(),
            }),
            _ => {}
        }
    }

    fn check(&mut self, name: &str, seq: u64) -> &mut CheckTold {
        let new = || CheckTold { at: seq, name: name.to_owned(), red_on_base: false, red: 0, flaky: 0 };
        let check = self.checks.entry(name.to_owned()).or_insert_with(new);
        check.at = seq;
        check
    }

    fn answers(&mut self, results: &[CheckResult], seq: u64) {
        for result in results {
            match result.answer {
                Answer::Green => {}
                Answer::Red => self.check(&result.name, seq).red += 1,
                Answer::Flaky => self.check(&result.name, seq).flaky += 1,
            }
        }
    }

    fn refused(&mut self, state: &State, attempt: AttemptId, seq: u64) {
        if let Some(task) = state.tasks.get(&attempt.task) {
            self.heat.refusal(&task.draft.paths, seq);
        }
    }

    fn landing(&mut self, state: &State, link: &Link, seq: u64) {
        let id = link.attempt.task;
        let (Some(task), Some(attempt)) = (state.tasks.get(&id), state.attempt(link.attempt)) else { return };
        self.heat.landing(&task.draft.paths, seq);
        self.landed.entry(task.scope).or_default().push(LandedTold {
            at: seq,
            task: id,
            title: task.draft.title.clone(),
            attempt: link.attempt,
            commit: link.commit,
            agent: attempt.agent.to_string(),
            files: attempt.candidate().map_or(0, |candidate| candidate.files),
            attempts: u32::try_from(task.attempts.len()).unwrap_or(u32::MAX),
            reverted_by: None,
        });
    }

    fn row(&mut self, role: String, of: String, seq: u64) -> &mut SpendRow {
        let new = || SpendRow {
            at: seq,
            role: role.clone(),
            of: of.clone(),
            ended: 0,
            wall_ms: 0,
            calls: 0,
            tokens: Tokens::default(),
            nano_usd: 0,
        };
        let row = self.spend.entry((role.clone(), of.clone())).or_insert_with(new);
        row.at = seq;
        row
    }

    fn call(&mut self, seat: Seat, call: &Call, seq: u64) {
        let Spend { calls, tokens, nano_usd, told, .. } = call.spend();
        if call.provider == EGRESS || (calls == 0 && nano_usd == 0) {
            return;
        }
        let (role, _) = self.seated.get(&seat).cloned().unwrap_or_default();
        let model = format!("{}/{}", call.provider, call.model);
        let of = if told > 0 { format!("{model}, {AS_TOLD}") } else { model };
        let row = self.row(role, of, seq);
        row.calls += calls;
        row.tokens += tokens;
        row.nano_usd = row.nano_usd.saturating_add(nano_usd);
    }

    fn ended(&mut self, seat: Seat, usage: Usage, seq: u64) {
        let (role, agent) = self.seated.get(&seat).cloned().unwrap_or_default();
        let row = self.row(role, agent, seq);
        row.ended += 1;
        row.wall_ms += usage.wall_ms;
    }

    /// Gives the digest of the run as it stands; nothing where it is not open.
    pub fn finish(mut self, state: &State) -> Option<Digest> {
        let opening = state.opening.as_deref()?;
        if self.span.upto == 0 {
            self.span = Span { upto: state.seq, from_ms: state.last_ms, to_ms: state.last_ms, ..self.span };
        }
        let (story, skipped) = std::mem::take(&mut self.moments).finish();
        let total = state.total_spent().spend.nano_usd;
        Some(Digest {
            run: opening.run.clone(),
            name: opening.name.clone(),
            goal: opening.goal.name.clone(),
            prose: opening.goal.prose.clone(),
            span: self.span,
            stands: ended(state),
            stands_at: self.stands_at,
            counts: counts(state.tally),
            conditions: self.conditions(state),
            needs: self.needs(state),
            left: self.left(state),
            landed: landings(state, self.landed),
            delivered: self.delivered,
            planners: self.planners,
            checks: self.checks.into_values().collect(),
            conflicts: self.conflicts,
            hottest: self.heat.hottest(),
            spend: SpendTold {
                rows: self.spend.into_values().collect(),
                nano_usd: total.saturating_sub(self.before_nano_usd),
                budget_nano_usd: state.budget.nano_usd,
            },
            story,
            skipped,
        })
    }

    fn conditions(&self, state: &State) -> Vec<ConditionTold> {
        let results = state.conditions.as_ref().map(|(_, results)| results.as_slice()).unwrap_or_default();
        let told = |name: &str| {
            let result = results.iter().find(|result| result.name == name);
            let holds = result.map(|result| result.answer != Answer::Red);
            let why = result.filter(|_| holds == Some(false)).map(|result| result.tail.clone());
            ConditionTold { name: name.to_owned(), holds, at: result.and(self.conditions_at), why }
        };
        state.opening().goal.done.iter().map(|condition| told(condition.name())).collect()
    }

    fn needs(&self, state: &State) -> Vec<NeedTold> {
        let mut items = inbox(state);
        items.retain(|item| item.bucket == Bucket::NeedsInput);
        let at = |task: Option<TaskId>| {
            let of_task = task.and_then(|task| self.of_task.get(&task).copied());
            of_task.unwrap_or(self.stands_at)
        };
        items.into_iter().map(|item| NeedTold { at: at(item.task), item }).collect()
    }

    fn left(&self, state: &State) -> Vec<LeftTold> {
        let told = |(id, task): (&TaskId, &crate::machine::state::Task)| {
            let why = match &task.status {
                Status::Kept { why } => why.clone(),
                Status::Blocked { missing } => format!("missing: {missing}"),
                Status::Dropped { reason } => reason.clone(),
                Status::Reverted { by } => format!("taken back out by {by}"),
                Status::Waiting
                | Status::Ready
                | Status::Running
                | Status::Judging
                | Status::Gated
                | Status::Queued
                | Status::Landed { .. }
                | Status::Nothing => return None,
            };
            let at = self.of_task.get(id).copied().filter(|at| *at > self.span.after)?;
            Some(LeftTold { at, task: *id, title: task.draft.title.clone(), status: task.status.word(), why })
        };
        state.tasks.iter().filter(|(id, _)| !state.was_sent_back(**id)).filter_map(told).collect()
    }
}

fn role_at(state: &State, seat: Seat) -> String {
    state.role_at(seat).map(|role| role.name.clone()).unwrap_or_default()
}

fn landings(state: &State, by_scope: BTreeMap<ScopeId, Vec<LandedTold>>) -> Vec<ScopeLandings> {
    let told = |(scope, mut tasks): (ScopeId, Vec<LandedTold>)| {
        for row in &mut tasks {
            if let Some(Status::Reverted { by }) = state.tasks.get(&row.task).map(|task| &task.status) {
                row.reverted_by = Some(*by);
            }
        }
        let title = state.scopes.get(&scope).map(|it| it.draft.title.clone()).unwrap_or_default();
        ScopeLandings { scope, title, tasks }
    };
    by_scope.into_iter().map(told).collect()
}
