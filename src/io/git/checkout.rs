//! Owns writing a commit's files into a pooled worktree, and the trusted record of what was written.
//! Never reads the tree's `.git`, nor an index that an agent could write.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use git2::build::CheckoutBuilder;
use rustix::fs::Stat;

use super::error::{Doing, GitError, OnFile};
use super::objects;
use super::repo::to_git;
use super::walk::Root;
use crate::model::ids::Oid;

/// Writes all files of a commit into an empty tree.
pub(super) fn write_all(rules: &git2::Repository, commit: Oid, tree: &Path) -> Result<(), GitError> {
    write_with(rules, commit, tree, &mut CheckoutBuilder::new())
}

/// Writes the files of a commit at these paths; what was at them must be gone.
///
/// A file whose bytes no attribute changes is written as it is; libgit2's checkout, which looks at the whole tree for
/// each path, has the others.
pub(super) fn write_some(
    rules: &git2::Repository,
    commit: Oid,
    root: &Root,
    paths: &[Vec<u8>],
) -> Result<(), GitError> {
    let mut index = rules.index().doing(|| "read the index".to_owned())?;
    let tree = objects::commit(rules, commit)?.tree_id();
    let is_plain_text = !converts_everywhere(rules)?;
    let mut filtered = Vec::new();
    for path in paths {
        let entry = path_of(path);
        if index.get_path(entry, 0).is_some() {
            index.remove(entry, 0).doing(|| "change the index".to_owned())?;
        }
        match objects::entry(rules, tree, path)? {
            None => {}
            Some((blob, mode @ (0o100_644 | 0o100_755))) if is_plain_text && !is_converted(rules, entry)? => {
                let written = write_raw(rules, root, path, (blob, mode))?;
                index.add(&written).doing(|| "change the index".to_owned())?;
            }
            Some(_) => filtered.push(path),
        }
    }
    index.write().doing(|| "write the index".to_owned())?;
    if filtered.is_empty() {
        return Ok(());
    }
    let mut how = CheckoutBuilder::new();
    how.disable_pathspec_match(true);
    for path in filtered {
        how.path(path.as_slice());
    }
    write_with(rules, commit, root.path(), &mut how)
}

/// Tells whether the configuration has line ends converted where no attribute says so.
fn converts_everywhere(rules: &git2::Repository) -> Result<bool, GitError> {
    let doing = || "read git's configuration".to_owned();
    let config = rules.config().and_then(|mut config| config.snapshot()).doing(doing)?;
    match config.get_bool("core.autocrlf") {
        Ok(converts) => Ok(converts),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(false),
        // `input`, or whatever else a later git understands.
        Err(_) => Ok(true),
    }
}

/// Tells whether some attribute has a word in what a file's bytes become.
fn is_converted(rules: &git2::Repository, path: &Path) -> Result<bool, GitError> {
    for name in ["text", "crlf", "eol", "ident"] {
        let value = rules.get_attr(path, name, git2::AttrCheckFlags::FILE_THEN_INDEX);
        if value.doing(|| format!("read the attributes of `{}`", path.display()))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Writes a blob's very bytes and gives the entry that records them.
fn write_raw(
    rules: &git2::Repository,
    root: &Root,
    path: &[u8],
    (blob, mode): (git2::Oid, u32),
) -> Result<git2::IndexEntry, GitError> {
    let content = objects::blob(rules, blob)?;
    let on = |error: std::io::Error| Err(error).on("write", path_of(path));
    let stat = root.create(path, mode, content.content()).or_else(on)?;
    // The index keeps the low 32 bits of each number.
    let low = |number: u64| (number & 0xffff_ffff) as u32;
    let time = |seconds: i64, nanoseconds: u64| git2::IndexTime::new(seconds as i32, low(nanoseconds));
    Ok(git2::IndexEntry {
        ctime: time(stat.st_ctime, stat.st_ctime_nsec),
        mtime: time(stat.st_mtime, stat.st_mtime_nsec),
        dev: low(stat.st_dev),
        ino: low(stat.st_ino),
        mode,
        uid: stat.st_uid,
        gid: stat.st_gid,
        file_size: low(stat.st_size as u64),
        id: blob,
        flags: 0,
        flags_extended: 0,
        path: path.to_vec(),
    })
}

fn write_with(
    rules: &git2::Repository,
    commit: Oid,
    tree: &Path,
    how: &mut CheckoutBuilder<'_>,
) -> Result<(), GitError> {
    let doing = || format!("write the files of {commit} into `{}`", tree.display());
    let object = rules.find_object(to_git(commit), None).doing(doing)?;
    how.force().recreate_missing(true).target_dir(tree);
    rules.checkout_tree(&object, Some(how)).doing(doing)
}

/// Holds what was written into a tree: each path's entry, and when the record was made.
pub(super) struct Known {
    /// What was written, by path.
    pub(super) entries: BTreeMap<Vec<u8>, git2::IndexEntry>,
    stamp: (i64, u32),
}

impl Known {
    /// Reads the record.
    pub(super) fn read(index: &Path) -> Result<Self, GitError> {
        let meta = fs::metadata(index).on("read", index)?;
        let stamp = {
            use std::os::unix::fs::MetadataExt;
            (meta.mtime(), u32::try_from(meta.mtime_nsec()).unwrap_or(0))
        };
        let record = git2::Index::open(index).doing(|| format!("read the index `{}`", index.display()))?;
        let entries = record.iter().map(|entry| (entry.path.clone(), entry)).collect();
        Ok(Self { entries, stamp })
    }

    /// Tells whether a file is surely as it was written; where that cannot be told, its content must be compared.
    pub(super) fn is_untouched(&self, entry: &git2::IndexEntry, now: &Stat) -> bool {
        let kind = now.st_mode & 0o170_000;
        let mode = match kind {
            0o120_000 => 0o120_000,
            0o100_000 if now.st_mode & 0o100 != 0 => 0o100_755,
            0o100_000 => 0o100_644,
            _ => return false,
        };
        let seconds = |time: &git2::IndexTime| i64::from(time.seconds());
        let exact = entry.mtime.nanoseconds() != 0 || entry.ctime.nanoseconds() != 0;
        let same_time = |time: &git2::IndexTime, sec: i64, nsec: u64| {
            seconds(time) & 0xffff_ffff == sec & 0xffff_ffff && (!exact || u64::from(time.nanoseconds()) == nsec)
        };
        let at = |time: &git2::IndexTime| (seconds(time), if exact { time.nanoseconds() } else { u32::MAX });
        let racy = at(&entry.mtime) >= self.stamp || at(&entry.ctime) >= self.stamp;
        entry.mode == mode
            && !racy
            && u64::from(entry.file_size) == (now.st_size as u64 & 0xffff_ffff)
            && u64::from(entry.ino) == now.st_ino & 0xffff_ffff
            && same_time(&entry.mtime, now.st_mtime, now.st_mtime_nsec)
            && same_time(&entry.ctime, now.st_ctime, now.st_ctime_nsec)
    }

    /// Tells whether something was written below a folder.
    pub(super) fn holds_below(entries: &BTreeMap<Vec<u8>, git2::IndexEntry>, folder: &[u8]) -> bool {
        let start = [folder, b"/"].concat();
        entries.range(start.clone()..).next().is_some_and(|(path, _)| path.starts_with(&start))
    }
}

/// Shows bytes as a path.
pub(super) fn path_of(bytes: &[u8]) -> &Path {
    use std::os::unix::ffi::OsStrExt;
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::testing::{Lab, git_in};

    #[test]
    fn a_recycled_tree_has_the_line_ends_that_attributes_and_configuration_ask_for() {
        let lab = Lab::new();
        let rules = (".gitattributes", Some("*.bat text eol=crlf\n"));
        let first = lab.on(lab.head(), &[rules, ("a.bat", Some("1\n")), ("deep/b.txt", Some("1\n"))]);
        let second = lab.on(first, &[("a.bat", Some("2\n")), ("deep/b.txt", Some("2\n")), ("new/c", Some("2\n"))]);
        let third = lab.on(second, &[("deep/b.txt", Some("3\n"))]);
        let pool = lab.pool(&[]);
        pool.give_back(pool.take(first).unwrap());
        let tree = pool.take(second).unwrap();
        let read = |path: &str| fs::read_to_string(tree.path().join(path)).unwrap();
        assert_eq!([read("a.bat"), read("deep/b.txt"), read("new/c")], ["2\r\n", "2\n", "2\n"]);
        assert_eq!(git_in(tree.path(), &["status", "--porcelain"]), "");
        let place = tree.path().to_owned();
        pool.give_back(tree);
        lab.git(&["config", "core.autocrlf", "true"]);
        pool.give_back(pool.take(third).unwrap());
        assert_eq!(fs::read_to_string(place.join("deep/b.txt")).unwrap(), "3\r\n");
    }
}
