//! Owns the count of tasks by status, and the sums of what agents cost. Never counts one itself: `evolve` keeps it true.

use serde::{Deserialize, Serialize};

use super::state::Status;
use crate::model::attempt::Usage;
use crate::model::spend::Spend;

/// Counts tasks by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Waiting for other tasks.
    pub waiting: u32,
    /// May be leased.
    pub ready: u32,
    /// Under way.
    pub running: u32,
    /// Waiting for a verdict.
    pub judging: u32,
    /// Waiting for a person's word before they land.
    pub gated: u32,
    /// Waiting to land.
    pub queued: u32,
    /// Landed.
    pub landed: u32,
    /// Nothing to do.
    pub nothing: u32,
    /// Kept for a person.
    pub kept: u32,
    /// Waiting for something that is missing.
    pub blocked: u32,
    /// Given up.
    pub dropped: u32,
    /// Taken back out.
    pub reverted: u32,
}

/// Sums what an agent cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Spent {
    /// Attempts or check runs.
    pub count: u32,
    /// Their cost.
    pub usage: Usage,
    /// What their calls to models used.
    pub spend: Spend,
}

impl Tally {
    /// Finds the count that a status belongs to.
    pub fn of(&mut self, status: &Status) -> &mut u32 {
        match status {
            Status::Waiting => &mut self.waiting,
            Status::Ready => &mut self.ready,
            Status::Running => &mut self.running,
            Status::Judging => &mut self.judging,
            Status::Gated => &mut self.gated,
            Status::Queued => &mut self.queued,
            Status::Landed { .. } => &mut self.landed,
            Status::Nothing => &mut self.nothing,
            Status::Kept { .. } => &mut self.kept,
            Status::Blocked { .. } => &mut self.blocked,
            Status::Dropped { .. } => &mut self.dropped,
            Status::Reverted { .. } => &mut self.reverted,
        }
    }

    /// Counts all tasks.
    pub fn total(&self) -> u32 {
        self.open() + self.landed + self.nothing + self.kept + self.blocked + self.dropped + self.reverted
    }

    /// Counts tasks on which something may still happen by itself.
    pub fn open(&self) -> u32 {
        self.waiting + self.ready + self.running + self.judging + self.gated + self.queued
    }
}
