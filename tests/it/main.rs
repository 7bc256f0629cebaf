//! Tests artel from outside: the real binary, real git, real processes, no network.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must say where")]

mod common;
mod hands;
mod script;
mod first;
mod crew;
mod agents;
mod mischief;
mod surroundings;
mod ladder;
mod verdicts;
