//! Tests artel from outside: the real binary, real git, real processes, no network.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must say where")]

mod common;
mod hands;
mod script;
mod crews;
mod first;
mod goals;
mod misfit;
mod oddities;
mod planners;
mod plans;
mod shards;
mod sweeps;
