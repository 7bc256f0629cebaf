//! Owns who sits where: which seats wait for somebody, whose turn it is there, what is held for whoever sits, and which
//! session is taken up again there. Never seats anybody: a rule does.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::asked::Heard;
use super::event::Turn;
use super::limits::AgentLimit;
use super::rules::advance::is_closing;
use super::state::State;
use crate::model::ids::{AttemptId, Oid};
use crate::model::means::Means;
use crate::model::review::{Lens, RunVerdict};
use crate::model::role::{AgentRef, Role};
use crate::model::seat::Seat;
use crate::model::spend::Spend;

/// Holds who sits at a seat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sitting {
    /// The agent.
    pub agent: AgentRef,
    /// The number that its words must carry.
    pub fence: u64,
    /// Since when, in milliseconds since 1970.
    pub since_ms: i64,
    /// What was held for its calls to models, all together.
    pub granted: Means,
    /// What its calls to models used.
    pub spend: Spend,
    /// What its session has heard of what people say.
    pub heard: Heard,
    /// The session that it takes up again.
    pub resumes: Option<ParkedSession>,
}

/// Holds a session that a limit or a question ended at a seat, which the same agent takes up again there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedSession {
    /// The agent.
    pub agent: AgentRef,
    /// The fence under which it sat.
    pub fence: u64,
    /// The agent's own name for it.
    pub session: String,
    /// Whether it ended to ask a person, not by a limit.
    pub has_asked: bool,
}

/// Says how a planner's or judge's session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leave {
    /// It has done what it was asked for.
    Done,
    /// It did not.
    Failed(String),
    /// A limit of its agent's account or provider ended it.
    Limited {
        /// When the limit is lifted, in milliseconds since 1970, where that was said.
        until_ms: Option<i64>,
        /// What was said of it.
        why: String,
        /// The agent's own name for its session, where it can be taken up again.
        session: Option<String>,
    },
    /// It cannot go on without a person's answer.
    Asks {
        /// What it lacks.
        missing: String,
        /// The agent's own name for its session, where it can be taken up again.
        session: Option<String>,
    },
}

/// Holds what the run's judge said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruled {
    /// At the end of which iteration.
    pub iteration: u32,
    /// Where the branch stood.
    pub head: Oid,
    /// What it said.
    pub verdict: RunVerdict,
}

impl Sitting {
    /// Gives what is held for it and that it has not used.
    pub fn held(&self) -> Means {
        self.granted.minus(self.spend.means())
    }
}

impl State {
    /// Finds the role that judges, where the run has it.
    pub fn judge(&self) -> Option<&Role> {
        let opening = self.opening();
        opening.roles.get(&opening.goal.plan.judge)
    }

    /// Finds the role that judges the run by sessions, where the goal names one.
    pub fn run_judge(&self) -> Option<&Role> {
        let opening = self.opening();
        let role = opening.roles.get(opening.goal.plan.run_judge.as_ref()?)?;
        role.sessions().next().is_some().then_some(role)
    }

    /// Tells whether the done-conditions were looked at where the branch stands, and the run's judge is to say what follows.
    pub fn awaits_run_judge(&self) -> bool {
        let is_looked_at = self.conditions.as_ref().is_some_and(|(head, _)| Some(*head) == self.head);
        is_looked_at && self.run_judge().is_some() && is_closing(self)
    }

    /// Lists the lenses through which sessions look at each candidate whose checks held; none where its judge judges by
    /// rule alone.
    pub fn lenses(&self) -> &[Lens] {
        match self.judge().filter(|judge| judge.sessions().next().is_some()) {
            Some(judge) if judge.lenses.is_empty() => &[Lens::Diff],
            Some(judge) => &judge.lenses,
            None => &[],
        }
    }

    /// Counts how many lenses have looked at an attempt's candidate.
    pub fn looked_at(&self, attempt: AttemptId) -> usize {
        self.attempt(attempt).map_or(0, |attempt| attempt.reviews.len())
    }

    /// Finds the role of whoever is to sit at a seat.
    pub fn role_at(&self, seat: Seat) -> Option<&Role> {
        match seat {
            Seat::Attempt(attempt) => self.role_of(self.tasks.get(&attempt.task)?),
            Seat::Planner { scope, .. } => self.opening().roles.get(&self.scopes.get(&scope)?.draft.role),
            Seat::Judge { .. } => self.judge(),
            Seat::RunJudge { .. } => self.run_judge(),
        }
    }

    /// Tells whether a role plans by sessions, not by rule: by what its first agent is.
    pub fn plans_by_session(&self, role: &str) -> bool {
        let first = self.opening().roles.get(role).and_then(|role| role.agents.first());
        first.is_some_and(AgentRef::is_session)
    }

    /// Lists the seats at which somebody is to sit, planners first: none where a question waits for its answer.
    pub fn seats(&self) -> impl Iterator<Item = Seat> {
        let planners = self.planning.iter().filter_map(|id| {
            let scope = self.scopes.get(id)?;
            let is_session = self.plans_by_session(&scope.draft.role);
            is_session.then_some(Seat::Planner { scope: *id, wake: scope.wake })
        });
        let judges = self.opening().judges.max(1) as usize;
        let judged = self.in_review().take(judges).map(|attempt| self.review_seat(attempt));
        let of_run = self.awaits_run_judge().then_some(Seat::RunJudge { iteration: self.iteration });
        planners.chain(judged).chain(of_run).filter(|seat| self.open_question(*seat).is_none())
    }

    /// Lists the seats that are empty.
    pub fn empty_seats(&self) -> impl Iterator<Item = Seat> {
        self.seats().filter(|seat| !self.sitting.contains_key(seat))
    }

    /// Tells whose turn it is at a seat.
    pub fn turn_at(&self, seat: Seat) -> Turn {
        self.turns.get(&seat).copied().unwrap_or_default()
    }

    /// Lists the agents that may sit down at a seat next, in order: the one whose turn it is and, where its role lets others
    /// stand in while it waits for a limit, those after it. Who stands in uses up the tries of whose turn it is.
    pub fn in_turn_at(&self, seat: Seat) -> Vec<&AgentRef> {
        let Some(role) = self.role_at(seat) else { return Vec::new() };
        let most = if role.failover { usize::MAX } else { 1 };
        role.sessions().skip(self.turn_at(seat).agent as usize).take(most).collect()
    }

    /// Names the agent that sits down at a seat at a time: the first that waits for no limit.
    pub fn next_at(&self, seat: Seat, now_ms: i64) -> Option<&AgentRef> {
        let agents = self.in_turn_at(seat);
        let waits = |agent: &&AgentRef| self.limits.get(&agent.account()).is_some_and(|limit| limit.until_ms > now_ms);
        agents.iter().copied().find(|agent| !waits(agent)).or(agents.first().copied())
    }

    /// Gives whose turn it is after the present one at a seat has failed; none where nobody is left.
    pub fn turn_after(&self, seat: Seat) -> Option<Turn> {
        let (turn, role) = (self.turn_at(seat), self.role_at(seat)?);
        if turn.tries + 1 < role.limits.attempts.max(1) {
            return Some(Turn { tries: turn.tries + 1, ..turn });
        }
        let is_there = role.sessions().nth(turn.agent as usize + 1).is_some();
        is_there.then_some(Turn { agent: turn.agent + 1, tries: 0 })
    }

    /// Finds the session that an agent takes up again when it sits down at a seat: the one that a limit ended there, where
    /// that was its own.
    pub fn parked_at(&self, seat: Seat, agent: &AgentRef) -> Option<&ParkedSession> {
        self.parked.get(&seat).filter(|parked| parked.agent == *agent)
    }

    /// Tells whether a session that a limit or a question ended may still be taken up at its seat: what it was to say is
    /// still to be said, of what it looked at.
    pub fn may_be_taken_up(&self, seat: Seat) -> bool {
        self.end.is_none() && self.is_to_be_said(seat)
    }

    /// Tells whether what somebody at a seat was to say is still to be said, of what was looked at there.
    pub fn is_to_be_said(&self, seat: Seat) -> bool {
        match seat {
            Seat::Attempt(_) => false,
            Seat::Planner { scope, wake } => {
                self.planning.contains(&scope) && self.scopes.get(&scope).is_some_and(|scope| scope.wake == wake)
            }
            Seat::Judge { attempt, lens } => {
                self.reviewing.contains(&attempt) && self.looked_at(attempt) + 1 == lens as usize
            }
            Seat::RunJudge { iteration } => {
                let looked = self.conditions.as_ref().map(|(head, _)| *head);
                iteration == self.iteration && looked.is_some() && looked == self.head
            }
        }
    }

    /// Lists the fences of those at seats whose sessions may be taken up again, or are, or may come to be.
    pub fn seatings_kept(&self) -> BTreeSet<u64> {
        let parked = self.parked.values().map(|parked| parked.fence);
        let sitting = self.sitting.values().flat_map(|it| [Some(it.fence), it.resumes.as_ref().map(|it| it.fence)]);
        parked.chain(sitting.flatten()).collect()
    }

    /// Finds the limit that an empty seat waits for, whether or not its time has come, with the agent that met it: of several
    /// agents that could sit there, each must have met one, and the first to be lifted counts.
    pub fn limit_at(&self, seat: Seat) -> Option<(&str, &AgentLimit)> {
        if self.limits.is_empty() {
            return None;
        }
        let met = |agent: &AgentRef| self.limits.get_key_value(&agent.account());
        let limits: Option<Vec<_>> = self.in_turn_at(seat).into_iter().map(met).collect();
        let (agent, limit) = limits?.into_iter().min_by_key(|(_, limit)| limit.until_ms)?;
        Some((agent, limit))
    }
}
