//! Owns how the journal's file is opened: in turns, with what durability, and not at all where its log is damaged.
//! Never reads or writes a table.

use std::error::Error;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use rustix::fs::FlockOperation;

use super::{LOG_KEPT, PATIENCE};
use crate::io::failpoint;
use crate::io::journal::error::JournalError;
use crate::io::journal::wal;

pub(super) fn take_turn(path: &Path) -> Result<File, Box<dyn Error + Send + Sync>> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let dir = File::open(dir)?;
    rustix::fs::flock(&dir, FlockOperation::LockExclusive)?;
    Ok(dir)
}

/// Refuses a journal whose log is damaged before its end: SQLite would drop what comes after, which was acknowledged.
pub(super) fn is_whole(path: &Path) -> Result<(), JournalError> {
    let log = log_of(path);
    let found = wal::damaged_frame(&log).map_err(|source| {
        let source = Box::new(source);
        JournalError::NotWritable { what: "read the write-ahead log of the journal", path: log.clone(), source }
    })?;
    found.map_or(Ok(()), |frame| {
        let why = format!("frame {frame} of its write-ahead log, with acknowledged events after it");
        Err(JournalError::Damaged { path: log, why })
    })
}

fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    PathBuf::from(log)
}

pub(super) fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(PATIENCE)?;
    Ok(conn)
}

/// Opens a file that nobody can be writing, without the locks that would need a file beside it.
pub(super) fn connect_unlocked(path: &Path) -> rusqlite::Result<Connection> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte);
    let spell = |byte: &u8| if plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
    let spelt: String =
        std::path::absolute(path).unwrap_or(path.to_owned()).as_os_str().as_bytes().iter().map(spell).collect();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(format!("file:{spelt}?immutable=1"), flags)
}

/// Says whether all that was written is in the file itself: the last writer left in order.
pub(super) fn settled(path: &Path) -> bool {
    std::fs::metadata(log_of(path)).map_or_else(|no| no.kind() == io::ErrorKind::NotFound, |met| met.len() == 0)
}

pub(super) fn make_durable(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
    conn.pragma_update(None, "synchronous", if failpoint::is_unflushed() { "OFF" } else { "FULL" })?;
    conn.pragma_update(None, "fullfsync", true)?;
    conn.pragma_update_and_check(None, "journal_size_limit", LOG_KEPT, |row| row.get::<_, i64>(0))?;
    Ok(())
}
