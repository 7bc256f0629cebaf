//! Tests artel from outside: the real binary, real git, real processes, no network.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must say where")]

mod common;
mod crew;
mod crews;
mod stage;
#[path = "../syntax/ast_grep.rs"]
mod ast_grep;
#[path = "../syntax/packages.rs"]
mod packages;
#[allow(dead_code, reason = "it serves other tests too")]
#[path = "../web/wire.rs"]
mod wire;

mod first;
mod hands;
mod idle;
mod sandboxes;
mod egress;
mod planted;
mod script;
mod secrets;
mod goals;
mod words;
mod misfit;
mod oddities;
mod planners;
mod asked;
mod sessions;
mod questions;
mod plans;
mod shards;
mod sweeps;
mod agents;
mod models;
mod mischief;
mod surroundings;
mod ladder;
mod verdicts;
mod landing;
mod landings;
mod untouched;
mod pins;
mod clearing;
mod proofs;
mod transcripts;
mod deliver;
mod crash;
mod deaths;
mod disk;
mod faults;
mod stopping;
mod approvals;
mod beside;
mod terminal;
mod live_view;
mod follows;
mod notices;
mod verbs_reading;
mod verbs_asking;
mod verbs_first;
mod verbs_looks;
mod migrations;
mod ecosystems;
