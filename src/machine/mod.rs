//! The laws: commands, events, the state that events fold into, what is decided and what is owed. Pure and
//! synchronous: no clock, no chance, no world.

pub mod command;
pub mod event;
pub mod state;
pub mod tally;
pub mod tasks;
pub mod awaited;
pub mod questions;
pub mod limits;
pub mod seats;
pub mod money;
pub mod conflicts;
pub mod freeze;
pub mod asked;
pub mod snapshot;
pub mod bisect;
pub mod flakes;
pub mod rejection;
pub mod decide;
pub mod rules;
pub mod evolve;
pub mod due;
pub mod ladder;
pub mod laws;

#[cfg(test)]
pub(crate) mod testing;
