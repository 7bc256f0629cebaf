//! Owns the tables of the journal's file and the steps from each form of them to the next. Never alters a table
//! that an older artel needs: it adds.

use rusqlite::{Connection, TransactionBehavior};

/// Marks a SQLite file as a journal of artel's ("artl").
const APPLICATION: i64 = 0x6172_746c;

/// The newest form of the file that this program writes.
pub(super) const KNOWN: u32 = STEPS.len() as u32;

/// Step n makes form n + 1 of form n.
const STEPS: [&str; 3] = [FIRST, PROOFS, NO_CACHE];

const FIRST: &str = "
CREATE TABLE runs (
  run TEXT PRIMARY KEY NOT NULL,
  name TEXT,
  repo ANY NOT NULL,
  opened_at_ms INTEGER NOT NULL,
  epoch INTEGER NOT NULL DEFAULT 0,
  holder TEXT,
  last_seq INTEGER NOT NULL DEFAULT 0,
  ended TEXT
) STRICT;
CREATE TABLE events (
  run TEXT NOT NULL,
  seq INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  v INTEGER NOT NULL,
  data TEXT NOT NULL,
  PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER events_are_never_removed BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are never removed'); END;
CREATE TABLE requests (
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  run TEXT NOT NULL,
  id TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  body TEXT NOT NULL,
  UNIQUE (run, id)
) STRICT;
CREATE TRIGGER requests_are_never_changed BEFORE UPDATE ON requests
BEGIN SELECT RAISE(ABORT, 'requests are never changed'); END;
CREATE TRIGGER requests_are_never_removed BEFORE DELETE ON requests
BEGIN SELECT RAISE(ABORT, 'requests are never removed'); END;
";

/// What shows that events are as they were appended; and a cache, which goes again below. Events that were
/// appended before have no place in the chain of their own: the first after them is bound to them all.
const PROOFS: &str = "
ALTER TABLE events ADD COLUMN chain BLOB;
CREATE TABLE checkpoints (
  run TEXT NOT NULL,
  seq INTEGER NOT NULL,
  chain BLOB NOT NULL,
  key TEXT NOT NULL,
  signature TEXT NOT NULL,
  PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER checkpoints_are_never_changed BEFORE UPDATE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are never changed'); END;
CREATE TRIGGER checkpoints_are_never_removed BEFORE DELETE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are never removed'); END;
CREATE TABLE snapshots (
  run TEXT PRIMARY KEY NOT NULL,
  form TEXT NOT NULL,
  seq INTEGER NOT NULL,
  chain BLOB NOT NULL,
  content BLOB NOT NULL
) STRICT;
";

/// A cache of hundreds of megabytes is read page by page in a journal, and written twice; in a file of its own it is not.
/// To an older artel it is a cache that cannot be read, which is no loss.
const NO_CACHE: &str = "DROP TABLE snapshots;";

/// What a file turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// An empty database.
    Empty,
    /// A journal of this form, which this program can write once it is brought to [`KNOWN`].
    Known(u32),
    /// A journal that a newer artel keeps in this form.
    Newer(u32),
    /// Somebody else's database.
    Foreign,
}

impl Form {
    /// Tells whether events have a link to those before them.
    pub(super) fn is_chained(self) -> bool {
        !matches!(self, Self::Known(1))
    }
}

/// Looks which form a file has, in one state of it: another process may be making it.
pub(super) fn form(conn: &Connection) -> rusqlite::Result<Form> {
    let conn = conn.unchecked_transaction()?;
    let application: i64 = pragma(&conn, "application_id")?;
    let version: u32 = pragma(&conn, "user_version")?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match (application, version) {
        (0, 0) if tables == 0 => Form::Empty,
        (APPLICATION, 1..) if version > KNOWN => Form::Newer(version),
        (APPLICATION, 1..) => Form::Known(version),
        _ => Form::Foreign,
    })
}

/// Brings an empty or older file to the form [`KNOWN`], in one transaction; does nothing to one that has it.
/// The caller has looked at the form; that another process migrates at the same moment is seen here.
pub(super) fn migrate(conn: &mut Connection) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: u32 = pragma(&tx, "user_version")?;
    let owed = STEPS.get(version as usize..).unwrap_or_default();
    for step in owed {
        tx.execute_batch(step)?;
    }
    if !owed.is_empty() {
        tx.pragma_update(None, "application_id", APPLICATION)?;
        tx.pragma_update(None, "user_version", KNOWN)?;
    }
    tx.commit()
}

fn pragma<T: rusqlite::types::FromSql>(conn: &Connection, name: &str) -> rusqlite::Result<T> {
    conn.pragma_query_value(None, name, |row| row.get(0))
}
