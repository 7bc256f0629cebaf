//! Owns the faults of the journal, each with what a person can do about it. Never decides what is done.

use std::fmt;
use std::path::PathBuf;

use crate::model::ids::RunId;

/// A place in a run's record together with who may append there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The owner's epoch; rises with each claim.
    pub epoch: u64,
    /// The number of the last event.
    pub seq: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {} in epoch {}", self.seq, self.epoch)
    }
}

/// Says what was tried on the journal, and why it did not happen.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Somebody else appended first or owns the run since. Nothing was appended.
    #[error("append to run {run} after {expected}: it stands at {found}, owned by {}", holder.as_deref().unwrap_or("nobody"))]
    Stale {
        /// The run.
        run: RunId,
        /// Where the caller believed it to stand.
        expected: Position,
        /// Where it stands.
        found: Position,
        /// Who claimed it last.
        holder: Option<String>,
    },
    /// The disk failed while events were written: whether they are there is unknown. The process must exit and
    /// recover by reading the journal; it must never retry, since a failed flush may have dropped what later
    /// flushes then call safe. Every later write through the same journal gets this again.
    #[error("write the journal `{}`: the disk failed, and what was written last is in doubt; check the disk, then resume", .path.display())]
    Lost {
        /// The journal's file.
        path: PathBuf,
        /// What SQLite said, the first time.
        #[source]
        source: Option<rusqlite::Error>,
    },
    /// The run is not in the journal.
    #[error("find run {run}: the journal has none of that id")]
    NoSuchRun {
        /// The id.
        run: RunId,
    },
    /// The run is in the journal already.
    #[error("open run {run}: the journal has one of that id")]
    RunExists {
        /// The id.
        run: RunId,
    },
    /// No run has that id, name or beginning of an id.
    #[error("find a run by `{text}`: it is no run's id, name or beginning of an id")]
    NoRunLike {
        /// What was looked for.
        text: String,
    },
    /// Several runs fit.
    #[error("find one run by `{text}`: it fits {}; give the whole id", list(candidates))]
    Ambiguous {
        /// What was looked for.
        text: String,
        /// The runs that fit, the oldest first.
        candidates: Vec<RunId>,
    },
    /// A newer artel wrote the journal: it is read as far as possible and never written.
    #[error("use the journal in form {known}: a newer artel keeps it in form {found}; use that artel")]
    Newer {
        /// The form of the file.
        found: u32,
        /// The newest form that this program knows.
        known: u32,
    },
    /// There is no journal: no run was ever opened here.
    #[error("find the journal `{}`: there is none, so no run was opened on this machine", .path.display())]
    Absent {
        /// Where it would be.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("use `{}` as the journal: the file is not one; move it away", .path.display())]
    NotAJournal {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged: nothing may be concluded from it and nothing appended.
    #[error("trust the journal `{}`: it is damaged ({why}); keep the file and restore a copy", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The journal was opened for reading.
    #[error("write the journal `{}`: it was opened for reading only", .path.display())]
    OpenedToRead {
        /// The file.
        path: PathBuf,
    },
    /// The file or its directory refuses writing.
    #[error("{what} in `{}`: it or its directory is missing or may not be written; make both writable, or set ARTEL_HOME to a directory that is", .path.display())]
    NotWritable {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system or SQLite said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file cannot be read by this user: its bits forbid it, or a writer that died left work in files beside it
    /// that only a user who may write the directory can finish.
    #[error("read the journal `{}`: this user may not; ask its owner to run any artel verb once, or for the rights", .path.display())]
    NotReadable {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The disk or the quota is used up. Nothing was written: it may be tried again when there is space.
    #[error("{what} in `{}`: no space is left; free some, then resume", .path.display())]
    Full {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// Other processes kept the file locked for longer than anybody should.
    #[error("{what} in `{}`: another process keeps it locked; find the process that has it open", .path.display())]
    Busy {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// Anything else that SQLite refused.
    #[error("{what} in `{}`", .path.display())]
    Sqlite {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
}

fn list(runs: &[RunId]) -> String {
    runs.iter().map(RunId::as_str).collect::<Vec<_>>().join(", ")
}
