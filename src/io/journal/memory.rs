//! Owns the journal that lives as long as its process: for the simulator, and where nothing should stay behind.
//! Never promises to survive anything.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::io::journal::Journal;
use crate::io::journal::chain::ChainHash;
use crate::io::journal::checkpoint::Checkpoint;
use crate::io::journal::error::{JournalError, Position};
use crate::io::journal::record::{Entry, EntryRef, NewEntry, NewRun, RequestRow, RunRow, Sent};
use crate::model::ids::{RequestId, RunId};

/// Keeps runs, events and requests in memory, by the same laws as the journal on disk.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    runs: BTreeMap<RunId, Book>,
    last_row: i64,
}

#[derive(Debug)]
struct Book {
    row: RunRow,
    epoch: u64,
    entries: Vec<Entry>,
    /// One an event, in their order.
    chain: Vec<ChainHash>,
    checkpoints: BTreeMap<u64, Checkpoint>,
    requests: Vec<RequestRow>,
}

impl MemoryJournal {
    fn books(&self) -> MutexGuard<'_, Books> {
        // A change is made whole or not at all, so what a panicking thread left is sound.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn of(&mut self, run: &RunId) -> Result<&mut Book, JournalError> {
        self.runs.get_mut(run).ok_or_else(|| JournalError::NoSuchRun { run: run.clone() })
    }
}

impl Book {
    fn chain_at(&self, seq: u64) -> Option<ChainHash> {
        self.chain.get(usize::try_from(seq.checked_sub(1)?).ok()?).copied()
    }

    fn from(&self, seq: u64) -> &[Entry] {
        let skip = usize::try_from(seq.max(1) - 1).unwrap_or(usize::MAX);
        self.entries.get(skip..).unwrap_or_default()
    }
}

impl Journal for MemoryJournal {
    fn open_run(&self, new: &NewRun) -> Result<(), JournalError> {
        let mut books = self.books();
        if books.runs.contains_key(&new.run) {
            return Err(JournalError::RunExists { run: new.run.clone() });
        }
        let NewRun { run, name, repo, opened_at_ms } = new.clone();
        let row = RunRow { run, name, repo, opened_at_ms, last_seq: 0, ended: None, holder: None };
        let book = Book {
            row,
            epoch: 0,
            entries: Vec::new(),
            chain: Vec::new(),
            checkpoints: BTreeMap::new(),
            requests: Vec::new(),
        };
        books.runs.insert(new.run.clone(), book);
        Ok(())
    }

    fn claim(&self, run: &RunId, holder: &str) -> Result<u64, JournalError> {
        let mut books = self.books();
        let book = books.of(run)?;
        book.epoch += 1;
        book.row.holder = Some(holder.to_owned());
        Ok(book.epoch)
    }

    fn epoch(&self, run: &RunId) -> Result<u64, JournalError> {
        Ok(self.books().of(run)?.epoch)
    }

    fn append(&self, run: &RunId, epoch: u64, after_seq: u64, entries: &[NewEntry]) -> Result<u64, JournalError> {
        let mut books = self.books();
        let book = books.of(run)?;
        let expected = Position { epoch, seq: after_seq };
        let found = Position { epoch: book.epoch, seq: book.row.last_seq };
        if expected != found || epoch == 0 {
            return Err(JournalError::Stale { run: run.clone(), expected, found, holder: book.row.holder.clone() });
        }
        let mut head = book.chain.last().copied().unwrap_or_else(|| ChainHash::start(run));
        for (new, seq) in entries.iter().zip(after_seq + 1..) {
            let NewEntry { at_ms, kind, v, data } = new.clone();
            let entry = Entry { seq, at_ms, kind, v, data };
            head = head.then(entry.as_ref());
            book.chain.push(head);
            book.entries.push(entry);
        }
        book.row.last_seq = after_seq + entries.len() as u64;
        Ok(book.row.last_seq)
    }

    fn for_some(
        &self,
        run: &RunId,
        from_seq: u64,
        limit: u64,
        see: &mut dyn FnMut(EntryRef<'_>),
    ) -> Result<u64, JournalError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut books = self.books();
        let shown = books.of(run)?.from(from_seq).iter().take(limit);
        Ok(shown.map(|entry| see(entry.as_ref())).count() as u64)
    }

    fn last_seq(&self, run: &RunId) -> Result<u64, JournalError> {
        Ok(self.books().of(run)?.row.last_seq)
    }

    fn runs(&self) -> Result<Vec<RunRow>, JournalError> {
        let mut rows: Vec<_> = self.books().runs.values().map(|book| book.row.clone()).collect();
        rows.sort_by_key(|row| row.opened_at_ms);
        Ok(rows)
    }

    fn set_ended(&self, run: &RunId, ended: Option<&str>) -> Result<(), JournalError> {
        self.books().of(run)?.row.ended = ended.map(str::to_owned);
        Ok(())
    }

    fn send_request(&self, run: &RunId, id: &RequestId, at_ms: i64, body: &str) -> Result<Sent, JournalError> {
        let mut books = self.books();
        let row = books.last_row + 1;
        let book = books.of(run)?;
        if book.requests.iter().any(|request| request.id == *id) {
            return Ok(Sent::Already);
        }
        book.requests.push(RequestRow { row, id: id.clone(), at_ms, body: body.to_owned() });
        books.last_row = row;
        Ok(Sent::New)
    }

    fn requests(&self, run: &RunId, after: i64) -> Result<Vec<RequestRow>, JournalError> {
        Ok(self.books().of(run)?.requests.iter().filter(|request| request.row > after).cloned().collect())
    }

    fn survey(&self, run: &RunId, see: &mut dyn FnMut(EntryRef<'_>, Option<ChainHash>)) -> Result<(), JournalError> {
        let mut books = self.books();
        let book = books.of(run)?;
        book.entries.iter().zip(&book.chain).for_each(|(entry, link)| see(entry.as_ref(), Some(*link)));
        Ok(())
    }

    fn chain_at(&self, run: &RunId, seq: u64) -> Result<Option<ChainHash>, JournalError> {
        Ok(self.books().of(run)?.chain_at(seq))
    }

    fn add_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), JournalError> {
        let mut books = self.books();
        books.of(&checkpoint.run)?.checkpoints.entry(checkpoint.seq).or_insert_with(|| checkpoint.clone());
        Ok(())
    }

    fn checkpoints(&self, run: &RunId) -> Result<Vec<Checkpoint>, JournalError> {
        Ok(self.books().of(run)?.checkpoints.values().cloned().collect())
    }

    fn settle(&self) -> Result<(), JournalError> {
        Ok(())
    }
}
