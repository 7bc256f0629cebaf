//! Tests the server from outside: the real binary, real HTTP on the loopback, runs that are played by scripts.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must say where")]

#[allow(dead_code, reason = "it serves other tests too")]
#[path = "../it/common.rs"]
mod common;
#[allow(dead_code, reason = "it serves other tests too")]
#[path = "../it/crew.rs"]
mod crew;

mod wire;
mod serving;
mod streams;
mod access;
mod asking;
mod approvals;
mod pages;
mod journal;
mod documents;
mod transcripts;
mod afar;
mod browser;
mod charts;
mod fuzzing;
