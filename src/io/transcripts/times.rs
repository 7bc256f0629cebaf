//! Owns when a transcript had grown to which length, noted beside it: most of those who write one tell no time. Never
//! reads what it says.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;

use super::shelf::{Shelf, is_record};
use crate::io::process::open_regular;

/// Lengths that are noted of one transcript: two megabytes.
const MOST: usize = 100_000;

/// Notes when a transcript grew, while it is written.
#[derive(Debug)]
pub struct Stamps {
    transcript: PathBuf,
    file: PathBuf,
    to: Option<File>,
    length: u64,
    count: usize,
}

impl Stamps {
    /// Takes a transcript that is about to be written.
    pub fn of(shelf: &Shelf, record: &str) -> Self {
        Self { transcript: shelf.file(record), file: shelf.times_file(record), to: None, length: 0, count: 0 }
    }

    /// Notes how long the transcript is by now, where it has grown.
    ///
    /// # Errors
    /// Where its length cannot be read or noted.
    pub fn note(&mut self, now_ms: i64) -> io::Result<()> {
        let length = match fs::metadata(&self.transcript) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        if length <= self.length || self.count >= MOST {
            return Ok(());
        }
        let to = match &mut self.to {
            Some(to) => to,
            none => none.insert(File::create(&self.file)?),
        };
        to.write_all(format!("{length} {now_ms}\n").as_bytes())?;
        (self.length, self.count) = (length, self.count + 1);
        Ok(())
    }
}

/// Tells when a transcript had grown to which length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times(Vec<(u64, i64)>);

impl Times {
    /// Tells when the transcript was first seen to have so many bytes, in milliseconds since 1970; nothing where nobody
    /// noted that.
    pub fn at(&self, length: u64) -> Option<i64> {
        let at = self.0.partition_point(|(noted, _)| *noted < length);
        self.0.get(at).map(|(_, at_ms)| *at_ms)
    }
}

impl Shelf {
    /// Reads when a transcript grew; knows nothing where that was not noted.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn times(&self, record: &str) -> io::Result<Times> {
        if !is_record(record) {
            return Ok(Times::default());
        }
        let Some(file) = open_regular(&self.times_file(record))? else { return Ok(Times::default()) };
        let mut times = Vec::new();
        for line in BufReader::new(file).lines().take(MOST) {
            let line = line?;
            let noted = line.split_once(' ').and_then(|(length, at)| Some((length.parse().ok()?, at.parse().ok()?)));
            // A line that is cut off is the last one.
            let Some(noted) = noted else { break };
            times.push(noted);
        }
        Ok(Times(times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_as_old_as_the_first_look_that_saw_it() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(dir.path().to_owned());
        assert_eq!(shelf.times("t1.1").unwrap().at(0), None);
        let mut stamps = Stamps::of(&shelf, "t1.1");
        stamps.note(1).unwrap();
        assert_eq!(shelf.times("t1.1").unwrap(), Times::default(), "there is nothing of it yet");
        for (text, at_ms) in [("four", 10), ("four", 20), ("and eight", 30)] {
            fs::write(shelf.file("t1.1"), text).unwrap();
            stamps.note(at_ms).unwrap();
        }
        let times = shelf.times("t1.1").unwrap();
        assert_eq!([1, 4, 5, 9, 10].map(|length| times.at(length)), [Some(10), Some(10), Some(30), Some(30), None]);
        assert_eq!(shelf.named(""), ["t1.1"], "it is no transcript");
        assert_eq!(shelf.times("../t1.1").unwrap(), Times::default());
    }

    #[test]
    fn what_was_cut_off_when_somebody_died_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(dir.path().to_owned());
        fs::write(shelf.times_file("t1.1"), "4 10\n9 30\n12").unwrap();
        let times = shelf.times("t1.1").unwrap();
        assert_eq!((times.at(9), times.at(12)), (Some(30), None));
    }
}
