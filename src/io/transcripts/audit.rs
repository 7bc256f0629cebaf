//! Owns the look whether transcripts hold what the journal says that they held. Never mends one.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};

use sha2::{Digest, Sha256};

use super::seal::{Mark, hex};
use super::shelf::Shelf;

/// Bytes that are read at one time.
const CHUNK: u64 = 64 << 10;

/// Holds what one event says of a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// The event.
    pub seq: u64,
    /// The transcript.
    pub record: String,
    /// What it held.
    pub mark: Mark,
}

/// Tells what is wrong with a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The event that says otherwise.
    pub seq: u64,
    /// The transcript.
    pub record: String,
    how: How,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum How {
    Gone,
    Cut { after: u64, of: u64 },
    Altered { from: u64, to: u64 },
    Unreadable { after: u64, why: String },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { record, how, .. } = self;
        match how {
            How::Gone => write!(f, "the transcript {record} is gone"),
            How::Cut { after, of } => {
                write!(f, "the transcript {record} is cut off: it has {after} bytes, and had {of}")
            }
            How::Altered { from, to } => {
                write!(f, "the transcript {record} was altered between its bytes {from} and {to}")
            }
            How::Unreadable { after, why } => {
                write!(f, "the transcript {record} cannot be read beyond its byte {after}: {why}")
            }
        }
    }
}

/// Looks through transcripts; gives the first flaw of each that has one.
pub fn audit(shelf: &Shelf, noted: Vec<Noted>) -> Vec<Flaw> {
    let mut of: BTreeMap<String, Vec<(u64, Mark)>> = BTreeMap::new();
    for Noted { seq, record, mark } in noted {
        of.entry(record).or_default().push((seq, mark));
    }
    let look = |(record, mut marks): (String, Vec<(u64, Mark)>)| {
        marks.sort_by_key(|(seq, mark)| (mark.bytes, *seq));
        let (seq, how) = flaw(shelf, &record, &marks)?;
        Some(Flaw { seq, record, how })
    };
    of.into_iter().filter_map(look).collect()
}

fn flaw(shelf: &Shelf, record: &str, marks: &[(u64, Mark)]) -> Option<(u64, How)> {
    let mut hash = Sha256::new();
    let (mut read, mut held) = (0, 0);
    let first = marks.first()?.0;
    let mut from = match shelf.open(record) {
        Ok(Some(from)) => from,
        Ok(None) => return Some((first, How::Gone)),
        Err(error) => return Some((first, How::Unreadable { after: 0, why: error.to_string() })),
    };
    for (seq, mark) in marks {
        match take(&mut from, &mut hash, mark.bytes - read) {
            Ok(more) => read += more,
            Err((more, error)) => {
                return Some((*seq, How::Unreadable { after: read + more, why: error.to_string() }));
            }
        }
        if read < mark.bytes {
            return Some((*seq, How::Cut { after: read, of: mark.bytes }));
        }
        if hex(hash.clone()) != mark.sha256 {
            return Some((*seq, How::Altered { from: held, to: mark.bytes }));
        }
        held = mark.bytes;
    }
    None
}

/// Takes so many bytes in, or as many as there are; tells how many.
fn take(from: &mut dyn Read, hash: &mut Sha256, bytes: u64) -> Result<u64, (u64, io::Error)> {
    let (mut taken, mut chunk) = (0, [0; CHUNK as usize]);
    while taken < bytes {
        let most = CHUNK.min(bytes - taken) as usize;
        match from.read(&mut chunk[..most]) {
            Ok(0) => break,
            Ok(read) => {
                hash.update(&chunk[..read]);
                taken += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((taken, error)),
        }
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::io::transcripts::Seal;

    /// Writes a transcript in parts, each noted.
    fn written(shelf: &Shelf, record: &str, parts: &[&[u8]]) -> Vec<Noted> {
        let (mut all, mut noted) = (Vec::new(), Vec::new());
        let mut seal = Seal::of(shelf.file(record));
        for (seq, part) in (1..).zip(parts) {
            all.extend_from_slice(part);
            fs::write(shelf.file(record), &all).unwrap();
            let mark = seal.take(1, false).unwrap().unwrap();
            noted.push(Noted { seq, record: record.to_owned(), mark });
        }
        noted
    }

    #[test]
    fn a_flip_a_cut_and_a_loss_are_found_wherever_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(dir.path().to_owned());
        let parts: [&[u8]; 3] = [&[b'a'; 50_000], &[b'b'; 70_000], b"the end\n"];
        for is_packed in [false, true] {
            let noted = written(&shelf, "t1.1", &parts);
            let whole = fs::read(shelf.file("t1.1")).unwrap();
            let look = |bytes: &[u8]| {
                let _ = fs::remove_file(dir.path().join("t1.1.log.gz"));
                fs::write(shelf.file("t1.1"), bytes).unwrap();
                if is_packed {
                    shelf.pack("t1.1").unwrap();
                }
                audit(&shelf, noted.clone()).iter().map(|flaw| (flaw.seq, flaw.how.clone())).collect::<Vec<_>>()
            };
            assert_eq!(look(&whole), []);
            for at in [0, 1, 49_999, 50_000, 119_999, 120_000, whole.len() - 1] {
                let mut flipped = whole.clone();
                flipped[at] ^= 1;
                let (seq, from, to) = match at {
                    ..50_000 => (1, 0, 50_000),
                    50_000..120_000 => (2, 50_000, 120_000),
                    _ => (3, 120_000, 120_008),
                };
                assert_eq!(look(&flipped), [(seq, How::Altered { from, to })], "at {at}");
                let (seq, after, of) = (seq, at as u64, to);
                assert_eq!(look(&whole[..at]), [(seq, How::Cut { after, of })], "up to {at}");
            }
            let mut more = whole.clone();
            more.extend_from_slice(b"not noted yet");
            assert_eq!(look(&more), [], "what was added later is not in the journal");
            let _ = (fs::remove_file(shelf.file("t1.1")), fs::remove_file(dir.path().join("t1.1.log.gz")));
            assert_eq!(audit(&shelf, noted.clone())[0].to_string(), "the transcript t1.1 is gone");
        }
    }

    #[test]
    fn a_packed_one_whose_bytes_were_changed_is_no_surprise() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(dir.path().to_owned());
        let text: Vec<u8> = (0..100_000_u32).flat_map(|n| n.to_string().into_bytes()).collect();
        let noted = written(&shelf, "t1.1", &[&text]);
        shelf.pack("t1.1").unwrap();
        let packed = dir.path().join("t1.1.log.gz");
        let whole = fs::read(&packed).unwrap();
        // What follows the text is a sum of it.
        for at in (30..whole.len() - 8).step_by(whole.len() / 40) {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            fs::write(&packed, &flipped).unwrap();
            assert_eq!(audit(&shelf, noted.clone()).len(), 1, "at {at}");
            fs::write(&packed, &whole[..at]).unwrap();
            assert_eq!(audit(&shelf, noted.clone()).len(), 1, "up to {at}");
        }
    }

    #[test]
    fn what_the_journal_names_leads_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("secret.log"), "x").unwrap();
        let shelf = Shelf::at(dir.path().join("logs"));
        let mark = Mark { bytes: 1, sha256: String::new() };
        let noted = Noted { seq: 1, record: "../secret".to_owned(), mark };
        assert_eq!(audit(&shelf, vec![noted])[0].how, How::Gone);
    }
}
