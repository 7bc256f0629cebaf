//! Tests artel with the real programs of agents, which are driven by a model that the tests write. No network.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must say where")]

mod model;
mod clis;
mod asking;

mod answers;
mod programs;
