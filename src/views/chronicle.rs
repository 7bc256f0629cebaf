//! Owns what a run's events tell that its state does not keep: how work went down, landing went, money went, and who sat
//! when. Never reads a clock.

use super::burn::Burn;
use super::outlay::Outlay;
use super::seatings::Seatings;
use super::traffic::Traffic;
use crate::machine::event::Recorded;
use crate::machine::state::State;

/// Holds what was learned of a run's events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chronicle {
    /// How the work that is left went down.
    pub burn: Burn,
    /// How landing went.
    pub traffic: Traffic,
    /// What calls to models cost.
    pub outlay: Outlay,
    /// Who planned and judged.
    pub seatings: Seatings,
}

impl Chronicle {
    /// Takes an event in; `state` is the fold up to and with it.
    pub fn learn(&mut self, state: &State, recorded: &Recorded) {
        self.burn.learn(state, recorded);
        self.traffic.learn(state, recorded);
        self.outlay.learn(state, recorded);
        self.seatings.learn(state, recorded);
    }
}
