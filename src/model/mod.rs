//! The nouns: what artel speaks of, as plain data. Knows no events and does nothing.

pub mod ids;
pub mod paths;
pub mod check;
pub mod goal;
pub mod task;
pub mod role;
pub mod config;
pub mod attempt;
pub mod verdict;
pub mod inert;
