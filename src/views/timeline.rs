//! Owns the timeline: attempts laid out by worker slot, so that it is seen where time went. Never shows it.

use schemars::JsonSchema;
use serde::Serialize;

use super::seatings::Seatings;
use super::words;
use crate::machine::event::Next;
use crate::machine::state::{Attempt, State, Task};
use crate::model::attempt::Outcome;
use crate::model::ids::{AttemptId, RunId, TaskId};
use crate::model::seat::Seat;

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
    /// One row of sittings for each planner or judge that sat at one time, none overlapping another; nothing where only
    /// the state is known.
    pub seats: Vec<Vec<SeatBar>>,
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
    /// Whether it brings a candidate together with what it conflicted with.
    pub resolves: bool,
    /// What its task waited for last, where it waited and where more than the state is known.
    pub waited: Option<Wait>,
}

/// Tells what a task waited for before its first attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Wait {
    /// The last task to be through of those that it waited for.
    pub task: TaskId,
    /// How long it waited for a worker from there on, in milliseconds.
    pub then_ms: u64,
}

/// Shows one who planned or judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SeatBar {
    /// The seat.
    pub seat: Seat,
    /// The agent.
    pub agent: String,
    /// Since when, in milliseconds since 1970.
    pub start_ms: i64,
    /// Until when, or the present.
    pub end_ms: i64,
    /// What came of it.
    pub mark: SeatMark,
}

/// Says what came of a sitting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeatMark {
    /// It goes on.
    Sits,
    /// It gave its answer.
    Answered,
    /// It gave none.
    Failed,
}

impl SeatMark {
    /// Names it in one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sits => "sits",
            Self::Answered => "answered",
            Self::Failed => "failed",
        }
    }
}

trait Stretch {
    fn stretch(&self) -> (i64, i64);
}

impl Stretch for Bar {
    fn stretch(&self) -> (i64, i64) {
        (self.start_ms, self.end_ms)
    }
}

impl Stretch for SeatBar {
    fn stretch(&self) -> (i64, i64) {
        (self.start_ms, self.end_ms)
    }
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

/// Reads the timeline of an open run with who planned and judged, and what attempts waited for; none before the run is
/// open.
pub fn whole_timeline(state: &State, seatings: &Seatings, now_ms: i64) -> Option<Timeline> {
    let mut whole = timeline(state, now_ms)?;
    for bar in whole.slots.iter_mut().flatten().filter(|bar| bar.attempt.number == 1) {
        let before = state.tasks.get(&bar.attempt.task).map(|task| task.after.as_slice()).unwrap_or_default();
        let through = before.iter().filter_map(|id| Some((*seatings.through_ms.get(id)?, *id)));
        let last = through.max();
        bar.waited = last.map(|(at_ms, task)| Wait { task, then_ms: words::between_ms(at_ms, bar.start_ms) });
    }
    let over = seatings.over.iter().map(|sat| SeatBar {
        seat: sat.seat,
        agent: sat.agent.clone(),
        start_ms: sat.from_ms,
        end_ms: sat.to_ms,
        mark: if sat.is_done { SeatMark::Answered } else { SeatMark::Failed },
    });
    let sits = state.sitting.iter().map(|(seat, sitting)| SeatBar {
        seat: *seat,
        agent: sitting.agent.to_string(),
        start_ms: sitting.since_ms,
        end_ms: now_ms.max(sitting.since_ms),
        mark: SeatMark::Sits,
    });
    let mut bars: Vec<SeatBar> = over.chain(sits).collect();
    bars.sort_by_key(|bar| (bar.start_ms, bar.seat));
    if let Some(first) = bars.first() {
        let is_empty = whole.slots.is_empty();
        whole.from_ms = if is_empty { first.start_ms } else { whole.from_ms.min(first.start_ms) };
        whole.to_ms = bars.iter().map(|bar| bar.end_ms).fold(whole.to_ms, i64::max);
    }
    whole.seats = rows(bars);
    Some(whole)
}

/// Reads the timeline of an open run as far as its state tells; none before the run is open.
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
                resolves: resolves(task, number),
                waited: None,
            });
        }
    }
    bars.sort_by_key(|bar| (bar.start_ms, bar.attempt));
    let from_ms = bars.first().map_or(state.opened_ms, |bar| bar.start_ms);
    let to_ms = bars.iter().map(|bar| bar.end_ms).max().unwrap_or(from_ms);
    Some(Timeline { run, from_ms, to_ms, slots: rows(bars), seats: Vec::new() })
}

/// Lays bars, the first to begin first, into as few rows as hold them.
fn rows<T: Stretch>(bars: Vec<T>) -> Vec<Vec<T>> {
    let mut rows: Vec<Vec<T>> = Vec::new();
    for bar in bars {
        let (start_ms, _) = bar.stretch();
        let free = rows.iter_mut().find(|row| row.last().is_none_or(|last| last.stretch().1 <= start_ms));
        match free {
            Some(row) => row.push(bar),
            None => rows.push(vec![bar]),
        }
    }
    rows
}

/// Tells whether an attempt was the resolver's: the one before it ended so.
fn resolves(task: &Task, number: u32) -> bool {
    let before = (number as usize).checked_sub(2).and_then(|at| task.attempts.get(at));
    match before.and_then(|before| before.next.as_ref()) {
        Some(Next::Again(again)) => again.resolves,
        Some(Next::Judge | Next::Review | Next::Queue | Next::Nothing | Next::Keep { .. } | Next::Block { .. })
        | None => false,
    }
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
