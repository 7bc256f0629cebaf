//! Owns how a run stands or ended, in words, and the class that an exit code is chosen by. Chooses no exit code.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::{limits, waits};
use super::words;
use crate::machine::event::{End, Rest};
use crate::machine::state::{Flow, State};
use crate::model::goal::Gate;
use crate::model::ids::ScopeId;

/// Classes the ways in which a run may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Nothing was opened.
    Unopened,
    /// It moves by itself, as long as a coordinator lives.
    Live,
    /// Every done-condition holds and nothing is left.
    Done,
    /// It ended and something is left.
    Incomplete,
    /// A person refused it at a gate.
    Denied,
    /// It waits for a person's word.
    Waits,
    /// A person stopped it.
    Stopped,
    /// It has used what it may use.
    Budget,
    /// Something outside the run must be mended first.
    Trouble,
}

impl Class {
    /// Lists all.
    pub const ALL: [Self; 9] = [
        Self::Unopened,
        Self::Live,
        Self::Done,
        Self::Incomplete,
        Self::Denied,
        Self::Waits,
        Self::Stopped,
        Self::Budget,
        Self::Trouble,
    ];

    /// Names it, as programs see it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unopened => "unopened",
            Self::Live => "live",
            Self::Done => "done",
            Self::Incomplete => "incomplete",
            Self::Denied => "denied",
            Self::Waits => "waits",
            Self::Stopped => "stopped",
            Self::Budget => "budget",
            Self::Trouble => "trouble",
        }
    }
}

/// Says how a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ended {
    /// The class.
    pub class: Class,
    /// One sentence; holds text of people and of the world, hence not inert.
    pub words: String,
}

/// Reads how a run stands.
pub fn ended(state: &State) -> Ended {
    if state.opening.is_none() {
        return Ended { class: Class::Unopened, words: "not open".to_owned() };
    }
    if let Some(end) = &state.end {
        return at_end(state, end);
    }
    if let Some(rest) = &state.rest {
        return at_rest(state, rest);
    }
    if let (Flow::Open, Some(what)) = (state.flow, &state.short) {
        return Ended { class: Class::Live, words: format!("begins nothing new until there is space: {what}") };
    }
    let words = match state.flow {
        Flow::Draining => "stopping: what runs is finished, nothing new is begun",
        Flow::Stopping => "stopping at once",
        Flow::Open if state.waiting.is_some() => "finishing what runs before it waits for a person's word",
        Flow::Open if state.head.is_none() || state.baseline.is_none() => "taking the baseline",
        Flow::Open => return Ended { class: Class::Live, words: at_work(state) },
    };
    Ended { class: Class::Live, words: words.to_owned() }
}

/// Says what a run does to which work may be handed out.
fn at_work(state: &State) -> String {
    let by_session = |id: &ScopeId| state.scopes.get(id).is_some_and(|scope| state.plans_by_session(&scope.draft.role));
    let is_still = !state.has_work_under_way() && state.sitting.is_empty() && state.planning.iter().all(by_session);
    if is_still && let Some(row) = limits(state, state.last_ms).first() {
        return waits(&row.agent, row.until_ms);
    }
    let words = match is_still && state.tally.ready == 0 && state.planning.is_empty() {
        _ if state.tasks.is_empty() => "planning",
        true => "looking at the done-conditions",
        false => "at work",
    };
    words.to_owned()
}

fn at_end(state: &State, end: &End) -> Ended {
    match end {
        End::Done => {
            let words = "done: every done-condition holds and nothing is left over".to_owned();
            Ended { class: Class::Done, words }
        }
        End::Incomplete { kept, red, failed_planners, judged } => {
            let mut parts = Vec::new();
            if !state.sample_accepted {
                parts.push("the sample was not accepted, so the sweep did not begin".to_owned());
            }
            if !kept.is_empty() {
                parts.push(format!("{} left over", words::count(kept.len(), "task")));
            }
            if !red.is_empty() {
                parts.push(format!("{} not met: {}", words::count(red.len(), "done-condition"), red.join(", ")));
            }
            if !failed_planners.is_empty() {
                parts.push(format!("{} failed", words::count(failed_planners.len(), "planner")));
            }
            if let Some(why) = judged {
                parts.push(format!("its judge does not call it done: {why}"));
            }
            Ended { class: Class::Incomplete, words: format!("ended, not done: {}", parts.join("; ")) }
        }
        End::Denied { reason } => Ended { class: Class::Denied, words: format!("refused by a person: {reason}") },
    }
}

fn at_rest(state: &State, rest: &Rest) -> Ended {
    let (class, words) = match rest {
        Rest::Stopped => (Class::Stopped, "stopped by a person".to_owned()),
        Rest::Gate(Gate::Landing) => {
            let waiting = words::count(state.asked.candidates.len(), "candidate");
            (Class::Waits, format!("waits for your word on {waiting}"))
        }
        Rest::Question => {
            let questions = words::count(state.open_questions().count(), "question");
            (Class::Waits, format!("waits for your answer to {questions}"))
        }
        Rest::Gate(gate) => (Class::Waits, format!("waits for your word on the {}", words::gate(*gate))),
        Rest::Budget { what } => (Class::Budget, format!("has used its budget of {what}")),
        Rest::Trouble { what } => (Class::Trouble, format!("halted by trouble outside the run: {what}")),
    };
    Ended { class, words }
}
