//! Owns what waits for a person's word, and what a word was given on and has not been used yet. Never waits itself, and
//! never says when it has waited long enough: a rule does.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::event::Subject;
use super::questions::{Question, Reply};
use super::state::{Planning, Scope, State, Status, Task};
use crate::model::gating::{Extent, Reason, covers, reasons};
use crate::model::ids::{AttemptId, Oid, ScopeId, TaskId};
use crate::model::seat::Seat;
use crate::model::verdict::Finding;

/// The rule of a finding that is a person's refusal of a candidate.
pub const DENIED: &str = "denied";

/// Holds what waits for a person's word, beside the name of the gate at which the whole run waits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Candidates that wait before they land, by attempt.
    pub candidates: BTreeMap<AttemptId, AskedCandidate>,
    /// For what each candidate has a word that has not landed yet.
    pub granted: BTreeMap<AttemptId, Vec<Reason>>,
    /// The delivery that waits.
    pub delivery: Option<AskedDelivery>,
    /// What may be delivered by a person's word and has not been yet.
    pub granted_delivery: Option<AskedDelivery>,
    /// What was asked at each seat, in order; the last may wait for its answer.
    pub questions: BTreeMap<Seat, Vec<Question>>,
    /// Since when the run waits at its gate.
    pub gate: Wait,
    /// How often the plan was edited or sent back by a person.
    pub edits: u32,
    /// Why plans were sent back, the oldest first.
    pub sent_back: Vec<String>,
    /// The number of the last task of a plan that was sent back.
    pub sent_back_upto: u32,
    /// What may be spent before the run waits again, in nano-dollars; 0 is as much as the goal says.
    pub spend_nano_usd: u64,
}

/// Says since when something waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// Since when, in milliseconds since 1970.
    pub since_ms: i64,
    /// Whether its word is overdue, and that has had its effect.
    pub is_overdue: bool,
}

/// Tells a gate as somebody was shown it from the same gate at another time, or before another plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shown {
    /// How often the plan had been edited or sent back.
    pub edits: u32,
    /// Since when the run waited there, in milliseconds since 1970.
    pub since_ms: i64,
}

/// Says what a person has against a plan as it was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Objection {
    /// Why it is sent back; whoever plans anew is told.
    pub reason: String,
    /// What was shown of it: as the inbox has it.
    pub shown: Shown,
}

/// Holds a candidate that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedCandidate {
    /// The candidate.
    pub commit: Oid,
    /// All for which it waits.
    pub reasons: Vec<Reason>,
    /// For what it had a word before it was asked about again: on the same commit, that still holds.
    pub said: Vec<Reason>,
    /// Where the run's branch stood when it was asked about.
    pub head: Option<Oid>,
    /// Since when.
    pub wait: Wait,
}

/// Holds a delivery that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedDelivery {
    /// The user's branch.
    pub branch: String,
    /// What is to be brought into it: where the run's branch stands.
    pub head: Oid,
    /// Where that stood when it was asked about.
    pub asked: Oid,
    /// Where the user's branch stood then, where that is known.
    pub onto: Option<Oid>,
    /// Why it did not go out, where it had its word before.
    pub failed: Option<String>,
    /// Since when.
    pub wait: Wait,
}

impl Asked {
    /// Finds the wait of something.
    pub fn wait_mut(&mut self, on: Subject) -> Option<&mut Wait> {
        match on {
            Subject::Gate(_) => Some(&mut self.gate),
            Subject::Candidate(id) => self.candidates.get_mut(&id).map(|it| &mut it.wait),
            Subject::Delivery => self.delivery.as_mut().map(|it| &mut it.wait),
            Subject::Question(seat) => {
                let last = self.questions.get_mut(&seat).and_then(|asked| asked.last_mut());
                last.filter(|it| it.reply == Reply::Waits).map(|it| &mut it.wait)
            }
        }
    }
}

impl Task {
    /// Lists all that is held against its next attempt: each refusal by a person, which holds for as long as the task is
    /// done, and then what was found last.
    pub fn held_against(&self) -> Vec<Finding> {
        let denied = self.attempts.iter().flat_map(|attempt| &attempt.ejected).filter(|it| it.rule == DENIED);
        denied.filter(|it| !self.findings.contains(it)).chain(&self.findings).cloned().collect()
    }

    /// Tells whether it stands in a plan and nothing of it has begun.
    pub fn is_planned(&self) -> bool {
        matches!(self.status, Status::Waiting | Status::Ready) && self.attempts.is_empty()
    }
}

impl Scope {
    /// Tells whether it is part of what an iteration plans, and was not sent back.
    pub fn stands_in(&self, iteration: u32) -> bool {
        self.iteration == iteration && self.status != Planning::SentBack
    }
}

impl State {
    /// Tells what somebody is shown who looks at the gate at which the run waits.
    pub fn shown(&self) -> Shown {
        Shown { edits: self.asked.edits, since_ms: self.asked.gate.since_ms }
    }

    /// Tells whether a task was of a plan that a person sent back: another may have its key since.
    pub fn was_sent_back(&self, id: TaskId) -> bool {
        let has_key = |task: &Task| self.task_keys.get(&task.draft.key) == Some(&id);
        !self.asked.sent_back.is_empty() && self.tasks.get(&id).is_some_and(|task| !has_key(task))
    }

    /// Tells whether whoever makes the plan of the run hears what a person says against it.
    pub fn is_planned_by_session(&self) -> bool {
        self.scopes.get(&ScopeId(0)).is_some_and(|root| self.plans_by_session(&root.draft.role))
    }

    /// Lists all on which a word is awaited; of a run that has ended only its delivery.
    pub fn awaited(&self) -> impl Iterator<Item = (Subject, Wait)> {
        let goes_on = self.end.is_none();
        let gate = self.waiting.filter(|_| goes_on).map(|gate| (Subject::Gate(gate), self.asked.gate));
        let candidates = self.asked.candidates.iter().filter(move |_| goes_on);
        let candidates = candidates.map(|(id, it)| (Subject::Candidate(*id), it.wait));
        let delivery = self.asked.delivery.as_ref().map(|it| (Subject::Delivery, it.wait));
        let questions = self.open_questions().filter(move |_| goes_on);
        let questions = questions.map(|(seat, _, question)| (Subject::Question(seat), question.wait));
        gate.into_iter().chain(candidates).chain(questions).chain(delivery)
    }

    /// Lists all for which a change waits if a task brings it. Whoever resolves a conflict of a task brings what its own role
    /// would have.
    pub fn reasons_of(&self, task: &Task, extent: &Extent) -> Vec<Reason> {
        let goal = &self.opening().goal;
        let played = self.role_of(task).map_or(task.draft.role.as_str(), |role| role.name.as_str());
        let role = if goal.gating.roles.contains(&task.draft.role) { &task.draft.role } else { played };
        reasons(goal, role, extent)
    }

    /// Tells for what a candidate lacks a person's word if it changes so much; nothing where it may land.
    pub fn lacks_word(&self, id: AttemptId, extent: &Extent) -> Vec<Reason> {
        let Some(task) = self.tasks.get(&id.task) else { return Vec::new() };
        let reasons = self.reasons_of(task, extent);
        let said = self.asked.granted.get(&id).map_or(&[][..], Vec::as_slice);
        if covers(said, &reasons) { Vec::new() } else { reasons }
    }

    /// Gives what may be spent before the run waits for a word, in nano-dollars; none where nothing is asked.
    pub fn spend_gate(&self) -> Option<u64> {
        let step = self.opening().goal.gating.nano_usd?;
        Some(if self.asked.spend_nano_usd == 0 { step } else { self.asked.spend_nano_usd })
    }

    /// Tells whether so much was spent that nothing is begun before a person's word.
    pub fn waits_for_spending(&self) -> bool {
        self.spend_gate().is_some_and(|limit| self.total_spent().spend.nano_usd >= limit)
    }
}
