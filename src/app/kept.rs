//! Owns what is kept of a run so as not to fold its events again: files beside its logs. They are caches: each is believed
//! only where the same laws made it of the events that the journal holds, and where nothing in it rotted.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::{AppError, Place};
use crate::io::files::{atomic_write, make_private};
use crate::io::process::read_small;
use crate::machine::snapshot;
use crate::model::ids::RunId;

/// Bytes of the hash before what it is of.
const SUM: usize = 32;

/// Bytes that are hashed sooner than a thread for it is started.
const SOON: usize = 1 << 20;

/// Says what made it, and of which events.
#[derive(Serialize, Deserialize)]
struct Made {
    form: String,
    seq: u64,
    chain: [u8; 32],
}

/// Holds what was kept, not looked at yet.
pub(super) struct Kept {
    bytes: Vec<u8>,
    /// Where its content begins.
    from: usize,
    /// The number of the last event that is in it.
    pub(super) seq: u64,
}

impl Kept {
    /// Reads its content; nothing where that rotted.
    pub(super) fn read<T: DeserializeOwned + Send>(&self) -> Option<T> {
        let is_sound = || Sha256::digest(&self.bytes[SUM..]).as_slice() == &self.bytes[..SUM];
        let content = &self.bytes[self.from..];
        if content.len() < SOON {
            return is_sound().then(|| snapshot::read(content))?;
        }
        std::thread::scope(|scope| {
            let sound = scope.spawn(is_sound);
            let value = snapshot::read(content);
            value.filter(|_| sound.join().unwrap_or(false))
        })
    }
}

impl Place {
    /// Gives what was kept of a run in a file of this name, of at most so many bytes, where it fits the journal.
    ///
    /// # Errors
    /// As reading the journal.
    pub(super) fn kept(&self, run: &RunId, file: &str, most: u64) -> Result<Option<Kept>, AppError> {
        // What cannot be read is no loss.
        let Ok(Some(bytes)) = read_small(&self.dir.run_dir(run).join(file), most) else { return Ok(None) };
        let Some((made, content)) = bytes.get(SUM..).and_then(snapshot::read_first::<Made>) else { return Ok(None) };
        let fits = made.form == snapshot::FORM
            && self.journal.chain_at(run, made.seq)?.is_some_and(|chain| chain.0 == made.chain);
        let (seq, from) = (made.seq, bytes.len() - content.len());
        Ok(fits.then_some(Kept { bytes, from, seq }))
    }

    /// Keeps what was made of a run's events up to one, in the place of what was kept in that file before.
    ///
    /// # Errors
    /// As reading the journal; where the file cannot be written.
    pub(super) fn keep(&self, run: &RunId, file: &str, seq: u64, value: &impl Serialize) -> Result<(), AppError> {
        let Some(chain) = self.journal.chain_at(run, seq)? else { return Ok(()) };
        let made = Made { form: snapshot::FORM.to_owned(), seq, chain: chain.0 };
        let written = snapshot::write_after(vec![0; SUM], &made);
        let Ok(mut bytes) = written.and_then(|bytes| snapshot::write_after(bytes, value)) else { return Ok(()) };
        let sum = Sha256::digest(&bytes[SUM..]);
        bytes[..SUM].copy_from_slice(&sum);
        let folder = self.dir.run_dir(run);
        make_private(&folder)?;
        Ok(atomic_write(&folder.join(file), &bytes)?)
    }
}
