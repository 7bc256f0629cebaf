//! Owns who planned and judged when, and when tasks let others start. Learns from events, because the state keeps who
//! sits at present alone. Never reads a clock.

use std::collections::{BTreeMap, VecDeque};

use crate::machine::event::{Event, Left, Next, Recorded};
use crate::machine::state::State;
use crate::model::ids::TaskId;
use crate::model::seat::Seat;

/// Sittings that are kept, the last ones.
const SITTINGS: usize = 4096;

/// Holds who sat where and when, and when tasks were through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seatings {
    /// Those who are gone, in the order of their going.
    pub over: VecDeque<Sat>,
    /// When each task let those that wait for it start, in milliseconds since 1970.
    pub through_ms: BTreeMap<TaskId, i64>,
    /// Who sits, and since when.
    at_present: BTreeMap<Seat, (String, i64)>,
}

/// Tells of one who sat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sat {
    /// Where.
    pub seat: Seat,
    /// Which agent.
    pub agent: String,
    /// Since when, in milliseconds since 1970.
    pub from_ms: i64,
    /// Until when.
    pub to_ms: i64,
    /// Whether it gave its answer.
    pub is_done: bool,
}

impl Seatings {
    /// Takes an event in; `state` is the fold up to and with it.
    pub fn learn(&mut self, state: &State, recorded: &Recorded) {
        let at_ms = recorded.at_ms;
        if let Event::SeatTaken { seat, agent, .. } = &recorded.event {
            self.at_present.insert(*seat, (agent.to_string(), at_ms));
        } else if let Event::SeatLeft { seat, left, .. } = &recorded.event {
            if let Some((agent, from_ms)) = self.at_present.remove(seat) {
                let is_done = matches!(left, Left::Done);
                self.over.push_back(Sat { seat: *seat, agent, from_ms, to_ms: at_ms.max(from_ms), is_done });
            }
            while self.over.len() > SITTINGS {
                self.over.pop_front();
            }
        } else if let Event::BatchLanded { landed, .. } = &recorded.event {
            for link in landed {
                self.through_ms.insert(link.attempt.task, at_ms);
            }
        } else if let Event::AttemptEnded { attempt, next: Next::Nothing, .. } = &recorded.event {
            self.through_ms.insert(attempt.task, at_ms);
        }
        // What is no longer sat at was left in a way of its own, such as with its scope.
        if self.at_present.len() > state.sitting.len() {
            self.at_present.retain(|seat, _| state.sitting.contains_key(seat));
        }
    }
}
