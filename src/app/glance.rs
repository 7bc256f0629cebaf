//! Owns the kept glance of a run: what its board showed when its last event was read. Shown only while the journal ends
//! where it did, and nobody coordinates the run.

use super::{AppError, Loaded, Place, is_hosted};
use crate::model::ids::RunId;
use crate::views::board::{Outside, board};
use crate::views::glance::Glance;

/// Names the file in the run's folder.
const FILE: &str = "glance";

/// Bytes that one may have: its lists are short, but what agents say in them may be long.
const BYTES_AT_MOST: u64 = 4 << 20;

impl Place {
    /// Gives the glance of a run that nobody coordinates, where one was kept and nothing has happened since.
    ///
    /// # Errors
    /// As reading the journal.
    pub fn glance(&self, run: &RunId) -> Result<Option<Glance>, AppError> {
        let Some(kept) = self.kept(run, FILE, BYTES_AT_MOST)? else { return Ok(None) };
        let is_last = self.journal.last_seq(run)? == kept.seq && !is_hosted(self, run);
        Ok(if is_last { kept.read() } else { None })
    }

    /// Keeps the glance of what was loaded.
    pub(super) fn keep_glance(&self, run: &RunId, loaded: &Loaded) -> Result<(), AppError> {
        if loaded.state.asked.delivery.is_some() {
            // What it is to go into moves without an event.
            return Ok(());
        }
        let now_ms = self.clock.now_ms();
        let outside = Outside { now_ms, pace: loaded.pace.clone(), ..Outside::default() };
        let Some(board) = board(&loaded.state, &outside) else { return Ok(()) };
        self.keep(run, FILE, loaded.state.seq, &Glance::of(board))
    }
}
