//! Owns the kept glance of a run: what its board showed when its last event was read. A cache beside the run's logs:
//! shown only while the journal ends where it did, and nobody coordinates the run.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{AppError, Loaded, Place, is_hosted};
use crate::io::files::{atomic_write, make_private};
use crate::io::process::read_small;
use crate::machine::snapshot;
use crate::model::ids::RunId;
use crate::views::board::{Outside, board};
use crate::views::glance::Glance;

/// Names the file in the run's folder.
const FILE: &str = "glance";

/// Bytes that one may have: its lists are short, but what agents say in them may be long.
const BYTES_AT_MOST: u64 = 4 << 20;

/// Bytes of the hash before the content: a cache that rotted is no cache.
const SUM: usize = 32;

#[derive(Serialize, Deserialize)]
struct Kept {
    form: String,
    seq: u64,
    chain: [u8; 32],
    glance: Glance,
}

impl Place {
    /// Gives the glance of a run that nobody coordinates, where one was kept and nothing has happened since.
    ///
    /// # Errors
    /// As reading the journal.
    pub fn glance(&self, run: &RunId) -> Result<Option<Glance>, AppError> {
        let Ok(Some(bytes)) = read_small(&self.dir.run_dir(run).join(FILE), BYTES_AT_MOST) else { return Ok(None) };
        let kept = bytes.split_at_checked(SUM).filter(|(sum, content)| Sha256::digest(content).as_slice() == *sum);
        let Some(kept) = kept.and_then(|(_, content)| snapshot::read::<Kept>(content)) else { return Ok(None) };
        let is_last = kept.form == snapshot::FORM
            && self.journal.last_seq(run)? == kept.seq
            && self.journal.chain_at(run, kept.seq)?.is_some_and(|chain| chain.0 == kept.chain);
        Ok((is_last && !is_hosted(self, run)).then_some(kept.glance))
    }

    /// Keeps the glance of what was loaded.
    pub(super) fn keep_glance(&self, run: &RunId, loaded: &Loaded, chain: [u8; 32]) -> Result<(), AppError> {
        if loaded.state.asked.delivery.is_some() {
            // What it is to go into moves without an event.
            return Ok(());
        }
        let now_ms = self.clock.now_ms();
        let outside = Outside { now_ms, pace: loaded.pace.clone(), ..Outside::default() };
        let Some(board) = board(&loaded.state, &outside) else { return Ok(()) };
        let (form, seq) = (snapshot::FORM.to_owned(), loaded.state.seq);
        let Ok(content) = snapshot::write(&Kept { form, seq, chain, glance: Glance::of(board) }) else { return Ok(()) };
        let folder = self.dir.run_dir(run);
        make_private(&folder)?;
        Ok(atomic_write(&folder.join(FILE), &[Sha256::digest(&content).as_slice(), &content].concat())?)
    }
}
