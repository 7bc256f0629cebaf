//! Owns the timeline: attempts laid out by worker slot, so that it is seen where time went. Never shows it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::machine::state::{Attempt, State};
use crate::model::attempt::Outcome;
use crate::model::ids::{AttemptId, RunId};

/// Lays out a run's attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Timeline {
    /// The run.
    pub run: RunId,
    /// When the first attempt began, in milliseconds since 1970.
    pub from_ms: i64,
    /// When the last one ended, or the present.
    pub to_ms: i64,
    /// One row of attempts for each worker slot, none overlapping another.
    pub slots: Vec<Vec<Bar>>,
}

/// Shows one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Bar {
    /// The attempt.
    pub attempt: AttemptId,
    /// The agent that played it.
    pub agent: String,
    /// When it began, in milliseconds since 1970.
    pub start_ms: i64,
    /// When it ended, or the present.
    pub end_ms: i64,
    /// What came of it.
    pub mark: Mark,
}

/// Says what came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// It runs.
    Running,
    /// It landed.
    Landed,
    /// It left a candidate that has not landed.
    Candidate,
    /// It found nothing to do.
    Nothing,
    /// It failed or is blocked, or its candidate was refused.
    Failed,
    /// Its worker vanished.
    Lost,
}

impl Mark {
    /// Names it in one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Landed => "landed",
            Self::Candidate => "candidate",
            Self::Nothing => "nothing",
            Self::Failed => "failed",
            Self::Lost => "lost",
        }
    }
}

/// Reads the timeline of an open run; none before the run is open.
pub fn timeline(state: &State, now_ms: i64) -> Option<Timeline> {
    let run = state.opening.as_ref()?.run.clone();
    let mut bars: Vec<Bar> = Vec::new();
    for (id, task) in &state.tasks {
        for (number, attempt) in (1..).zip(&task.attempts) {
            bars.push(Bar {
                attempt: AttemptId { task: *id, number },
                agent: attempt.agent.to_string(),
                start_ms: attempt.started_ms,
                end_ms: attempt.ended_ms.unwrap_or(now_ms).max(attempt.started_ms),
                mark: mark(attempt),
            });
        }
    }
    bars.sort_by_key(|bar| (bar.start_ms, bar.attempt));
    let from_ms = bars.first().map_or(state.opened_ms, |bar| bar.start_ms);
    let to_ms = bars.iter().map(|bar| bar.end_ms).max().unwrap_or(from_ms);
    let mut slots: Vec<Vec<Bar>> = Vec::new();
    for bar in bars {
        let free = slots.iter_mut().find(|slot| slot.last().is_none_or(|last| last.end_ms <= bar.start_ms));
        match free {
            Some(slot) => slot.push(bar),
            None => slots.push(vec![bar]),
        }
    }
    Some(Timeline { run, from_ms, to_ms, slots })
}

fn mark(attempt: &Attempt) -> Mark {
    if attempt.landed.is_some() {
        return Mark::Landed;
    }
    if attempt.lost.is_some() {
        return Mark::Lost;
    }
    let is_refused = attempt.verdict.as_ref().is_some_and(|verdict| !verdict.findings.is_empty());
    match &attempt.outcome {
        None if attempt.limited.is_some() => Mark::Lost,
        None => Mark::Running,
        Some(Outcome::Candidate(_)) if is_refused || !attempt.ejected.is_empty() => Mark::Failed,
        Some(Outcome::Candidate(_)) => Mark::Candidate,
        Some(Outcome::Nothing) => Mark::Nothing,
        Some(Outcome::Failed { .. } | Outcome::Blocked { .. }) => Mark::Failed,
    }
}
