//! Owns how fast a run lands and when it may be through, with the basis of that guess. Learns from events, because
//! the state does not keep when something landed. Never reads a clock.

use std::collections::{BTreeSet, VecDeque};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::words;
use crate::machine::event::{Event, Recorded};
use crate::machine::state::{State, Status};
use crate::model::ids::TaskId;

/// How many of the last settled tasks the rate is taken from.
const WINDOW: usize = 10;
/// With fewer settled tasks nothing is guessed.
const LEAST: usize = 3;

/// Holds when the last tasks landed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pace {
    /// When the last landings were, the window's and the one before it, in milliseconds since 1970.
    landed_ms: VecDeque<i64>,
    /// When work began, or went on after a rest.
    began_ms: Option<i64>,
}

/// Guesses when a run is through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Eta {
    /// How much longer, in milliseconds.
    pub ms: u64,
    /// Tasks that are still to settle.
    pub left: u32,
    /// What the guess rests on.
    pub basis: String,
}

impl Pace {
    /// Takes in an event.
    pub fn learn(&mut self, recorded: &Recorded) {
        if let Event::BatchLanded { landed, .. } = &recorded.event {
            for _ in landed {
                self.landed_ms.push_back(recorded.at_ms);
            }
            while self.landed_ms.len() > WINDOW + 1 {
                self.landed_ms.pop_front();
            }
        } else if let Event::AttemptLeased(_) = &recorded.event {
            self.began_ms.get_or_insert(recorded.at_ms);
        } else if let Event::CoordinatorWoke { .. } | Event::Resumed = &recorded.event {
            // Time in which nobody worked says nothing about the rate.
            *self = Self::default();
        }
    }

    /// Guesses how long the rest takes; none where there is too little to go by or nothing is left.
    pub fn eta(&self, state: &State, now_ms: i64) -> Option<Eta> {
        let left = state.tally.open() - hopeless(state).len() as u32;
        if left == 0 || !state.is_live() {
            return None;
        }
        let (count, since_ms) = if self.landed_ms.len() > WINDOW {
            (WINDOW, *self.landed_ms.front()?)
        } else {
            (self.landed_ms.len(), self.began_ms?)
        };
        let span_ms = words::between_ms(since_ms, now_ms).max(1);
        if count < LEAST {
            return None;
        }
        let ms = span_ms.saturating_mul(u64::from(left)) / count as u64;
        let tenths = count as u64 * 600_000 / span_ms;
        let mut basis = format!("at {}.{} landed/min over the last {count}", tenths / 10, tenths % 10);
        if !state.planning.is_empty() {
            basis.push_str("; planning goes on");
        }
        Some(Eta { ms, left, basis })
    }
}

/// Lists the waiting tasks that cannot start by themselves, because something before them is kept or given up.
pub fn hopeless(state: &State) -> BTreeSet<TaskId> {
    let ends = |status: &Status| status.is_settled() && !status.lets_followers_start();
    let mut open: Vec<TaskId> = Vec::new();
    for task in state.tasks.values().filter(|task| ends(&task.status)) {
        open.extend(&task.followers);
    }
    let mut found = BTreeSet::new();
    while let Some(id) = open.pop() {
        let Some(task) = state.tasks.get(&id).filter(|task| task.status == Status::Waiting) else { continue };
        if found.insert(id) {
            open.extend(&task.followers);
        }
    }
    found
}
