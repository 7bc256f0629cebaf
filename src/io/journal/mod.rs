//! Owns the append-only record of events, which is the only truth, and the requests that wait for an answer.
//! Never knows what an event means, and never changes or removes what was appended.

pub mod record;
pub mod error;
pub mod format;
pub mod chain;
pub mod checkpoint;
pub mod audit;
pub mod memory;
pub mod sqlite;
mod schema;
mod wal;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod laws_on_disk;
#[cfg(test)]
mod tampering;

pub use chain::ChainHash;
pub use checkpoint::Checkpoint;
pub use error::{JournalError, Position};
pub use memory::MemoryJournal;
pub use record::{Entry, EntryRef, NewEntry, NewRun, RequestRow, RunRow, Sent};
pub use sqlite::SqliteJournal;

use crate::model::ids::{RequestId, RunId};

/// Stores runs, their events and their requests. Calls block on the disk: an actor makes them where blocking is
/// allowed.
///
/// What a call has returned survives the death of the process and of the machine, in that order of appending.
/// A call that did not return may have happened whole or not at all, never in part.
pub trait Journal: Send + Sync {
    /// Opens a run, with no events and no owner.
    ///
    /// # Errors
    /// [`JournalError::RunExists`] when the id is taken; the faults of writing.
    fn open_run(&self, run: &NewRun) -> Result<(), JournalError>;

    /// Makes `holder` (a process and host that a person can find) the owner of a run and returns its epoch, which
    /// is above all epochs before: whoever owned the run until here can append no more.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`]; the faults of writing.
    fn claim(&self, run: &RunId, holder: &str) -> Result<u64, JournalError>;

    /// Returns the epoch of a run's owner, 0 when it has had none.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`]; the faults of reading.
    fn epoch(&self, run: &RunId) -> Result<u64, JournalError>;

    /// Appends `entries` as events `after_seq + 1` and on, all or none, and returns the last sequence number.
    /// Durable when it returns, at the price of one flush however many entries. Without entries it asks only
    /// whether the caller still owns the run.
    ///
    /// # Errors
    /// [`JournalError::Stale`] when `epoch` is not the run's or its last event is not `after_seq`: nothing was
    /// appended, and the caller no longer knows the truth. [`JournalError::Lost`] when the disk failed: exit and
    /// recover, never retry. The other faults of writing leave the journal as it was.
    fn append(&self, run: &RunId, epoch: u64, after_seq: u64, entries: &[NewEntry]) -> Result<u64, JournalError>;

    /// Shows `see` at most `limit` events of a run from `from_seq` on, as [`Journal::for_each`] does; gives how many. Two
    /// threads may do so at one time.
    ///
    /// # Errors
    /// Those of [`Journal::for_each`].
    fn for_some(
        &self,
        run: &RunId,
        from_seq: u64,
        limit: u64,
        see: &mut dyn FnMut(EntryRef<'_>),
    ) -> Result<u64, JournalError>;

    /// Shows `see` the events of a run from `from_seq` on, in order, each of them compared with what it was chained to
    /// when it was appended. `see` must not call the journal.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`]; [`JournalError::Damaged`] when an event is missing or is not what was appended; the
    /// faults of reading.
    fn for_each(&self, run: &RunId, from_seq: u64, see: &mut dyn FnMut(EntryRef<'_>)) -> Result<(), JournalError> {
        let mut from = from_seq.max(1);
        loop {
            let seen = self.for_some(run, from, record::PAGE, see)?;
            from += seen;
            if seen < record::PAGE {
                return Ok(());
            }
        }
    }

    /// Returns at most `limit` events of a run from `from_seq` on, in order.
    ///
    /// # Errors
    /// Those of [`Journal::for_each`].
    fn read(&self, run: &RunId, from_seq: u64, limit: usize) -> Result<Vec<Entry>, JournalError> {
        let mut entries = Vec::new();
        self.for_some(run, from_seq, limit as u64, &mut |entry| entries.push(entry.to_entry()))?;
        Ok(entries)
    }

    /// Returns the number of a run's last event, 0 when it has none.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`]; the faults of reading.
    fn last_seq(&self, run: &RunId) -> Result<u64, JournalError>;

    /// Returns all runs, the oldest first.
    ///
    /// # Errors
    /// The faults of reading.
    fn runs(&self) -> Result<Vec<RunRow>, JournalError>;

    /// Finds the run that a person means by an id, else by a name, else by the beginning of an id.
    ///
    /// # Errors
    /// [`JournalError::NoRunLike`]; [`JournalError::Ambiguous`] with the candidates; the faults of reading.
    fn find_run(&self, text: &str) -> Result<RunRow, JournalError> {
        record::resolve(self.runs()?, text)
    }

    /// Notes how a run ended, or that it goes on. A cache for listings: the truth is in the events.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`]; the faults of writing.
    fn set_ended(&self, run: &RunId, ended: Option<&str>) -> Result<(), JournalError>;

    /// Stores what somebody asks of a run, whether or not a coordinator lives. Durable when it returns. The first
    /// request of an id stands; the same id again changes nothing.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`]; the faults of writing.
    fn send_request(&self, run: &RunId, id: &RequestId, at_ms: i64, body: &str) -> Result<Sent, JournalError>;

    /// Returns the requests of a run that were stored after row `after`, in the order of storing; 0 asks for all.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`]; the faults of reading.
    fn requests(&self, run: &RunId, after: i64) -> Result<Vec<RequestRow>, JournalError>;

    /// Shows `see` what is stored of a run as it lies, gaps and all, in the order of the events' numbers, each with what
    /// it was chained to; none where it was appended by an artel that did not chain. `see` must not call the journal.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`]; the faults of reading.
    fn survey(&self, run: &RunId, see: &mut dyn FnMut(EntryRef<'_>, Option<ChainHash>)) -> Result<(), JournalError>;

    /// Gives what stands for all events of a run up to one of them; none where the run has no such event, or it was
    /// appended by an artel that did not chain.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`]; the faults of reading.
    fn chain_at(&self, run: &RunId, seq: u64) -> Result<Option<ChainHash>, JournalError>;

    /// Stores a checkpoint of a run. The first of a number stands.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`]; the faults of writing.
    fn add_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), JournalError>;

    /// Returns the checkpoints of a run, by number.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`]; the faults of reading.
    fn checkpoints(&self, run: &RunId) -> Result<Vec<Checkpoint>, JournalError>;

    /// Puts what was appended where it is found soonest, as far as nobody who reads is in the way. Nothing depends on it.
    ///
    /// # Errors
    /// The faults of writing.
    fn settle(&self) -> Result<(), JournalError>;
}
