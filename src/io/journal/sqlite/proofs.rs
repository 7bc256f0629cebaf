//! Owns the tables of chain and checkpoints inside a transaction. Never says whether what they hold is true.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::{Fault, last_seq, number, stored, text};
use crate::io::journal::chain::ChainHash;
use crate::io::journal::checkpoint::Checkpoint;
use crate::io::journal::record::EntryRef;
use crate::model::ids::RunId;

/// Reads the link in a column; none where it was never made, or is none.
pub(super) fn link(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<ChainHash>> {
    let blob = row.get_ref(column)?.as_blob_or_null()?;
    Ok(blob.and_then(|bytes| bytes.try_into().ok()).map(ChainHash))
}

/// Reads the event in a row.
pub(super) fn entry<'row>(row: &'row Row<'_>) -> rusqlite::Result<EntryRef<'row>> {
    Ok(EntryRef { seq: number(row, 0)?, at_ms: row.get(1)?, kind: text(row, 2)?, v: row.get(3)?, data: text(row, 4)? })
}

/// Gives the link of one event.
pub(super) fn chain_at(tx: &Transaction<'_>, run: &RunId, seq: u64) -> Result<Option<ChainHash>, Fault> {
    let mut query = tx.prepare_cached("SELECT chain FROM events WHERE run = ?1 AND seq = ?2")?;
    let found = query.query_row(params![run.as_str(), stored(seq)], |row| link(row, 0)).optional()?;
    Ok(found.flatten())
}

/// Gives what the next event is bound to. Events that were appended without a link are read once for that: the first
/// event after them is bound to them as if they had one.
pub(super) fn head(tx: &Transaction<'_>, run: &RunId, last: u64) -> Result<ChainHash, Fault> {
    if let Some(head) = chain_at(tx, run, last)? {
        return Ok(head);
    }
    let mut head = ChainHash::start(run);
    let sql = "SELECT seq, at_ms, kind, v, data FROM events WHERE run = ?1 AND seq <= ?2 ORDER BY seq";
    let mut query = tx.prepare_cached(sql)?;
    let mut rows = query.query(params![run.as_str(), stored(last)])?;
    while let Some(row) = rows.next()? {
        head = head.then(entry(row)?);
    }
    Ok(head)
}

pub(super) fn add_checkpoint(tx: &Transaction<'_>, checkpoint: &Checkpoint) -> Result<(), Fault> {
    let Checkpoint { run, seq, chain, key, signature } = checkpoint;
    last_seq(tx, run)?;
    let sql = "INSERT INTO checkpoints VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
    tx.prepare_cached(sql)?.execute(params![run.as_str(), stored(*seq), chain.0, key, signature])?;
    Ok(())
}

pub(super) fn checkpoints(tx: &Transaction<'_>, run: &RunId) -> Result<Vec<Checkpoint>, Fault> {
    last_seq(tx, run)?;
    let sql = "SELECT seq, chain, key, signature FROM checkpoints WHERE run = ?1 ORDER BY seq";
    let mut query = tx.prepare_cached(sql)?;
    let read = |row: &Row<'_>| {
        // What is no link stands for no events: whoever put it there is found by it.
        let chain = link(row, 1)?.unwrap_or(ChainHash([0; 32]));
        Ok(Checkpoint { run: run.clone(), seq: number(row, 0)?, chain, key: row.get(2)?, signature: row.get(3)? })
    };
    let found = query.query_map([run.as_str()], read)?.collect::<Result<_, _>>()?;
    Ok(found)
}
