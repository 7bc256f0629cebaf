//! Owns reading what an agent left in its worktree: edits against the base, and what is refused. All of it is hostile.
//! Never runs git or a filter program, never follows a link, and takes in regular files and inner links only.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::sync::PoisonError;

use rustix::fs::Stat;

use super::checkout::path_of;
use super::commit::Edit;
use super::error::{Doing, GitError, plain};
use super::path_law::why_refused;
use super::pool::Tree;
use super::record::{Entry, GITLINK, Left};
use super::repo::{from_git, to_git};
use super::walk::{Root, join, why_link_refused};
use super::{objects, rules};
use crate::model::ids::Oid;

/// Bounds what a snapshot takes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest file, in bytes.
    pub file_bytes: u64,
    /// The most bytes that all changed files may hold together.
    pub total_bytes: u64,
    /// The most files that are not ignored.
    pub files: usize,
    /// The deepest folder.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { file_bytes: 100 << 20, total_bytes: 4 << 30, files: 200_000, depth: 64 }
    }
}

/// Names something that is not taken in; what the base held there is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Where; without control characters.
    pub path: String,
    /// Why.
    pub why: String,
}

/// Holds what an agent left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// What differs from the base; contents are already in the object database.
    pub edits: BTreeMap<String, Edit>,
    /// What is not taken in.
    pub refused: Vec<Refused>,
}

impl Tree {
    /// Reads what differs from the commit that the tree was made from; ignored files by that commit's own rules are
    /// left out.
    ///
    /// # Errors
    /// `TreeGone` where the tree was removed or replaced, `TooManyFiles` and `TooManyBytes` over a limit: what was not taken
    /// in by then is not stored.
    pub fn snapshot(&self, limits: Limits) -> Result<Snapshot, GitError> {
        let root = Root::open(self.path())?;
        let rules = rules::handle(&self.repo, &self.rules)?;
        let (out, touched, left) = (Snapshot::default(), BTreeSet::new(), Left::all(&self.record));
        let mut taking = Taking { root: &root, rules, limits, left, files: 0, bytes: 0, touched, out };
        taking.folder(b"", 0)?;
        if !root.still_there() {
            return Err(GitError::TreeGone { path: self.path().to_owned() });
        }
        taking.deletions();
        // Where something was not looked into, what is to be cleaned there is not known.
        let touched = taking.out.refused.is_empty().then_some(taking.touched);
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) = touched;
        Ok(taking.out)
    }
}

struct Taking<'a> {
    root: &'a Root,
    rules: git2::Repository,
    limits: Limits,
    left: Left<'a>,
    files: usize,
    /// What the changed files that were taken in hold together.
    bytes: u64,
    /// Where something is not, or not surely, as it was written.
    touched: BTreeSet<Vec<u8>>,
    out: Snapshot,
}

impl Taking<'_> {
    fn folder(&mut self, folder: &[u8], depth: usize) -> Result<(), GitError> {
        let entries = match self.root.list(folder) {
            Ok(entries) => entries,
            Err(_) if folder.is_empty() => {
                return Err(GitError::TreeGone { path: self.root.path().to_owned() });
            }
            Err(error) => return self.refuse_folder(folder, &format!("it cannot be read: {error}")),
        };
        if !folder.is_empty() && entries.iter().any(|(name, _)| name == b".git") {
            return self.refuse_folder(folder, "it is a git repository of its own");
        }
        for (name, stat) in entries {
            if folder.is_empty() && name == b".git" {
                continue;
            }
            let path = join(folder, &name);
            match stat.st_mode & 0o170_000 {
                0o040_000 => self.subfolder(&path, depth + 1)?,
                0o100_000 | 0o120_000 => self.file(&path, &stat)?,
                _ => {
                    self.touched.insert(path.clone());
                    let tracked = self.left.meet(&path).is_some();
                    if tracked || !self.is_ignored(&path)? {
                        self.refuse(&path, "it is neither a file nor a link");
                    }
                }
            }
        }
        Ok(())
    }

    fn subfolder(&mut self, path: &[u8], depth: usize) -> Result<(), GitError> {
        if self.left.meet_submodule(path) {
            if !self.root.list(path).is_ok_and(|entries| entries.is_empty()) {
                self.refuse(path, "it lies in a submodule");
            }
            return Ok(());
        }
        if !self.left.holds_below(path) {
            self.touched.insert(path.to_vec());
            if self.is_ignored(&[path, b"/"].concat())? {
                return Ok(());
            }
        }
        if depth > self.limits.depth {
            return self.refuse_folder(path, "it lies too deep");
        }
        self.folder(path, depth)
    }

    fn file(&mut self, path: &[u8], stat: &Stat) -> Result<(), GitError> {
        let before = self.left.meet(path);
        let is_untouched = before.is_some_and(|entry| entry.is_untouched(stat));
        if !is_untouched {
            self.touched.insert(path.to_vec());
        }
        if before.is_none() && self.is_ignored(path)? {
            return Ok(());
        }
        self.files += 1;
        if self.files > self.limits.files {
            return Err(GitError::TooManyFiles { path: self.root.path().to_owned(), cap: self.limits.files });
        }
        if is_untouched {
            return Ok(());
        }
        if before.is_none() {
            self.bounded(stat)?;
        }
        let read = if stat.st_mode & 0o170_000 == 0o120_000 { self.link(path, before)? } else { self.content(path)? };
        let (oid, mode, edit) = match read {
            Ok(read) => read,
            Err(why) => {
                self.refuse(path, &why);
                return Ok(());
            }
        };
        if let Some(entry) = before
            && entry.mode() == mode
            && (entry.id == from_git(oid) || self.is_raw(path, stat, entry.id)?)
        {
            return Ok(());
        }
        match std::str::from_utf8(path).map(|text| (text, why_refused(text))) {
            Err(_) => self.refuse(path, "its name is not UTF-8"),
            Ok((_, Some(why))) => self.refuse(path, why),
            Ok((text, None)) => {
                self.out.edits.insert(text.to_owned(), edit);
                self.bounded(stat)?;
                self.bytes += stat.st_size.unsigned_abs();
            }
        }
        Ok(())
    }

    /// Fails where a file, with all that was taken in, holds more than is taken in.
    fn bounded(&self, stat: &Stat) -> Result<(), GitError> {
        let size = stat.st_size.unsigned_abs();
        let (cap, path) = (self.limits.total_bytes, self.root.path());
        // One that is too large by itself is refused by its name.
        let is_within = size > self.limits.file_bytes || self.bytes.saturating_add(size) <= cap;
        if is_within { Ok(()) } else { Err(GitError::TooManyBytes { path: path.to_owned(), cap }) }
    }

    fn link(&self, path: &[u8], before: Option<Entry>) -> Result<Result<(git2::Oid, u32, Edit), String>, GitError> {
        let target = match self.root.link(path) {
            Ok(target) => target,
            Err(error) => return Ok(Err(format!("it cannot be read: {error}"))),
        };
        let oid = self.rules.blob(&target).doing(|| "store a link".to_owned())?;
        let shown = String::from_utf8_lossy(path);
        // What the base held may lead anywhere: it was there before any agent.
        let was = before.is_some_and(|entry| entry.id == from_git(oid) && entry.mode() == 0o120_000);
        if let Some(why) = why_link_refused(&shown, &target).filter(|_| !was) {
            return Ok(Err(why.to_owned()));
        }
        if !was && shown.rsplit('/').next().is_some_and(|name| name.starts_with(".git")) {
            return Ok(Err("git reads its rules from that name, and they may not be a link".to_owned()));
        }
        let target = String::from_utf8_lossy(&target).into_owned();
        Ok(Ok((oid, 0o120_000, Edit::Link { target })))
    }

    fn content(&self, path: &[u8]) -> Result<Result<(git2::Oid, u32, Edit), String>, GitError> {
        let (file, stat) = match self.root.file(path) {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(format!("it cannot be read: {error}"))),
        };
        let most = self.limits.file_bytes;
        let too_large = || format!("it is larger than {most} bytes");
        if stat.st_size as u64 > most {
            return Ok(Err(too_large()));
        }
        let doing = || format!("store `{}`", plain(&String::from_utf8_lossy(path)));
        let mut writer = self.rules.blob_writer(Some(path_of(path))).doing(doing)?;
        match io::copy(&mut file.take(most + 1), &mut writer) {
            Ok(copied) if copied > most => return Ok(Err(too_large())),
            Ok(_) => {}
            Err(error) => return Ok(Err(format!("it cannot be read: {error}"))),
        }
        let oid = writer.commit().doing(doing)?;
        let executable = stat.st_mode & 0o100 != 0;
        let mode = if executable { 0o100_755 } else { 0o100_644 };
        let size = objects::blob(&self.rules, oid)?.size() as u64;
        Ok(Ok((oid, mode, Edit::Blob { oid: from_git(oid), size, executable })))
    }

    /// Tells whether a file holds a blob's very bytes: one that was stored without its filters comes back as it was.
    fn is_raw(&self, path: &[u8], stat: &Stat, blob: Oid) -> Result<bool, GitError> {
        let Ok(blob) = self.rules.find_blob(to_git(blob)) else { return Ok(false) };
        if blob.size() as u64 != stat.st_size as u64 {
            return Ok(false);
        }
        let Ok((file, _)) = self.root.file(path) else { return Ok(false) };
        let mut content = Vec::with_capacity(blob.size());
        let read = file.take(blob.size() as u64 + 1).read_to_end(&mut content);
        Ok(read.is_ok() && content == blob.content())
    }

    fn deletions(&mut self) {
        for (path, entry) in self.left.take() {
            self.touched.insert(path.to_vec());
            if entry.mode() == GITLINK {
                self.refuse(path, "a submodule cannot be removed");
                continue;
            }
            match std::str::from_utf8(path).map(|text| (text, why_refused(text))) {
                Err(_) => self.refuse(path, "its name is not UTF-8, so it cannot be removed"),
                Ok((_, Some(why))) => self.refuse(path, why),
                Ok((text, None)) => {
                    self.out.edits.insert(text.to_owned(), Edit::Delete);
                }
            }
        }
    }

    fn is_ignored(&self, path: &[u8]) -> Result<bool, GitError> {
        self.rules.status_should_ignore(path_of(path)).doing(|| "read the ignore rules".to_owned())
    }

    fn refuse(&mut self, path: &[u8], why: &str) {
        let path = plain(&String::from_utf8_lossy(path));
        self.out.refused.push(Refused { path, why: why.to_owned() });
    }

    /// Refuses a folder, and keeps what the base held below it.
    fn refuse_folder(&mut self, path: &[u8], why: &str) -> Result<(), GitError> {
        self.refuse(path, why);
        self.left.meet_below(path);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::super::testing::{Lab, git_in};
    use super::*;

    fn why<'a>(snapshot: &'a Snapshot, path: &str) -> &'a str {
        snapshot.refused.iter().find(|one| one.path == path).map_or("", |one| one.why.as_str())
    }

    #[test]
    fn edits_are_what_differs_and_hostile_things_are_named() {
        let lab = Lab::new();
        let base = lab.on(
            lab.head(),
            &[
                ("keep", Some("k")),
                ("edit", Some("e")),
                ("gone", Some("g")),
                ("tool", Some("t")),
                ("type", Some("was a file")),
                ("src/in", Some("i")),
                (".gitignore", Some("*.log\nout/\n")),
                ("README", Some("1")),
                ("readme", Some("2")),
            ],
        );
        let tree = lab.pool(&[]).take(base).unwrap();
        let at = |path: &str| tree.path().join(path);
        fs::write(at("edit"), "E").unwrap();
        fs::remove_file(at("gone")).unwrap();
        fs::set_permissions(at("tool"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::remove_file(at("type")).unwrap();
        symlink("keep", at("type")).unwrap();
        fs::write(at("readme"), "3").unwrap();
        fs::write(at("-x"), "dash").unwrap();
        fs::write(at("a.log"), "ignored").unwrap();
        // An agent cannot hide what it does by changing the rules.
        fs::write(at(".gitignore"), "*\n").unwrap();
        fs::create_dir_all(at("out/deep/.git")).unwrap();
        fs::create_dir(at("empty")).unwrap();
        fs::create_dir_all(at("nest/.git")).unwrap();
        fs::write(at("nest/x"), "x").unwrap();
        fs::write(at("src/.git"), "gitdir: /x\n").unwrap();
        fs::write(at("src/in"), "changed").unwrap();
        symlink("/etc/passwd", at("abs")).unwrap();
        symlink("../..", at("up")).unwrap();
        symlink("keep", at(".gitattributes")).unwrap();
        fs::write(at(".GIT"), "x").unwrap();
        fs::write(tree.path().join(std::ffi::OsStr::from_bytes(b"\xff")), "x").unwrap();
        fs::write(at("bell\u{7}"), "x").unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o644),
            0,
        )
        .unwrap();
        let snapshot = tree.snapshot(Limits::default()).unwrap();
        let names: Vec<_> = snapshot.edits.keys().map(String::as_str).collect();
        assert_eq!(names, ["-x", ".gitignore", "edit", "gone", "readme", "tool", "type"]);
        assert_eq!(snapshot.edits["gone"], Edit::Delete);
        assert_eq!(snapshot.edits["type"], Edit::Link { target: "keep".to_owned() });
        assert!(matches!(snapshot.edits["tool"], Edit::Blob { executable: true, .. }));
        for path in ["nest", "src", "abs", "up", ".gitattributes", ".GIT", "\u{fffd}", "bell\u{fffd}", "pipe"] {
            assert_ne!(why(&snapshot, path), "", "{path} in {:?}", snapshot.refused);
        }
        assert_eq!(snapshot.refused.len(), 9, "{:?}", snapshot.refused);
    }

    #[test]
    fn line_endings_by_attributes_come_back_as_git_stores_them() {
        let lab = Lab::new();
        let base = lab.on(
            lab.head(),
            &[
                (".gitattributes", Some("*.bat text eol=crlf\n*.bin -text\n*.ptr filter=lfs -text\n")),
                ("a.bat", Some("one\ntwo\n")),
                ("b.bat", Some("one\n")),
                ("c.bin", Some("x\r\n")),
                ("l.ptr", Some("version https://git-lfs.github.com/spec/v1\n")),
            ],
        );
        let tree = lab.pool(&[]).take(base).unwrap();
        assert_eq!(fs::read(tree.path().join("a.bat")).unwrap(), b"one\r\ntwo\r\n");
        fs::write(tree.path().join("a.bat"), "one\r\ntwo\r\nthree\n").unwrap();
        // The same content by another hand is no change.
        fs::write(tree.path().join("b.bat"), "one\r\n").unwrap();
        fs::write(tree.path().join("c.bin"), "x\r\n").unwrap();
        let snapshot = tree.snapshot(Limits::default()).unwrap();
        assert_eq!(snapshot.edits.keys().collect::<Vec<_>>(), ["a.bat"]);
        let Edit::Blob { oid, .. } = &snapshot.edits["a.bat"] else { panic!() };
        assert_eq!(lab.repo.read(*oid).unwrap(), b"one\ntwo\nthree\n");
    }

    #[test]
    fn what_was_stored_against_its_own_attributes_is_no_change_until_it_is_edited() {
        let lab = Lab::new();
        let base =
            lab.on(lab.head(), &[(".gitattributes", Some("*.bat text eol=crlf\n")), ("a.bat", Some("1\r\n2\r\n"))]);
        let tree = lab.pool(&[]).take(base).unwrap();
        let path = tree.path().join("a.bat");
        fs::remove_file(&path).unwrap();
        fs::write(&path, "1\r\n2\r\n").unwrap();
        assert_eq!(tree.snapshot(Limits::default()).unwrap(), Snapshot::default());
        fs::write(&path, "1\r\n3\r\n").unwrap();
        assert_eq!(tree.snapshot(Limits::default()).unwrap().edits.len(), 1);
    }

    #[test]
    fn a_large_file_is_taken_in_up_to_the_limit() {
        let lab = Lab::new();
        let tree = lab.pool(&[]).take(lab.head()).unwrap();
        let file = fs::File::create(tree.path().join("big")).unwrap();
        file.set_len(100 << 20).unwrap();
        let snapshot = tree.snapshot(Limits::default()).unwrap();
        let Edit::Blob { oid, size, .. } = &snapshot.edits["big"] else { panic!() };
        assert_eq!((*size, lab.repo.size(*oid).unwrap()), (100 << 20, 100 << 20));
        file.set_len((100 << 20) + 1).unwrap();
        let snapshot = tree.snapshot(Limits::default()).unwrap();
        assert!(why(&snapshot, "big").contains("larger"), "{snapshot:?}");
        let few = Limits { files: 0, ..Limits::default() };
        assert!(matches!(tree.snapshot(few), Err(GitError::TooManyFiles { .. })));
        fs::write(tree.path().join("small"), "0123456789").unwrap();
        for (total_bytes, fits) in [(9, false), (10, true)] {
            let within = Limits { file_bytes: 1 << 20, total_bytes, ..Limits::default() };
            match tree.snapshot(within) {
                Ok(snapshot) => assert!(fits && snapshot.edits.contains_key("small"), "{snapshot:?}"),
                Err(error) => assert!(!fits && matches!(error, GitError::TooManyBytes { cap: 9, .. }), "{error}"),
            }
        }
    }

    #[test]
    fn a_change_that_keeps_size_and_time_is_seen() {
        let lab = Lab::new();
        let base = lab.on(lab.head(), &[("a", Some("one"))]);
        let tree = lab.pool(&[]).take(base).unwrap();
        let path = tree.path().join("a");
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, "two").unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
        assert_eq!(tree.snapshot(Limits::default()).unwrap().edits.len(), 1);
    }

    #[test]
    fn a_tree_that_is_gone_or_replaced_is_an_error() {
        let lab = Lab::new();
        let pool = lab.pool(&[]);
        let tree = pool.take(lab.head()).unwrap();
        fs::remove_dir_all(tree.path()).unwrap();
        assert!(matches!(tree.snapshot(Limits::default()), Err(GitError::TreeGone { .. })));
        symlink("/etc", tree.path()).unwrap();
        assert!(matches!(tree.snapshot(Limits::default()), Err(GitError::TreeGone { .. })));
        pool.give_back(tree);
        assert!(pool.take(lab.head()).is_ok());
    }

    #[test]
    fn a_submodule_stays_what_it_is() {
        let lab = Lab::new();
        let head = lab.head().to_string();
        lab.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},sub")]);
        lab.git(&["commit", "-qm", "sub"]);
        let tree = lab.pool(&[]).take(lab.head()).unwrap();
        assert_eq!(git_in(tree.path(), &["status", "--porcelain"]), "");
        assert_eq!(tree.snapshot(Limits::default()).unwrap(), Snapshot::default());
        fs::write(tree.path().join("sub/x"), "x").unwrap();
        fs::write(tree.path().join("y"), "y").unwrap();
        let snapshot = tree.snapshot(Limits::default()).unwrap();
        assert_eq!(snapshot.edits.keys().collect::<Vec<_>>(), ["y"]);
        assert!(why(&snapshot, "sub").contains("submodule"));
        fs::remove_dir_all(tree.path().join("sub")).unwrap();
        let snapshot = tree.snapshot(Limits::default()).unwrap();
        assert_eq!(snapshot.edits.keys().collect::<Vec<_>>(), ["y"]);
    }
}
