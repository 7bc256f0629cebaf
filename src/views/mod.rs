//! The readings: what a run's state says to people and programs, as plain structures. Pure: a clock's time is an
//! argument, and text of agents and repositories stays as it was written but in `line`, which is text already.

pub mod words;
pub mod ended;
pub mod pace;
pub mod limits;
pub mod asked;
pub mod counts;
pub mod outside;
pub mod board;
pub mod glance;
pub mod task;
pub mod seatings;
pub mod timeline;
pub mod cost;
pub mod plan_tree;
pub mod plan_draft;
pub mod waiting;
pub mod inbox;
pub mod notices;
pub mod summary;
pub mod line;
pub mod event_json;
pub mod burn;
pub mod spans;
pub mod traffic;
pub mod outlay;
pub mod chronicle;
pub mod origin;
pub mod critical;
pub mod graph;
pub mod journal;
pub mod concerns;
pub mod digest;
pub mod telemetry;
pub mod brief;
pub mod answer;
#[cfg(test)]
pub(crate) mod story;
#[cfg(test)]
mod tests;
