//! Owns the rows of the journal as plain data, and which run a person's text means. Never touches a disk.

use std::path::PathBuf;

use crate::io::journal::error::JournalError;
use crate::model::ids::{RequestId, RunId};

/// How many events one look takes: a long one would keep the write-ahead log from being copied back.
pub(super) const PAGE: u64 = 8192;

/// An event as it is handed in; its number comes from its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// When it happened, in milliseconds since 1970-01-01 UTC. Orders nothing: the number does.
    pub at_ms: i64,
    /// Which event it is.
    pub kind: String,
    /// The version of its form.
    pub v: u32,
    /// Its content as JSON text.
    pub data: String,
}

/// An event as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number in its run, from 1, without gaps.
    pub seq: u64,
    /// When it happened, in milliseconds since 1970-01-01 UTC.
    pub at_ms: i64,
    /// Which event it is.
    pub kind: String,
    /// The version of its form.
    pub v: u32,
    /// Its content as JSON text.
    pub data: String,
}

/// A stored event that is looked at in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryRef<'a> {
    /// Its number in its run, from 1, without gaps.
    pub seq: u64,
    /// When it happened, in milliseconds since 1970-01-01 UTC.
    pub at_ms: i64,
    /// Which event it is.
    pub kind: &'a str,
    /// The version of its form.
    pub v: u32,
    /// Its content as JSON text.
    pub data: &'a str,
}

impl EntryRef<'_> {
    /// Copies the event out of the place where it lies.
    pub fn to_entry(self) -> Entry {
        let Self { seq, at_ms, kind, v, data } = self;
        Entry { seq, at_ms, kind: kind.to_owned(), v, data: data.to_owned() }
    }
}

impl Entry {
    /// Lends the event without copying it.
    pub fn as_ref(&self) -> EntryRef<'_> {
        let Self { seq, at_ms, kind, v, data } = self;
        EntryRef { seq: *seq, at_ms: *at_ms, kind, v: *v, data }
    }
}

/// A run as it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// Its id, unique in the journal.
    pub run: RunId,
    /// The user's own name for it, by which it is found; several runs may carry one name.
    pub name: Option<String>,
    /// The repository that it works on.
    pub repo: PathBuf,
    /// When it was opened, in milliseconds since 1970-01-01 UTC.
    pub opened_at_ms: i64,
}

/// A run as listings show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Its id, unique in the journal.
    pub run: RunId,
    /// The user's own name for it.
    pub name: Option<String>,
    /// The repository that it works on.
    pub repo: PathBuf,
    /// When it was opened, in milliseconds since 1970-01-01 UTC.
    pub opened_at_ms: i64,
    /// The number of its last event, 0 when it has none.
    pub last_seq: u64,
    /// How it ended, as far as the cache knows.
    pub ended: Option<String>,
    /// Who claimed it last, dead or alive.
    pub holder: Option<String>,
}

/// Says whether a request was stored by this call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It was.
    New,
    /// One of the same id had been stored before, and stands.
    Already,
}

/// A request as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRow {
    /// Its place among all requests; rises with each one stored.
    pub row: i64,
    /// Its id, unique in its run.
    pub id: RequestId,
    /// When it was sent, in milliseconds since 1970-01-01 UTC.
    pub at_ms: i64,
    /// What is asked, as JSON text.
    pub body: String,
}

/// Picks the run that `text` means: by id, else by name, else by the beginning of an id.
pub(super) fn resolve(rows: Vec<RunRow>, text: &str) -> Result<RunRow, JournalError> {
    let exact = |row: &RunRow| row.run.as_str() == text;
    let named = |row: &RunRow| row.name.as_deref() == Some(text);
    let begins = |row: &RunRow| !text.is_empty() && row.run.as_str().starts_with(text);
    let tests: [&dyn Fn(&RunRow) -> bool; 3] = [&exact, &named, &begins];
    for test in tests {
        let mut fits = rows.iter().filter(|row| test(row));
        match (fits.next(), fits.next()) {
            (None, _) => {}
            (Some(only), None) => return Ok(only.clone()),
            (Some(_), Some(_)) => {
                let candidates = rows.iter().filter(|row| test(row)).map(|row| row.run.clone()).collect();
                return Err(JournalError::Ambiguous { text: text.to_owned(), candidates });
            }
        }
    }
    Err(JournalError::NoRunLike { text: text.to_owned() })
}
