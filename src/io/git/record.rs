//! Owns the record of what was written into a pooled worktree: each path, its object, and how the file looked then. It
//! lives in memory, where no agent can reach it, and is told to git as an index. Never looks at a file itself.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags, Stat};
use sha1::{Digest, Sha1};

use crate::model::ids::Oid;

/// The mode of a submodule.
pub(super) const GITLINK: u32 = 0o160_000;

/// How many bytes of an index come before its first entry.
const HEADER: usize = 12;

/// How many bytes of an entry say how its file looks: moments, numbers, mode, owners and size.
const LOOK: usize = 40;

/// How many bytes of an entry come before its path: how it looks, its object, and the length of the path.
const HEAD: usize = LOOK + 20 + 2;

/// Tells what was written at a path, as git's index tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    look: [u8; LOOK],
    /// The blob, or a submodule's commit.
    pub(super) id: Oid,
    trust: Trust,
}

/// Says whether a file that looks as it did when it was written is as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// It was written since the record was settled.
    Fresh,
    /// It surely is.
    Sure,
    /// It was written in the very moment in which the record was settled: in that moment it could be written again, and
    /// would look the same.
    Unsure,
}

/// Tells how a file looks from outside; of each number the low 32 bits, as git keeps them.
fn look(stat: &Stat, mode: u32) -> [u8; LOOK] {
    let low = |number: u64| (number & 0xffff_ffff) as u32;
    let (ctime, mtime) = (low(stat.st_ctime as u64), low(stat.st_mtime as u64));
    let (ctime_ns, mtime_ns) = (low(stat.st_ctime_nsec), low(stat.st_mtime_nsec));
    let (dev, ino, size) = (low(stat.st_dev), low(stat.st_ino), low(stat.st_size as u64));
    encoded([ctime, ctime_ns, mtime, mtime_ns, dev, ino, mode, stat.st_uid, stat.st_gid, size])
}

fn encoded(numbers: [u32; LOOK / 4]) -> [u8; LOOK] {
    let mut bytes = [0; LOOK];
    for (place, number) in bytes.chunks_exact_mut(4).zip(numbers) {
        place.copy_from_slice(&number.to_be_bytes());
    }
    bytes
}

impl Entry {
    /// Records a file that was just written, or the empty folder of a submodule.
    pub(super) fn new(id: Oid, mode: u32, stat: &Stat) -> Self {
        let look = if mode == GITLINK { encoded([0, 0, 0, 0, 0, 0, mode, 0, 0, 0]) } else { look(stat, mode) };
        Self { look, id, trust: Trust::Fresh }
    }

    /// Tells the git mode.
    pub(super) fn mode(&self) -> u32 {
        number(&self.look, 6)
    }

    /// Tells whether a file is surely as it was written; where that cannot be told, its content must be compared.
    pub(super) fn is_untouched(&self, now: &Stat) -> bool {
        let mode = match now.st_mode & 0o170_000 {
            0o120_000 => 0o120_000,
            0o100_000 if now.st_mode & 0o100 != 0 => 0o100_755,
            0o100_000 => 0o100_644,
            _ => return false,
        };
        self.trust == Trust::Sure && self.look == look(now, mode)
    }
}

/// Reads one of the numbers that say how a file looks.
fn number(look: &[u8], at: usize) -> u32 {
    look[at * 4..][..4].iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// Holds what was written into a tree, sorted by path: as git's index, version 2, so that it is told at no cost.
#[derive(Debug)]
pub(super) struct Record {
    /// The index without the sum at its end.
    bytes: Vec<u8>,
    /// Where in it each entry begins.
    starts: Vec<usize>,
    trust: Vec<Trust>,
    written: Option<Written>,
}

/// Tells what the record was written into, and what has changed since.
#[derive(Debug, Clone)]
struct Written {
    file: [i64; 7],
    /// Where the entries begin that have changed.
    changed: Vec<usize>,
}

impl Written {
    fn into(meta: &Metadata) -> Self {
        Self { file: Self::look(meta), changed: Vec::new() }
    }

    /// Tells a file from every other, and from itself after somebody wrote in it.
    fn look(meta: &Metadata) -> [i64; 7] {
        let (dev, ino, size) = (meta.dev() as i64, meta.ino() as i64, meta.size() as i64);
        [dev, ino, size, meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()]
    }
}

impl Default for Record {
    fn default() -> Self {
        Self { bytes: b"DIRC\0\0\0\x02\0\0\0\0".to_vec(), starts: Vec::new(), trust: Vec::new(), written: None }
    }
}

impl Record {
    /// Makes a record of what was written.
    pub(super) fn of(mut entries: Vec<(Box<[u8]>, Entry)>) -> Self {
        entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut record = Self::default();
        record.bytes.reserve(entries.iter().map(|(path, _)| HEAD + 8 + path.len()).sum());
        for (path, entry) in &entries {
            record.push(path, entry);
        }
        record
    }

    /// Adds what comes after all that is there.
    fn push(&mut self, path: &[u8], entry: &Entry) {
        let begun = self.bytes.len();
        self.bytes.extend_from_slice(&entry.look);
        self.bytes.extend_from_slice(&entry.id.0);
        // The length of the path as far as 12 bits hold it; the other bits say that nothing is special.
        self.bytes.extend_from_slice(&(path.len().min(0xfff) as u16).to_be_bytes());
        self.bytes.extend_from_slice(path);
        // At least one zero, and as many as make the entry's length a multiple of eight.
        self.bytes.resize(begun + (self.bytes.len() - begun + 8) / 8 * 8, 0);
        self.starts.push(begun);
        self.trust.push(entry.trust);
        self.bytes[8..HEADER].copy_from_slice(&(self.starts.len() as u32).to_be_bytes());
    }

    fn path(&self, at: usize) -> &[u8] {
        self.path_from(self.starts[at])
    }

    fn path_from(&self, start: usize) -> &[u8] {
        let rest = &self.bytes[start + HEAD..];
        match u16::from_be_bytes([self.bytes[start + HEAD - 2], self.bytes[start + HEAD - 1]]) {
            0xfff => rest.split(|byte| *byte == 0).next().unwrap_or_default(),
            short => &rest[..usize::from(short)],
        }
    }

    fn entry(&self, at: usize) -> Entry {
        let start = self.starts[at];
        let mut entry = Entry { look: [0; LOOK], id: Oid([0; 20]), trust: self.trust[at] };
        entry.look.copy_from_slice(&self.bytes[start..][..LOOK]);
        entry.id.0.copy_from_slice(&self.bytes[start + LOOK..][..20]);
        entry
    }

    /// Finds an entry by its path; whoever asks for many in order keeps `near`, and each is found at once.
    fn find(&self, path: &[u8], near: &mut usize) -> Option<usize> {
        let found = if *near < self.starts.len() && self.path(*near) == path {
            *near
        } else {
            self.starts.binary_search_by(|start| self.path_from(*start).cmp(path)).ok()?
        };
        *near = found + 1;
        Some(found)
    }

    /// Numbers the entries below a folder.
    fn below(&self, folder: &[u8]) -> Range<usize> {
        let start = [folder, b"/"].concat();
        let from = self.starts.partition_point(|at| *self.path_from(*at) < *start);
        let count = self.starts[from..].partition_point(|at| self.path_from(*at).starts_with(&start));
        from..from + count
    }

    /// Puts what is at paths now in the place of what was: nothing, where a path is gone.
    pub(super) fn change(&mut self, mut changes: BTreeMap<Box<[u8]>, Option<Entry>>) {
        let mut near = 0;
        changes.retain(|path, change| {
            let Some(at) = self.find(path, &mut near) else { return change.is_some() };
            let Some(entry) = change else { return true };
            let start = self.starts[at];
            self.bytes[start..][..LOOK].copy_from_slice(&entry.look);
            self.bytes[start + LOOK..][..20].copy_from_slice(&entry.id.0);
            self.trust[at] = entry.trust;
            self.written.iter_mut().for_each(|written| written.changed.push(start));
            false
        });
        if changes.is_empty() {
            return;
        }
        // What comes or goes moves all that is behind it.
        let mut moved = Self::default();
        moved.bytes.reserve(self.bytes.len());
        let mut others = changes.into_iter().peekable();
        for at in 0..self.starts.len() {
            let path = self.path(at);
            while let Some((new, entry)) = others.next_if(|(other, _)| **other < *path) {
                entry.iter().for_each(|entry| moved.push(&new, entry));
            }
            if others.next_if(|(gone, _)| **gone == *path).is_none() {
                moved.push(path, &self.entry(at));
            }
        }
        for (new, entry) in others {
            entry.iter().for_each(|entry| moved.push(&new, entry));
        }
        *self = moved;
    }

    /// Notes that all was written by this moment of the file system, in seconds and nanoseconds.
    ///
    /// What is unsure has no size in the index from then on, which has git compare its content: by the index's own age
    /// it would be trusted.
    fn settle(&mut self, (seconds, nanoseconds): (i64, i64)) {
        let moment = ((seconds & 0xffff_ffff) as u32, (nanoseconds & 0xffff_ffff) as u32);
        for (trust, start) in self.trust.iter_mut().zip(&self.starts).filter(|(trust, _)| **trust == Trust::Fresh) {
            let look = &mut self.bytes[*start..][..LOOK];
            let is_older = (number(look, 0), number(look, 1)) < moment && (number(look, 2), number(look, 3)) < moment;
            *trust = if is_older { Trust::Sure } else { Trust::Unsure };
            if !is_older {
                look[LOOK - 4..].fill(0);
                self.written.iter_mut().for_each(|written| written.changed.push(*start));
            }
        }
    }

    /// Writes the record as git's index into a file that is not there, and settles it.
    pub(super) fn write(&mut self, path: &Path) -> io::Result<()> {
        let file = File::create_new(path)?;
        file.write_all_at(&self.bytes, 0)?;
        self.end(&file)
    }

    /// Writes what has changed into the file that the record was written into last, and settles it; `false` where that
    /// must be written as a whole, because the file is not as it was left or the record has other entries.
    pub(super) fn rewrite(&mut self, path: &Path) -> io::Result<bool> {
        let Some(written) = self.written.take() else { return Ok(false) };
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(file) = rustix::fs::open(path, flags, Mode::empty()).map(File::from) else { return Ok(false) };
        if Written::look(&file.metadata()?) != written.file {
            return Ok(false);
        }
        for start in written.changed {
            file.write_all_at(&self.bytes[start..][..LOOK + 20], start as u64)?;
        }
        self.end(&file)?;
        Ok(true)
    }

    /// Writes the sum that an index ends with.
    fn end(&mut self, file: &File) -> io::Result<()> {
        file.write_all_at(&Sha1::digest(&self.bytes), self.bytes.len() as u64)?;
        let meta = file.metadata()?;
        self.written = Some(Written::into(&meta));
        self.settle((meta.mtime(), meta.mtime_nsec()));
        Ok(())
    }
}

/// Tells which entries of a record a walk has not met so far.
pub(super) struct Left<'a> {
    record: &'a Record,
    is_met: Vec<bool>,
    near: usize,
}

impl<'a> Left<'a> {
    /// Begins where nothing was met.
    pub(super) fn all(record: &'a Record) -> Self {
        Self { record, is_met: vec![false; record.starts.len()], near: 0 }
    }

    /// Gives the entry at a path, the first time that it is met.
    pub(super) fn meet(&mut self, path: &[u8]) -> Option<Entry> {
        let at = self.record.find(path, &mut self.near)?;
        let is_first = !std::mem::replace(&mut self.is_met[at], true);
        is_first.then(|| self.record.entry(at))
    }

    /// Tells whether a submodule stands at a path, the first time that it is met.
    pub(super) fn meet_submodule(&mut self, path: &[u8]) -> bool {
        let Some(at) = self.record.find(path, &mut self.near) else { return false };
        self.record.entry(at).mode() == GITLINK && !std::mem::replace(&mut self.is_met[at], true)
    }

    /// Tells whether something was written below a folder that was not met.
    pub(super) fn holds_below(&self, folder: &[u8]) -> bool {
        let below = self.record.below(folder);
        self.is_met[below].contains(&false)
    }

    /// Passes over all that is below a folder.
    pub(super) fn meet_below(&mut self, folder: &[u8]) {
        let below = self.record.below(folder);
        self.is_met[below].fill(true);
    }

    /// Gives what was not met.
    pub(super) fn take(&mut self) -> Vec<(&'a [u8], Entry)> {
        let met = std::mem::replace(&mut self.is_met, vec![true; self.record.starts.len()]);
        let left = met.iter().enumerate().filter(|(_, is_met)| !**is_met);
        left.map(|(at, _)| (self.record.path(at), self.record.entry(at))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat() -> Stat {
        let mut stat = rustix::fs::stat("/").unwrap();
        stat.st_mode = 0o100_644;
        (stat.st_ctime, stat.st_mtime) = (10, 10);
        stat
    }

    fn record(paths: &[&str]) -> Record {
        let entry = |path: &&str| (path.as_bytes().into(), Entry::new(Oid([1; 20]), 0o100_644, &stat()));
        Record::of(paths.iter().map(entry).collect())
    }

    fn paths(record: &Record) -> Vec<&str> {
        (0..record.starts.len()).map(|at| std::str::from_utf8(record.path(at)).unwrap()).collect()
    }

    #[test]
    fn a_record_changes_as_a_map_does() {
        let mut chance = fastrand::Rng::with_seed(3);
        let (mut record, mut model) = (Record::default(), BTreeMap::new());
        for _ in 0..200 {
            let mut changes = BTreeMap::new();
            for _ in 0..chance.usize(..6) {
                let path: Box<[u8]> = format!("{}/{}", chance.u8(..4), chance.u8(..9)).into_bytes().into();
                let entry = chance.bool().then(|| Entry::new(Oid([chance.u8(..); 20]), 0o100_644, &stat()));
                changes.insert(path, entry);
            }
            for (path, entry) in &changes {
                match entry {
                    Some(entry) => drop(model.insert(path.clone(), *entry)),
                    None => drop(model.remove(path)),
                }
            }
            record.change(changes);
            let whole = Record::of(model.clone().into_iter().collect());
            assert_eq!((&record.bytes, &record.starts, &record.trust), (&whole.bytes, &whole.starts, &whole.trust));
        }
        assert!(record.starts.len() > 5);
    }

    #[test]
    fn what_was_changed_is_written_in_place_and_only_where_nobody_else_wrote() {
        let dir = tempfile::tempdir().unwrap();
        let (place, other) = (dir.path().join("index"), dir.path().join("other"));
        let entry = |id| Some(Entry::new(Oid([id; 20]), 0o100_755, &stat()));
        let mut mine = record(&["a", "b", "c"]);
        assert!(!mine.rewrite(&place).unwrap(), "nothing was written so far");
        mine.write(&place).unwrap();
        mine.change([(b"b"[..].into(), entry(7))].into());
        assert!(mine.rewrite(&place).unwrap());
        let mut whole = record(&["a", "b", "c"]);
        whole.change([(b"b"[..].into(), entry(7))].into());
        whole.write(&other).unwrap();
        assert_eq!(std::fs::read(&place).unwrap(), std::fs::read(&other).unwrap());
        mine.change([(b"d"[..].into(), entry(7))].into());
        assert!(!mine.rewrite(&place).unwrap(), "an entry has come");
        std::fs::remove_file(&place).unwrap();
        mine.write(&place).unwrap();
        File::options().write(true).open(&place).unwrap().write_all_at(b"X", 0).unwrap();
        assert!(!mine.rewrite(&place).unwrap(), "somebody wrote in it");
        assert!(!mine.rewrite(&dir.path().join("gone")).unwrap());
    }

    #[test]
    fn each_entry_is_met_once_in_whatever_order() {
        let record = record(&["a", "d.c", "d/a", "d/b", "e"]);
        let mut left = Left::all(&record);
        assert!(left.holds_below(b"d") && !left.holds_below(b"a"));
        for path in ["e", "d/b", "a"] {
            assert!(left.meet(path.as_bytes()).is_some() && left.meet(path.as_bytes()).is_none());
        }
        assert!(left.meet(b"d").is_none() && !left.meet_submodule(b"d.c"));
        assert_eq!(left.take().iter().map(|(path, _)| *path).collect::<Vec<_>>(), [&b"d.c"[..], b"d/a"]);
        let mut left = Left::all(&record);
        left.meet_below(b"d");
        assert_eq!(left.take().len(), 3);
    }

    #[test]
    fn what_was_written_in_the_moment_of_settling_is_never_trusted_until_it_is_written_anew() {
        let mut record = record(&["a"]);
        assert!(!record.entry(0).is_untouched(&stat()), "nothing is sure before it is settled");
        let nanoseconds = stat().st_ctime_nsec.max(stat().st_mtime_nsec) as i64;
        record.settle((10, nanoseconds));
        record.settle((20, 0));
        assert!(!record.entry(0).is_untouched(&stat()));
        record.change([(b"a"[..].into(), Some(Entry::new(Oid([1; 20]), 0o100_644, &stat())))].into());
        record.settle((20, 0));
        assert!(record.entry(0).is_untouched(&stat()));
        for forge in [
            |stat: &mut Stat| stat.st_ctime += 1,
            |stat: &mut Stat| stat.st_mtime_nsec += 1,
            |stat: &mut Stat| stat.st_ino += 1,
            |stat: &mut Stat| stat.st_size += 1,
            |stat: &mut Stat| stat.st_uid += 1,
            |stat: &mut Stat| stat.st_mode = 0o100_755,
            |stat: &mut Stat| stat.st_mode = 0o120_000,
        ] {
            let mut now = stat();
            forge(&mut now);
            assert!(!record.entry(0).is_untouched(&now));
        }
        assert_eq!(paths(&record), ["a"]);
    }
}
