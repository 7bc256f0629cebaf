//! Owns how the digest of a run is gathered from its journal, a page of events at a time. Keeps none.

use super::folding::PAGE;
use super::{AppError, Place};
use crate::machine::evolve::evolve;
use crate::machine::state::State;
use crate::model::ids::RunId;
use crate::views::digest::{Digest, Teller, Window};

impl Place {
    /// Gathers what a run came to in a stretch of it; nothing where it is not open. Blocks on the disk.
    ///
    /// # Errors
    /// Fails where an event is missing, is not as it was appended, or cannot be read.
    pub fn digest(&self, run: &RunId, window: Window) -> Result<Option<Digest>, AppError> {
        let mut teller = Teller::new(window);
        let mut state = State::default();
        loop {
            let page = self.page(run, state.seq + 1)?;
            let is_last = (page.len() as u64) < PAGE;
            for recorded in page {
                state = evolve(state, &recorded);
                teller.learn(&state, &recorded);
            }
            if is_last {
                return Ok(teller.finish(&state));
            }
        }
    }
}
