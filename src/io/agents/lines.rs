//! Owns the reading of lines that a stranger wrote: each is bounded, and none is believed to be text.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use serde_json::Value;

/// Longest line of a log that is read, in bytes; a longer one is passed over.
const LINE_BYTES_MOST: usize = 4 << 20;

/// Gives each line of a log that is one JSON object to `take`, in order; all else is passed over.
///
/// A log that cannot be read has no lines: what cannot be read tells of no success.
pub(super) fn each_event(log: &Path, take: impl FnMut(Value)) {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let Ok(fd) = rustix::fs::open(log, flags, Mode::empty()) else { return };
    let file = File::from(fd);
    if file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        each_event_of(BufReader::new(file), take);
    }
}

fn each_event_of(from: impl BufRead, mut take: impl FnMut(Value)) {
    each_event_at(from, |event, _| take(event));
}

/// Does as [`each_event`], and tells with each how many bytes there were up to the end of its line.
pub(super) fn each_event_at(mut from: impl BufRead, mut take: impl FnMut(Value, u64)) {
    let mut line = Line::of_at_most(LINE_BYTES_MOST);
    while let Ok(true) = next_line(&mut from, &mut line) {
        if line.is_whole
            && line.bytes.first() == Some(&b'{')
            && let Ok(event) = serde_json::from_slice::<Value>(&line.bytes)
        {
            take(event, line.taken);
        }
    }
}

/// Reads the next line; tells whether there was one.
fn next_line(from: &mut impl BufRead, line: &mut Line) -> io::Result<bool> {
    line.clear();
    let mut is_there = false;
    loop {
        let chunk = match from.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if chunk.is_empty() {
            return Ok(is_there);
        }
        is_there = true;
        let (used, is_end) = line.take(chunk);
        from.consume(used);
        if is_end {
            return Ok(true);
        }
    }
}

/// Gathers the bytes of a line up to a bound.
#[derive(Debug)]
pub(super) struct Line {
    most: usize,
    /// The line without its end, cut at the bound.
    pub(super) bytes: Vec<u8>,
    /// Whether it was not cut.
    pub(super) is_whole: bool,
    /// Bytes of this line and all before it, their ends included.
    taken: u64,
}

impl Line {
    /// Begins with nothing, and will keep so many bytes.
    pub(super) fn of_at_most(most: usize) -> Self {
        Self { most, bytes: Vec::new(), is_whole: true, taken: 0 }
    }

    /// Begins the next line.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.is_whole = true;
    }

    /// Takes what belongs to the line of some bytes; tells how many those are, its end included, and whether it ended.
    pub(super) fn take(&mut self, chunk: &[u8]) -> (usize, bool) {
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let own = &chunk[..end.unwrap_or(chunk.len())];
        let room = self.most - self.bytes.len();
        self.is_whole &= own.len() <= room;
        self.bytes.extend_from_slice(&own[..own.len().min(room)]);
        let used = end.map_or(chunk.len(), |end| end + 1);
        self.taken += used as u64;
        (used, end.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_object_or_too_long_is_passed_over() {
        let long = format!("{{\"a\": \"{}\"}}", "x".repeat(LINE_BYTES_MOST));
        let deep = format!("{{\"a\": {}", "[".repeat(100_000));
        let text = format!("noise\n{{\"a\": 1}}\n[1]\n\"{{\"\n{long}\n{deep}\n\n{{\"a\": 2}}\r\n{{\"a\": 3");
        let mut events = Vec::new();
        each_event_of(text.as_bytes(), |event| events.push(event["a"].clone()));
        assert_eq!(events, [1, 2]);
        let mut ends = Vec::new();
        each_event_at(text.as_bytes(), |_, end| ends.push(end));
        assert_eq!(ends, [15, text.len() as u64 - 7]);
    }

    #[test]
    fn only_a_regular_file_is_a_log() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("log"), "{}\n").unwrap();
        std::os::unix::fs::symlink(dir.path().join("log"), dir.path().join("link")).unwrap();
        let made = std::process::Command::new("mkfifo").arg(dir.path().join("fifo")).status().unwrap();
        assert!(made.success());
        for (name, lines) in [("log", 1), ("link", 0), ("fifo", 0), ("none", 0), (".", 0)] {
            let mut count = 0;
            each_event(&dir.path().join(name), |_| count += 1);
            assert_eq!(count, lines, "{name}");
        }
    }

    proptest! {
        #[test]
        fn lines_are_what_was_between_the_ends(bytes in proptest::collection::vec(any::<u8>(), 0..200), buffer in 1..9_usize) {
            let mut from = BufReader::with_capacity(buffer, bytes.as_slice());
            let (mut line, mut lines) = (Line::of_at_most(20), Vec::new());
            while next_line(&mut from, &mut line).unwrap() {
                lines.push((line.is_whole, line.bytes.clone()));
            }
            let mut expected: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
            if expected.last().is_some_and(|last| last.is_empty()) {
                expected.pop();
            }
            let expected: Vec<_> = expected.iter().map(|it| (it.len() <= 20, it[..it.len().min(20)].to_vec())).collect();
            prop_assert_eq!(lines, expected);
        }
    }
}
