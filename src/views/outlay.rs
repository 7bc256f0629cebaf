//! Owns what calls to models cost over time, by role and by model. Learns from events, because the state keeps sums
//! alone. Never prices a call.

use schemars::JsonSchema;
use serde::Serialize;

use super::spans::Spans;
use crate::machine::event::{Event, Recorded};
use crate::machine::state::State;

/// Shows what was spent over time, in nano-dollars.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Outlay {
    /// By the role of who asked.
    pub by_role: Spans,
    /// By the model that was asked.
    pub by_model: Spans,
}

impl Outlay {
    /// Takes an event in; `state` is the fold up to and with it.
    pub fn learn(&mut self, state: &State, recorded: &Recorded) {
        let Event::CallMade { seat, call } = &recorded.event else { return };
        let role = state.role_at(*seat).map_or("unknown", |role| role.name.as_str());
        self.by_role.add(role, recorded.at_ms, call.nano_usd);
        self.by_model.add(&call.model, recorded.at_ms, call.nano_usd);
    }
}
