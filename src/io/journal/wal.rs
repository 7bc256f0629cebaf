//! Owns the look at SQLite's write-ahead log before SQLite reads it: a crash tears the end off, which was never
//! acknowledged and is rightly dropped; damage before the end would make SQLite drop what was. Never writes.
//!
//! The form is that of <https://www.sqlite.org/fileformat2.html#walformat>. Each frame's sum goes on from that of the
//! frame before it, so that a frame can be tried against what the frame before it says of itself.

use std::io;
use std::path::Path;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// How often a log that seems damaged is read: another process may be writing it.
const LOOKS: u32 = 3;

/// Finds the first frame that is damaged though acknowledged frames come after it, counted from 1; none also where there
/// is no log.
///
/// # Errors
/// Where the log cannot be read.
pub(super) fn damaged_frame(log: &Path) -> io::Result<Option<u64>> {
    let mut found = None;
    for _ in 0..LOOKS {
        let bytes = match std::fs::read(log) {
            Err(no) if no.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        found = first_damaged(&bytes);
        if found.is_none() {
            break;
        }
    }
    Ok(found)
}

fn first_damaged(log: &[u8]) -> Option<u64> {
    let (header, frames) = log.split_at_checked(HEADER)?;
    let is_big = match word(header, 0) {
        0x377f_0682 => false,
        0x377f_0683 => true,
        _ => return None,
    };
    let size = FRAME_HEADER + usize::try_from(word(header, 8)).ok()?;
    if size <= FRAME_HEADER {
        return None;
    }
    let (mut before, mut bad, mut was_synced) = (header_sum(header), None, false);
    for (number, frame) in (1..).zip(frames.chunks_exact(size)) {
        let stated = [word(frame, 16), word(frame, 20)];
        let sum = summed(summed(before, &frame[..8], is_big), &frame[FRAME_HEADER..], is_big);
        let is_sound = frame[8..16] == header[16..24] && sum == stated;
        before = stated;
        // The next commit is begun only when this one is on the disk: what comes after a commit shows that it was.
        match (bad, is_sound) {
            (None, false) => bad = Some(number),
            (Some(first), true) if was_synced => return Some(first),
            (Some(_), true) => was_synced = word(frame, 4) != 0,
            (None, true) | (Some(_), false) => {}
        }
    }
    None
}

fn header_sum(header: &[u8]) -> [u32; 2] {
    [word(header, 24), word(header, 28)]
}

fn summed([mut one, mut two]: [u32; 2], bytes: &[u8], is_big: bool) -> [u32; 2] {
    let read = |part: &[u8]| {
        let part = [part[0], part[1], part[2], part[3]];
        if is_big { u32::from_be_bytes(part) } else { u32::from_le_bytes(part) }
    };
    for pair in bytes.chunks_exact(8) {
        one = one.wrapping_add(read(&pair[..4])).wrapping_add(two);
        two = two.wrapping_add(read(&pair[4..])).wrapping_add(one);
    }
    [one, two]
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::io::journal::laws::{events, open, run};
    use crate::io::journal::{Journal, JournalError, SqliteJournal};

    /// A journal whose log was not folded back, as a killed process leaves it, with ten events; copied so that nobody
    /// has it open.
    fn killed(dir: &Path) -> PathBuf {
        let journal = SqliteJournal::open(&dir.join("live.db")).unwrap();
        let run = open(&journal, "r-1", None, 1);
        let epoch = journal.claim(&run, "x").unwrap();
        for after in 0..10 {
            journal.append(&run, epoch, after, &events(&["A"])).unwrap();
        }
        let path = dir.join("artel.db");
        for end in ["", "-wal"] {
            fs::copy(dir.join(format!("live.db{end}")), dir.join(format!("artel.db{end}"))).unwrap();
        }
        path
    }

    fn kept(path: &Path) -> Result<u64, JournalError> {
        SqliteJournal::open(path)?.last_seq(&run("r-1"))
    }

    #[test]
    fn an_end_that_was_torn_off_anywhere_is_dropped_and_the_rest_stands() {
        let temp = tempfile::tempdir().unwrap();
        let path = killed(temp.path());
        let log = temp.path().join("artel.db-wal");
        let (file, whole) = (fs::read(&path).unwrap(), fs::read(&log).unwrap());
        let mut least = 10;
        // Any end but what makes the file a journal at all: its tables are in the first frames.
        for cut in (whole.len() / 2..whole.len()).rev().step_by(1013) {
            fs::write(&path, &file).unwrap();
            fs::write(&log, &whole[..cut]).unwrap();
            let last = kept(&path).unwrap();
            assert!(last <= least, "{last} events of {cut} bytes, {least} of more");
            least = last;
        }
        assert!(least < 9, "hardly anything was cut");
    }

    #[test]
    fn damage_before_acknowledged_events_is_refused_and_nothing_is_written() {
        let temp = tempfile::tempdir().unwrap();
        let path = killed(temp.path());
        let log = temp.path().join("artel.db-wal");
        let (file, whole) = (fs::read(&path).unwrap(), fs::read(&log).unwrap());
        let size = FRAME_HEADER + word(&whole, 8) as usize;
        let frames = (whole.len() - HEADER) / size;
        // Frames of the last two commits may be of one that was never acknowledged.
        let commits: Vec<usize> = (0..frames).filter(|at| word(&whole, HEADER + at * size + 4) != 0).collect();
        let acknowledged = commits[commits.len() - 3];
        for at in 0..=acknowledged {
            for place in [FRAME_HEADER + 100, 17] {
                let mut damaged = whole.clone();
                damaged[HEADER + at * size + place] ^= 4;
                fs::write(&path, &file).unwrap();
                fs::write(&log, &damaged).unwrap();
                let fault = kept(&path).unwrap_err();
                let told = format!("frame {} ", at + 1);
                assert!(matches!(&fault, JournalError::Damaged { why, .. } if why.contains(&told)), "{fault}");
                assert_eq!(fs::read(&log).unwrap(), damaged);
            }
        }
        fs::write(&path, &file).unwrap();
        fs::write(&log, &whole).unwrap();
        assert_eq!(kept(&path).unwrap(), 10);
    }
}
