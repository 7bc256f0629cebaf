//! Owns the record of what was written into a pooled worktree: each path, its object, and how the file looked then. It
//! lives in memory, where no agent can reach it, and is told to git as an index. Never looks at a file itself.

use std::collections::BTreeMap;
use std::ops::Range;

use rustix::fs::Stat;
use sha1::{Digest, Sha1};

use crate::model::ids::Oid;

/// The mode of a submodule.
pub(super) const GITLINK: u32 = 0o160_000;

/// A moment of the file system: seconds and nanoseconds, the low 32 bits of each.
type Moment = (u32, u32);

/// Tells what was written at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// The blob, or a submodule's commit.
    pub(super) id: Oid,
    /// The git mode.
    pub(super) mode: u32,
    look: Look,
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Look {
    ctime: Moment,
    mtime: Moment,
    dev: u32,
    ino: u32,
    uid: u32,
    gid: u32,
    size: u32,
}

impl Look {
    fn of(stat: &Stat) -> Self {
        let low = |number: u64| (number & 0xffff_ffff) as u32;
        Self {
            ctime: (low(stat.st_ctime as u64), low(stat.st_ctime_nsec)),
            mtime: (low(stat.st_mtime as u64), low(stat.st_mtime_nsec)),
            dev: low(stat.st_dev),
            ino: low(stat.st_ino),
            uid: stat.st_uid,
            gid: stat.st_gid,
            size: low(stat.st_size as u64),
        }
    }
}

impl Entry {
    /// Records a file that was just written, or the empty folder of a submodule.
    pub(super) fn new(id: Oid, mode: u32, stat: &Stat) -> Self {
        let look = if mode == GITLINK { Look::default() } else { Look::of(stat) };
        Self { id, mode, look, trust: Trust::Fresh }
    }

    /// Tells whether a file is surely as it was written; where that cannot be told, its content must be compared.
    pub(super) fn is_untouched(&self, now: &Stat) -> bool {
        let mode = match now.st_mode & 0o170_000 {
            0o120_000 => 0o120_000,
            0o100_000 if now.st_mode & 0o100 != 0 => 0o100_755,
            0o100_000 => 0o100_644,
            _ => return false,
        };
        self.trust == Trust::Sure && self.mode == mode && self.look == Look::of(now)
    }
}

/// Holds what was written into a tree, sorted by path.
#[derive(Debug, Default)]
pub(super) struct Record {
    entries: Vec<(Box<[u8]>, Entry)>,
}

impl Record {
    /// Makes a record of what was written.
    pub(super) fn of(mut entries: Vec<(Box<[u8]>, Entry)>) -> Self {
        entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Self { entries }
    }

    /// Finds an entry by its path; whoever asks for many in order keeps `near`, and each is found at once.
    fn find(&self, path: &[u8], near: &mut usize) -> Option<usize> {
        let found = if self.entries.get(*near).is_some_and(|(there, _)| **there == *path) {
            *near
        } else {
            self.entries.binary_search_by(|(there, _)| (**there).cmp(path)).ok()?
        };
        *near = found + 1;
        Some(found)
    }

    /// Numbers the entries below a folder.
    fn below(&self, folder: &[u8]) -> Range<usize> {
        let start = [folder, b"/"].concat();
        let from = self.entries.partition_point(|(path, _)| **path < *start);
        let count = self.entries[from..].partition_point(|(path, _)| path.starts_with(&start));
        from..from + count
    }

    /// Puts what is at paths now in the place of what was: nothing, where a path is gone.
    pub(super) fn change(&mut self, mut changes: BTreeMap<Box<[u8]>, Option<Entry>>) {
        let mut near = 0;
        let mut gone = Vec::new();
        changes.retain(|path, change| {
            let Some(number) = self.find(path, &mut near) else { return change.is_some() };
            match change.take() {
                Some(entry) => self.entries[number].1 = entry,
                None => gone.push(number),
            }
            false
        });
        if !gone.is_empty() {
            let (mut number, mut gone) = (0, gone.into_iter().peekable());
            self.entries.retain(|_| {
                number += 1;
                gone.next_if_eq(&(number - 1)).is_none()
            });
        }
        if !changes.is_empty() {
            self.entries.extend(changes.into_iter().filter_map(|(path, entry)| Some((path, entry?))));
            // Two sorted runs, which this sort merges.
            self.entries.sort_by(|a, b| a.0.cmp(&b.0));
        }
    }

    /// Notes that all was written by this moment of the file system, in seconds and nanoseconds.
    pub(super) fn settle(&mut self, (seconds, nanoseconds): (i64, i64)) {
        let moment = ((seconds & 0xffff_ffff) as u32, (nanoseconds & 0xffff_ffff) as u32);
        for (_, entry) in self.entries.iter_mut().filter(|(_, entry)| entry.trust == Trust::Fresh) {
            let is_older = entry.look.ctime < moment && entry.look.mtime < moment;
            entry.trust = if is_older { Trust::Sure } else { Trust::Unsure };
        }
    }

    /// Gives the record as git's index, version 2. What is unsure has no size there, which has git compare its content:
    /// by the index's own age it would be trusted.
    pub(super) fn to_index(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(32 + self.entries.iter().map(|(path, _)| 72 + path.len()).sum::<usize>());
        bytes.extend_from_slice(b"DIRC\0\0\0\x02");
        bytes.extend_from_slice(&(self.entries.len() as u32).to_be_bytes());
        for (path, Entry { id, mode, look, trust }) in &self.entries {
            let begun = bytes.len();
            let size = if *trust == Trust::Unsure { 0 } else { look.size };
            let Look { ctime, mtime, dev, ino, uid, gid, .. } = *look;
            for number in [ctime.0, ctime.1, mtime.0, mtime.1, dev, ino, *mode, uid, gid, size] {
                bytes.extend_from_slice(&number.to_be_bytes());
            }
            bytes.extend_from_slice(&id.0);
            // The length of the path as far as 12 bits hold it; the other bits say that nothing is special.
            bytes.extend_from_slice(&(path.len().min(0xfff) as u16).to_be_bytes());
            bytes.extend_from_slice(path);
            // At least one zero, and as many as make the entry's length a multiple of eight.
            bytes.resize(begun + (bytes.len() - begun + 8) / 8 * 8, 0);
        }
        let sum = Sha1::digest(&bytes);
        bytes.extend_from_slice(&sum);
        bytes
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
        Self { record, is_met: vec![false; record.entries.len()], near: 0 }
    }

    /// Gives the entry at a path, the first time that it is met.
    pub(super) fn meet(&mut self, path: &[u8]) -> Option<&'a Entry> {
        let number = self.record.find(path, &mut self.near)?;
        let is_first = !std::mem::replace(&mut self.is_met[number], true);
        is_first.then_some(&self.record.entries[number].1)
    }

    /// Tells whether a submodule stands at a path, the first time that it is met.
    pub(super) fn meet_submodule(&mut self, path: &[u8]) -> bool {
        let Some(number) = self.record.find(path, &mut self.near) else { return false };
        self.record.entries[number].1.mode == GITLINK && !std::mem::replace(&mut self.is_met[number], true)
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
    pub(super) fn take(&mut self) -> Vec<(&'a [u8], &'a Entry)> {
        let met = std::mem::replace(&mut self.is_met, vec![true; self.record.entries.len()]);
        let entries = self.record.entries.iter().zip(met);
        entries.filter(|(_, is_met)| !is_met).map(|((path, entry), _)| (&**path, entry)).collect()
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
        record.entries.iter().map(|(path, _)| std::str::from_utf8(path).unwrap()).collect()
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
                    Some(entry) => drop(model.insert(path.clone(), entry.clone())),
                    None => drop(model.remove(path)),
                }
            }
            record.change(changes);
            assert_eq!(record.entries, model.clone().into_iter().collect::<Vec<_>>());
        }
        assert!(record.entries.len() > 5);
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
        assert!(!record.entries[0].1.is_untouched(&stat()), "nothing is sure before it is settled");
        let nanoseconds = stat().st_ctime_nsec.max(stat().st_mtime_nsec) as i64;
        record.settle((10, nanoseconds));
        record.settle((20, 0));
        assert!(!record.entries[0].1.is_untouched(&stat()));
        record.change([(b"a"[..].into(), Some(Entry::new(Oid([1; 20]), 0o100_644, &stat())))].into());
        record.settle((20, 0));
        assert!(record.entries[0].1.is_untouched(&stat()));
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
            assert!(!record.entries[0].1.is_untouched(&now));
        }
        assert_eq!(paths(&record), ["a"]);
    }
}
