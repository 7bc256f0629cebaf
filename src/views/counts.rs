//! Owns how many of a run's tasks stand where. Never shows it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::machine::tally::Tally;

/// Counts tasks by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// All tasks.
    pub total: u32,
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

impl Counts {
    /// Lists the statuses with how many tasks have each.
    pub fn by_status(&self) -> [(&'static str, u32); 12] {
        [
            ("waiting", self.waiting),
            ("ready", self.ready),
            ("running", self.running),
            ("judging", self.judging),
            ("gated", self.gated),
            ("queued", self.queued),
            ("landed", self.landed),
            ("nothing", self.nothing),
            ("kept", self.kept),
            ("blocked", self.blocked),
            ("dropped", self.dropped),
            ("reverted", self.reverted),
        ]
    }
}

/// Counts tasks by status.
pub(super) fn counts(tally: Tally) -> Counts {
    let total = tally.total();
    let Tally { waiting, ready, running, judging, gated, queued, landed, nothing, kept, blocked, dropped, reverted } =
        tally;
    Counts { total, waiting, ready, running, judging, gated, queued, landed, nothing, kept, blocked, dropped, reverted }
}
