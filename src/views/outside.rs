//! Owns what views show of a run that stands in no event: the time, what is printed, how others stand. Never gathers it.

use std::collections::BTreeMap;

use super::board::CheckingRow;
use super::pace::Pace;
use crate::model::ids::{AttemptId, Oid};

/// Holds what the board needs beside the state.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    /// The time, in milliseconds since 1970.
    pub now_ms: i64,
    /// Last lines of running attempts; written by agents.
    pub last_lines: BTreeMap<AttemptId, String>,
    /// The check that was begun last and still runs.
    pub checking: Option<CheckingRow>,
    /// How fast the run lands.
    pub pace: Pace,
    /// Whether a coordinator lives.
    pub coordinated: bool,
    /// Where the branch stands into which a delivery waits to go.
    pub target: Option<Oid>,
}
