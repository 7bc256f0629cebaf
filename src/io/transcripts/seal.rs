//! Owns how far a transcript that grows has been taken in, and what stands for it up to there. Never writes it.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::io::process::open_regular;

/// Bytes that are read at one time.
const CHUNK: usize = 64 << 10;

/// Stands for a transcript up to one of its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// How many bytes it had.
    pub bytes: u64,
    /// The SHA-256 of all of them, in hexadecimal digits.
    pub sha256: String,
}

/// Follows a transcript as it grows.
#[derive(Debug)]
pub struct Seal {
    file: PathBuf,
    taken: u64,
    hash: Sha256,
    /// How far its marks were stored.
    noted: u64,
}

impl Seal {
    /// Takes the file that a session is about to write.
    pub fn of(file: PathBuf) -> Self {
        Self { file, taken: 0, hash: Sha256::new(), noted: 0 }
    }

    /// Takes in what was added since a mark was stored, where that is at least so many bytes, and gives what stands for all
    /// so far; what that covers is on the disk by then, where it is to last.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn take(&mut self, least: u64, lasts: bool) -> io::Result<Option<Mark>> {
        let Some(mut file) = open_regular(&self.file)? else { return Ok(None) };
        let length = file.metadata()?.len();
        if length < self.taken || length <= self.noted || length - self.noted < least {
            return Ok(None);
        }
        file.seek(SeekFrom::Start(self.taken))?;
        let mut from = file.take(length - self.taken);
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = from.read(&mut chunk)?;
            if read == 0 {
                break;
            }
            self.hash.update(&chunk[..read]);
            self.taken += read as u64;
        }
        if lasts {
            from.into_inner().sync_data()?;
        }
        Ok(Some(Mark { bytes: self.taken, sha256: hex(self.hash.clone()) }))
    }

    /// Learns that a mark was stored.
    pub fn noted(&mut self, mark: &Mark) {
        self.noted = self.noted.max(mark.bytes);
    }
}

/// Ends a hash and writes it down.
pub(super) fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;

    use super::*;

    #[test]
    fn each_mark_stands_for_all_that_was_written_so_far() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t1.1.log");
        let mut seal = Seal::of(path.clone());
        assert_eq!(seal.take(0, true).unwrap(), None, "nothing is written yet");
        let mut file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        let mut all = Vec::new();
        for part in [vec![b'a'; 100], vec![b'b'; 200_000], vec![b'c']] {
            file.write_all(&part).unwrap();
            all.extend(part);
            let sha256 = hex(Sha256::new_with_prefix(&all));
            let mark = Mark { bytes: all.len() as u64, sha256 };
            assert_eq!(seal.take(1, true).unwrap(), Some(mark.clone()));
            assert_eq!(seal.take(1, true).unwrap(), Some(mark.clone()), "it was not stored yet");
            seal.noted(&mark);
            assert_eq!(seal.take(1, true).unwrap(), None, "nothing was added");
        }
        file.write_all(b"little").unwrap();
        assert_eq!(seal.take(100, false).unwrap(), None, "it is not worth it");
        assert_eq!(seal.take(1, false).unwrap().unwrap().bytes, all.len() as u64 + 6);
    }
}
