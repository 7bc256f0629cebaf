//! Owns the journal on disk: one SQLite file for all runs, written by several processes at once. Never retries a
//! write and never removes an event.

mod file;
mod proofs;

use std::error::Error;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::{Type, Value, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use self::file::{connect, connect_unlocked, is_whole, make_durable, settled, take_turn};
use crate::io::failpoint;
use crate::io::journal::Journal;
use crate::io::journal::chain::ChainHash;
use crate::io::journal::checkpoint::Checkpoint;
use crate::io::journal::error::{JournalError, Position};
use crate::io::journal::record::{EntryRef, NewEntry, NewRun, RequestRow, RunRow, Sent};
use crate::io::journal::schema::{self, Form};
use crate::model::ids::{RequestId, RunId};

/// How long a write waits for the writes of other processes, each of which takes one flush of the disk.
const PATIENCE: Duration = Duration::from_secs(30);

/// How large the write-ahead log may stay once it was copied back, in bytes.
const LOG_KEPT: i64 = 16 << 20;

/// Keeps runs, events and requests in one SQLite file.
#[derive(Debug)]
pub struct SqliteJournal {
    path: PathBuf,
    /// Stands before the writing connection, which must close last to fold the write-ahead log back.
    reading: Mutex<Connection>,
    /// Reads beside that, opened when it is first needed; none where that cannot be.
    beside: OnceLock<Option<Mutex<Connection>>>,
    writing: Writing,
    is_chained: bool,
    lost: AtomicBool,
}

#[derive(Debug)]
enum Writing {
    Open(Mutex<Connection>),
    Closed,
    Newer(u32),
}

impl SqliteJournal {
    /// Opens the journal at `path` for reading and writing, and makes it where there is none; its directory must
    /// exist. A journal that a newer artel keeps is opened for reading: writes then fail with
    /// [`JournalError::Newer`].
    ///
    /// # Errors
    /// [`JournalError::NotWritable`], [`JournalError::Full`], [`JournalError::NotAJournal`],
    /// [`JournalError::Damaged`], [`JournalError::Busy`].
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let what = "open the journal";
        // SQLite does not wait for others while a file becomes a write-ahead one, so the first openers take turns.
        let _turn =
            take_turn(path).map_err(|source| JournalError::NotWritable { what, path: path.to_owned(), source })?;
        is_whole(path)?;
        let named = |fault: rusqlite::Error| told(path, what, fault);
        let mut conn =
            connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE).map_err(named)?;
        let writing = match schema::form(&conn).map_err(named)? {
            Form::Foreign => return Err(JournalError::NotAJournal { path: path.to_owned() }),
            Form::Newer(found) => Writing::Newer(found),
            Form::Empty | Form::Known(_) => {
                make_durable(&conn).and_then(|()| schema::migrate(&mut conn)).map_err(named)?;
                Writing::Open(Mutex::new(conn))
            }
        };
        let reading = Mutex::new(connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(named)?);
        let (beside, lost) = Default::default();
        Ok(Self { path: path.to_owned(), reading, beside, writing, is_chained: true, lost })
    }

    /// Opens the journal at `path` for reading, while others may write it, and also where the file or its directory
    /// may not be written.
    ///
    /// # Errors
    /// [`JournalError::Absent`] when there is none; [`JournalError::NotAJournal`], [`JournalError::Damaged`].
    pub fn open_read_only(path: &Path) -> Result<Self, JournalError> {
        let what = "open the journal";
        let path_of = || path.to_owned();
        match std::fs::metadata(path) {
            Ok(met) if met.len() == 0 => return Err(JournalError::Absent { path: path_of() }),
            Err(no) if no.kind() == io::ErrorKind::NotFound => return Err(JournalError::Absent { path: path_of() }),
            Ok(_) | Err(_) => {}
        }
        let look = |conn: Connection| schema::form(&conn).map(|form| (conn, form));
        let met = match connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).and_then(look) {
            Err(_) if settled(path) => connect_unlocked(path).and_then(look),
            met => met,
        };
        let (conn, form) = met.map_err(|fault| match fault.sqlite_error_code() {
            Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly) => {
                JournalError::NotReadable { path: path_of(), source: fault }
            }
            Some(_) | None => told(path, what, fault),
        })?;
        let writing = match form {
            Form::Empty => return Err(JournalError::Absent { path: path_of() }),
            Form::Foreign => return Err(JournalError::NotAJournal { path: path_of() }),
            Form::Known(_) => Writing::Closed,
            Form::Newer(found) => Writing::Newer(found),
        };
        let (reading, is_chained) = (Mutex::new(conn), form.is_chained());
        let (beside, lost) = Default::default();
        Ok(Self { path: path.to_owned(), reading, beside, writing, is_chained, lost })
    }

    /// Does `work` in one transaction that is on the disk when this returns.
    fn write<T>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, JournalError> {
        let path = || self.path.clone();
        let mut conn = match &self.writing {
            Writing::Open(conn) => held(conn),
            Writing::Closed => return Err(JournalError::OpenedToRead { path: path() }),
            Writing::Newer(found) => return Err(JournalError::Newer { found: *found, known: schema::KNOWN }),
        };
        if self.lost.load(Ordering::SeqCst) {
            return Err(JournalError::Lost { path: path(), source: None });
        }
        let attempt = || -> Result<T, Fault> {
            let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&tx)?;
            tx.commit()?;
            Ok(value)
        };
        attempt().map_err(|fault| match fault {
            Fault::Told(error) => error,
            Fault::Sql(source) => self.failed(&conn, what, source),
        })
    }

    /// Tells of a fault of the connection that writes; after one of the disk nothing is written any more.
    fn failed(&self, conn: &Connection, what: &'static str, source: rusqlite::Error) -> JournalError {
        if !is_disk_fault(&source) {
            return told(&self.path, what, source);
        }
        self.lost.store(true, Ordering::SeqCst);
        // Closing must not copy back, and thereby call safe, what a failed flush may have dropped.
        let _ = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        JournalError::Lost { path: self.path.clone(), source: Some(source) }
    }

    /// Does `work` on one state of the journal.
    fn look<T>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, JournalError> {
        let mut conn = self.reader();
        let attempt = || work(&conn.transaction_with_behavior(TransactionBehavior::Deferred)?);
        attempt().map_err(|fault| match (fault, &self.writing) {
            (Fault::Told(error), _) => error,
            // Tables that are not as this program knows them are no surprise in a newer file.
            (Fault::Sql(source), Writing::Newer(found))
                if matches!(source.sqlite_error_code(), None | Some(ErrorCode::Unknown)) =>
            {
                JournalError::Newer { found: *found, known: schema::KNOWN }
            }
            (Fault::Sql(source), _) => told(&self.path, what, source),
        })
    }

    /// Gives a connection to read by: another one where the first is in use.
    fn reader(&self) -> MutexGuard<'_, Connection> {
        if let Ok(conn) = self.reading.try_lock() {
            return conn;
        }
        let open = || connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok().map(Mutex::new);
        held(self.beside.get_or_init(open).as_ref().unwrap_or(&self.reading))
    }

    /// Shows `see` up to `limit` events from `from` on, in one look; returns how many there were.
    fn page(&self, run: &RunId, from: u64, limit: u64, see: &mut dyn FnMut(EntryRef<'_>)) -> Result<u64, JournalError> {
        self.look("read events", |tx| {
            let last = last_seq(tx, run)?;
            let mut head = if from == 1 { Some(ChainHash::start(run)) } else { self.link_of(tx, run, from - 1)? };
            let mut is_linked = from > 1 && head.is_some();
            let mut query = tx.prepare_cached(&self.rows("seq >= ?2 ORDER BY seq LIMIT ?3"))?;
            let mut rows = query.query(params![run.as_str(), stored(from), stored(limit)])?;
            let mut next = from;
            while let Some(row) = rows.next()? {
                let entry = proofs::entry(row)?;
                if entry.seq != next || entry.seq > last {
                    return Err(self.damaged(run, format!("event {next} of {last} of run {run} is missing")));
                }
                let (bound, link) = (head.map(|head| head.then(entry)), proofs::link(row, 5)?);
                is_linked |= link.is_some();
                if is_linked && bound.is_some_and(|bound| link != Some(bound)) {
                    return Err(self.damaged(run, format!("event {next} of run {run} is not as it was appended")));
                }
                head = link.or(bound);
                next += 1;
                see(entry);
            }
            let ended_early = next - from < limit && next <= last;
            let missing = || self.damaged(run, format!("event {next} of {last} of run {run} is missing"));
            if ended_early { Err(missing()) } else { Ok(next - from) }
        })
    }

    /// Words a query for events: their columns, and their link where the file has links.
    fn rows(&self, which: &str) -> String {
        let link = if self.is_chained { "chain" } else { "NULL" };
        format!("SELECT seq, at_ms, kind, v, data, {link} FROM events WHERE run = ?1 AND {which}")
    }

    fn link_of(&self, tx: &Transaction<'_>, run: &RunId, seq: u64) -> Result<Option<ChainHash>, Fault> {
        if self.is_chained { proofs::chain_at(tx, run, seq) } else { Ok(None) }
    }

    fn damaged(&self, run: &RunId, why: String) -> Fault {
        let why = format!("{why}; `artel verify {run}` looks at all of it");
        Fault::Told(JournalError::Damaged { path: self.path.clone(), why })
    }
}

impl Journal for SqliteJournal {
    fn open_run(&self, new: &NewRun) -> Result<(), JournalError> {
        let NewRun { run, name, repo, opened_at_ms } = new;
        // A path of UTF-8 is kept as text, so that a person can read the file with SQLite's own shell.
        let repo = match repo.to_str() {
            Some(text) => Value::Text(text.to_owned()),
            None => Value::Blob(repo.as_os_str().as_bytes().to_owned()),
        };
        self.write("open a run", |tx| {
            let sql = "INSERT INTO runs (run, name, repo, opened_at_ms) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
            match tx.execute(sql, params![run.as_str(), name, repo, opened_at_ms])? {
                0 => Err(Fault::Told(JournalError::RunExists { run: run.clone() })),
                _ => Ok(()),
            }
        })
    }

    fn claim(&self, run: &RunId, holder: &str) -> Result<u64, JournalError> {
        self.write("claim a run", |tx| {
            let sql = "UPDATE runs SET epoch = epoch + 1, holder = ?2 WHERE run = ?1 RETURNING epoch";
            let epoch = tx.query_row(sql, params![run.as_str(), holder], |row| number(row, 0)).optional()?;
            epoch.ok_or_else(|| missing(run))
        })
    }

    fn epoch(&self, run: &RunId) -> Result<u64, JournalError> {
        self.look("read a run", |tx| {
            let mut query = tx.prepare_cached("SELECT epoch FROM runs WHERE run = ?1")?;
            query.query_row([run.as_str()], |row| number(row, 0)).optional()?.ok_or_else(|| missing(run))
        })
    }

    fn append(&self, run: &RunId, epoch: u64, after_seq: u64, entries: &[NewEntry]) -> Result<u64, JournalError> {
        let last = self.write("append events", |tx| {
            let last = after_seq.saturating_add(entries.len() as u64);
            let fence = "UPDATE runs SET last_seq = ?4 WHERE run = ?1 AND epoch = ?2 AND epoch > 0 AND last_seq = ?3";
            let of = params![run.as_str(), stored(epoch), stored(after_seq), stored(last)];
            let moved = tx.prepare_cached(fence)?.execute(of)?;
            if moved == 0 {
                return Err(stale(tx, run, Position { epoch, seq: after_seq })?);
            }
            let mut head = proofs::head(tx, run, after_seq)?;
            let mut insert = tx.prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
            for (entry, seq) in entries.iter().zip(after_seq + 1..) {
                let NewEntry { at_ms, kind, v, data } = entry;
                head = head.then(EntryRef { seq, at_ms: *at_ms, kind, v: *v, data });
                insert.execute(params![run.as_str(), stored(seq), at_ms, kind, v, data, head.0])?;
                failpoint::torn(seq, || tx.cache_flush())?;
            }
            Ok(last)
        })?;
        failpoint::written(last);
        Ok(last)
    }

    fn for_some(
        &self,
        run: &RunId,
        from_seq: u64,
        limit: u64,
        see: &mut dyn FnMut(EntryRef<'_>),
    ) -> Result<u64, JournalError> {
        self.page(run, from_seq.max(1), limit, see)
    }

    fn last_seq(&self, run: &RunId) -> Result<u64, JournalError> {
        self.look("read a run", |tx| last_seq(tx, run))
    }

    fn runs(&self) -> Result<Vec<RunRow>, JournalError> {
        self.look("list the runs", |tx| {
            let mut query = tx.prepare_cached(
                "SELECT run, name, repo, opened_at_ms, last_seq, ended, holder FROM runs ORDER BY opened_at_ms, run",
            )?;
            let rows = query.query_map([], run_row)?.collect::<Result<_, _>>()?;
            Ok(rows)
        })
    }

    fn set_ended(&self, run: &RunId, ended: Option<&str>) -> Result<(), JournalError> {
        self.write("note a run's end", |tx| {
            match tx.execute("UPDATE runs SET ended = ?2 WHERE run = ?1", params![run.as_str(), ended])? {
                0 => Err(missing(run)),
                _ => Ok(()),
            }
        })
    }

    fn send_request(&self, run: &RunId, id: &RequestId, at_ms: i64, body: &str) -> Result<Sent, JournalError> {
        self.write("store a request", |tx| {
            last_seq(tx, run)?;
            let sql = "INSERT INTO requests (run, id, at_ms, body) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
            match tx.execute(sql, params![run.as_str(), id.as_str(), at_ms, body])? {
                0 => Ok(Sent::Already),
                _ => Ok(Sent::New),
            }
        })
    }

    fn requests(&self, run: &RunId, after: i64) -> Result<Vec<RequestRow>, JournalError> {
        self.look("read the requests", |tx| {
            last_seq(tx, run)?;
            let sql = "SELECT row, id, at_ms, body FROM requests WHERE run = ?1 AND row > ?2 ORDER BY row";
            let mut query = tx.prepare_cached(sql)?;
            let rows = query
                .query_map(params![run.as_str(), after], |row| {
                    Ok(RequestRow { row: row.get(0)?, id: id(row, 1)?, at_ms: row.get(2)?, body: row.get(3)? })
                })?
                .collect::<Result<_, _>>()?;
            Ok(rows)
        })
    }

    fn survey(&self, run: &RunId, see: &mut dyn FnMut(EntryRef<'_>, Option<ChainHash>)) -> Result<(), JournalError> {
        self.look("read events", |tx| {
            last_seq(tx, run)?;
            let mut query = tx.prepare_cached(&self.rows("TRUE ORDER BY seq"))?;
            let mut rows = query.query([run.as_str()])?;
            while let Some(row) = rows.next()? {
                see(proofs::entry(row)?, proofs::link(row, 5)?);
            }
            Ok(())
        })
    }

    fn chain_at(&self, run: &RunId, seq: u64) -> Result<Option<ChainHash>, JournalError> {
        self.look("read an event's link", |tx| {
            last_seq(tx, run)?;
            self.link_of(tx, run, seq)
        })
    }

    fn add_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), JournalError> {
        self.write("store a checkpoint", |tx| proofs::add_checkpoint(tx, checkpoint))
    }

    fn checkpoints(&self, run: &RunId) -> Result<Vec<Checkpoint>, JournalError> {
        self.look("read the checkpoints", |tx| match self.is_chained {
            true => proofs::checkpoints(tx, run),
            false => last_seq(tx, run).map(|_| Vec::new()),
        })
    }

    fn settle(&self) -> Result<(), JournalError> {
        let Writing::Open(conn) = &self.writing else { return Ok(()) };
        // After a fault of the disk nothing may be copied back: it may not be what was appended.
        if self.lost.load(Ordering::SeqCst) {
            return Ok(());
        }
        let conn = held(conn);
        let settled = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        settled.map_err(|fault| self.failed(&conn, "copy its log into it", fault))
    }
}

/// Ends a transaction: with what is to be told, or with what SQLite said and has yet to be told.
enum Fault {
    Told(JournalError),
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

fn held(conn: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    // A transaction rolls back as a panic unwinds through it, so the connection is sound.
    conn.lock().unwrap_or_else(PoisonError::into_inner)
}

fn missing(run: &RunId) -> Fault {
    Fault::Told(JournalError::NoSuchRun { run: run.clone() })
}

fn last_seq(tx: &Transaction<'_>, run: &RunId) -> Result<u64, Fault> {
    let mut query = tx.prepare_cached("SELECT last_seq FROM runs WHERE run = ?1")?;
    query.query_row([run.as_str()], |row| number(row, 0)).optional()?.ok_or_else(|| missing(run))
}

fn stale(tx: &Transaction<'_>, run: &RunId, expected: Position) -> rusqlite::Result<Fault> {
    let sql = "SELECT epoch, last_seq, holder FROM runs WHERE run = ?1";
    let found = tx
        .query_row(sql, [run.as_str()], |row| {
            Ok((Position { epoch: number(row, 0)?, seq: number(row, 1)? }, row.get(2)?))
        })
        .optional()?;
    Ok(match found {
        None => missing(run),
        Some((found, holder)) => Fault::Told(JournalError::Stale { run: run.clone(), expected, found, holder }),
    })
}

fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    let repo = match row.get_ref(2)? {
        ValueRef::Blob(bytes) | ValueRef::Text(bytes) => PathBuf::from(OsStr::from_bytes(bytes)),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => {
            return Err(rusqlite::Error::InvalidColumnType(2, "repo".to_owned(), row.get_ref(2)?.data_type()));
        }
    };
    Ok(RunRow {
        run: id(row, 0)?,
        name: row.get(1)?,
        repo,
        opened_at_ms: row.get(3)?,
        last_seq: number(row, 4)?,
        ended: row.get(5)?,
        holder: row.get(6)?,
    })
}

fn id<T: std::str::FromStr<Err: Error + Send + Sync + 'static>>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let parsed = text(row, column)?.parse();
    parsed.map_err(|no| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(no)))
}

fn text<'row>(row: &'row Row<'_>, column: usize) -> rusqlite::Result<&'row str> {
    Ok(row.get_ref(column)?.as_str()?)
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let stored: i64 = row.get(column)?;
    u64::try_from(stored).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, stored))
}

/// SQLite counts to 2^63; what lies above is no event's number and matches none.
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn is_disk_fault(fault: &rusqlite::Error) -> bool {
    fault.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
}

/// Tells whether the file that readers and writers share could not grow: on a full disk SQLite calls that a fault.
fn is_no_room_to_share(fault: &rusqlite::Error) -> bool {
    fault.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
}

/// Tells what SQLite said as a fault of the journal.
fn told(path: &Path, what: &'static str, source: rusqlite::Error) -> JournalError {
    let path = path.to_owned();
    let Some(code) = source.sqlite_error_code() else {
        return JournalError::Sqlite { what, path, source };
    };
    if matches!(code, ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) {
        JournalError::NotWritable { what, path, source: Box::new(source) }
    } else if code == ErrorCode::DiskFull || is_no_room_to_share(&source) {
        JournalError::Full { what, path, source }
    } else if matches!(code, ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) {
        JournalError::Busy { what, path, source }
    } else if code == ErrorCode::NotADatabase {
        JournalError::NotAJournal { path }
    } else if code == ErrorCode::DatabaseCorrupt {
        JournalError::Damaged { path, why: source.to_string() }
    } else {
        JournalError::Sqlite { what, path, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::journal::laws::{events, open};
    use crate::io::journal::record::PAGE;

    impl SqliteJournal {
        fn writer(&self) -> MutexGuard<'_, Connection> {
            let Writing::Open(conn) = &self.writing else { panic!("opened for reading") };
            held(conn)
        }

        pub(in crate::io::journal) fn pragma_of_the_writer(&self, name: &str) -> String {
            let value: Value = self.writer().pragma_query_value(None, name, |row| row.get(0)).unwrap();
            match value {
                Value::Text(text) => text,
                Value::Integer(number) => number.to_string(),
                Value::Null | Value::Real(_) | Value::Blob(_) => panic!("{name} is {value:?}"),
            }
        }
    }

    #[test]
    fn a_full_disk_writes_nothing_and_may_be_tried_again() {
        let temp = tempfile::tempdir().unwrap();
        let journal = SqliteJournal::open(&temp.path().join("artel.db")).unwrap();
        let run = open(&journal, "r-1", None, 1);
        let epoch = journal.claim(&run, "x").unwrap();
        let many = events(&vec!["A"; 2000]);
        let limit = |pages: i64| {
            let asked =
                journal.writer().pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, i64>(0));
            asked.unwrap();
        };
        limit(1);
        let fault = journal.append(&run, epoch, 0, &many).unwrap_err();
        assert!(matches!(fault, JournalError::Full { .. }), "{fault:?}");
        assert_eq!(journal.read(&run, 1, 9).unwrap(), []);
        limit(1 << 20);
        assert_eq!(journal.append(&run, epoch, 0, &many).unwrap(), 2000);
    }

    #[test]
    fn more_events_than_one_look_takes_are_all_shown() {
        let temp = tempfile::tempdir().unwrap();
        let journal = SqliteJournal::open(&temp.path().join("artel.db")).unwrap();
        let run = open(&journal, "r-1", None, 1);
        let epoch = journal.claim(&run, "x").unwrap();
        let count = 2 * PAGE;
        journal.append(&run, epoch, 0, &events(&vec!["A"; count as usize])).unwrap();
        for from in [1, 2, PAGE + 1, count, count + 1] {
            let mut next = from;
            journal.for_each(&run, from, &mut |entry| next += u64::from(entry.seq == next)).unwrap();
            assert_eq!(next, count + 1);
        }
    }
}
