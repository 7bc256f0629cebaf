//! Owns how one event is told to programs: as it was stored, with its line for people. Never shows it.

use serde::Serialize;

use super::line::{Tone, line};
use crate::machine::event::{Event, Recorded};
use crate::machine::state::State;
use crate::model::ids::RunId;

/// Tells one event to programs.
#[derive(Debug, Serialize)]
pub struct EventJson<'a> {
    seq: u64,
    at: String,
    at_ms: i64,
    run: &'a RunId,
    kind: &'static str,
    text: String,
    tone: Tone,
    event: &'a Event,
}

impl<'a> EventJson<'a> {
    /// Tells of an event; `state` is the fold up to and with it.
    pub fn of(run: &'a RunId, state: &State, recorded: &'a Recorded) -> Self {
        let line = line(state, recorded);
        Self {
            seq: recorded.seq,
            at: jiff::Timestamp::from_millisecond(recorded.at_ms).map(|at| at.to_string()).unwrap_or_default(),
            at_ms: recorded.at_ms,
            run,
            kind: recorded.event.kind(),
            text: line.text,
            tone: line.tone,
            event: &recorded.event,
        }
    }
}
