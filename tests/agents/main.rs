//! Tests artel with the real programs of agents, which are driven by a model that the tests write. No network.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must say where")]

mod model;
mod clis;
mod asking;

#[allow(dead_code, reason = "it serves other tests too")]
#[path = "../it/common.rs"]
mod common;
#[allow(dead_code, reason = "it serves other tests too")]
#[path = "../it/stage.rs"]
mod stage;

mod answers;
mod limits;
mod resumed;
mod seats;
mod logins;
mod programs;
mod workers;
mod crew;
mod held;
mod toolboxes;
mod faults;
mod canary;
mod nightly;
mod llm;
mod collector;
mod telemetry;
