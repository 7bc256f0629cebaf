//! The nouns: what artel speaks of, as plain data. Knows no events and does nothing.

pub mod ids;
pub mod paths;
pub mod check;
pub mod goal;
pub mod task;
pub mod model_name;
pub mod egress;
pub mod role;
pub mod sandbox;
pub mod config;
pub mod listers;
pub mod protected;
pub mod test_output;
pub mod attempt;
pub mod spend;
pub mod seat;
pub mod verdict;
pub mod review;
pub mod written;
pub mod goal_text;
pub mod config_text;
pub mod role_text;
pub mod inert;
pub mod secrets;
pub mod globs;
