//! Owns the proof of what the journal holds: a signed checkpoint now and then, and the anchor that keeps it in the
//! repository. Joins journal, key and git, which do not know each other. Never reads an event.

use super::world::World;
use crate::io::git::GitError;
use crate::io::journal::checkpoint::{PURPOSE, statement};
use crate::io::journal::{Checkpoint, JournalError};
use crate::io::signing::{Signer, SigningError};

/// After how many events a checkpoint is due. What lies beyond the last one is bound by the chain alone.
pub const EVERY: u64 = 64;

/// After how many events the anchor moves: each time some files are synced to disk.
pub const ANCHOR_EVERY: u64 = 256;

/// Says why what the journal holds could not be proven.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The key.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The anchor.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Says how far a proof goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The journal alone.
    Journal,
    /// The repository too.
    Anchor,
}

impl Reach {
    /// Gives how far the next proof goes: the anchor moves when its turn came since the last one.
    pub fn after(sealed: u64, seq: u64) -> Self {
        if seq / ANCHOR_EVERY > sealed / ANCHOR_EVERY { Self::Anchor } else { Self::Journal }
    }
}

/// Signs what the journal holds of the run at present. Made twice it is the same.
///
/// # Errors
/// Where the key, the journal or the anchor cannot be written; the run itself is not harmed by it.
pub fn seal(world: &World, reach: Reach) -> Result<(), SealError> {
    let (run, journal) = (&world.run, &world.journal);
    let seq = journal.last_seq(run)?;
    let Some(chain) = journal.chain_at(run, seq)? else { return Ok(()) };
    let signer = Signer::read_or_make(&world.place.journal_key())?;
    let signature = signer.sign(PURPOSE, statement(run, seq, chain).as_bytes())?;
    let checkpoint = Checkpoint { run: run.clone(), seq, chain, key: signer.public(), signature };
    journal.add_checkpoint(&checkpoint)?;
    if reach == Reach::Anchor {
        let text = format!("{run}: {seq} events\n\n{}", checkpoint.to_text());
        world.repo.add_anchor(&world.refs.anchor(), &text, world.now_ms())?;
    }
    Ok(())
}
