//! Readings of what is there, for people and agents. Never waits, never reads a clock.

pub mod brief;
