//! Owns looking over a repository before a run: what in it needs care. Never changes or refuses anything.

use std::collections::BTreeMap;
use std::time::SystemTime;

use git2::StatusOptions;

use super::error::{Doing, GitError};
use super::locks::Lock;
use super::objects;
use super::repo::{Repo, to_git};
use crate::model::ids::Oid;

/// How many names of each kind are told.
const NAMES: usize = 20;
/// From this size on, in bytes, a file is named as large.
const LARGE: u64 = 50 << 20;

/// Counts things, and names the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// How many there are.
    pub count: usize,
    /// The first twenty.
    pub names: Vec<String>,
}

impl Named {
    fn add(&mut self, name: impl Into<String>) {
        self.count += 1;
        if self.names.len() < NAMES {
            self.names.push(name.into());
        }
    }
}

/// Lists what in a repository needs care.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// How many files and links the commit holds.
    pub files: usize,
    /// Submodules: their content is not in worktrees.
    pub submodules: Named,
    /// LFS pointers: they stay pointers in worktrees.
    pub lfs: Named,
    /// Names that are not UTF-8: they are kept and cannot be edited.
    pub not_utf8: Named,
    /// Names that differ only in case.
    pub case_only: Named,
    /// Symbolic links that lead out of the repository.
    pub escaping_links: Named,
    /// Files over 50 MiB.
    pub large: Named,
    /// `.gitattributes` files that set line endings.
    pub eol_attributes: Named,
    /// Files whose content is not there, because a partial clone did not fetch it.
    pub missing: Named,
    /// Whether history is cut off.
    pub shallow: bool,
    /// Whether objects are fetched when they are needed.
    pub partial: bool,
    /// Whether tracked files of the user's checkout differ from HEAD.
    pub dirty: bool,
    /// Left-over lock files.
    pub locks: Vec<Lock>,
}

impl Repo {
    /// Looks over a commit and the repository around it.
    ///
    /// # Errors
    /// Fails where objects cannot be read.
    pub fn survey(&self, commit: Oid, now: SystemTime) -> Result<Survey, GitError> {
        let (tree, _) = self.commit_of(commit)?;
        let listed = self.files(tree)?;
        let mut survey = Survey { files: listed.files.len(), locks: self.locks(now), ..Survey::default() };
        listed.submodules.iter().for_each(|path| survey.submodules.add(path));
        listed.not_utf8.iter().for_each(|file| survey.not_utf8.add(String::from_utf8_lossy(&file.path)));
        let mut folded: BTreeMap<String, &str> = BTreeMap::new();
        for file in &listed.files {
            if let Some(first) = folded.insert(file.path.to_lowercase(), &file.path) {
                survey.case_only.add(format!("{first} {}", file.path));
            }
        }
        self.with(|handle| {
            survey.shallow = handle.is_shallow();
            survey.partial = is_partial(handle);
            let odb = handle.odb().doing(|| "open the object database".to_owned())?;
            for file in &listed.files {
                let Ok((size, _)) = odb.read_header(to_git(file.oid)) else {
                    survey.missing.add(&file.path);
                    continue;
                };
                look_at(handle, file, size as u64, &mut survey)?;
            }
            Ok(())
        })?;
        survey.dirty = !self.is_bare() && self.is_dirty()?;
        Ok(survey)
    }

    /// Tells whether tracked files of the user's checkout differ from HEAD; writes nothing.
    ///
    /// # Errors
    /// Fails where the index cannot be read.
    pub fn is_dirty(&self) -> Result<bool, GitError> {
        let handle = self.open_users()?;
        let mut options = StatusOptions::new();
        options.include_untracked(false).exclude_submodules(true).update_index(false);
        let found = handle.statuses(Some(&mut options)).doing(|| "compare the checkout with HEAD".to_owned())?;
        Ok(!found.is_empty())
    }
}

fn look_at(
    handle: &git2::Repository,
    file: &objects::FileEntry,
    size: u64,
    survey: &mut Survey,
) -> Result<(), GitError> {
    if size > LARGE {
        survey.large.add(&file.path);
    }
    let content = |oid: Oid| objects::blob(handle, to_git(oid)).map(|blob| blob.content().to_vec());
    if file.mode == 0o120_000 && size < 4096 {
        let target = content(file.oid)?;
        if super::walk::why_link_refused(&file.path, &target).is_some() {
            survey.escaping_links.add(&file.path);
        }
    } else if file.path == ".gitattributes" || file.path.ends_with("/.gitattributes") {
        let text = content(file.oid)?;
        let text = String::from_utf8_lossy(&text);
        if text.lines().any(|line| {
            line.split_whitespace().skip(1).any(|a| a.starts_with("eol=") || a == "text" || a.starts_with("text="))
        }) {
            survey.eol_attributes.add(&file.path);
        }
    } else if (110..400).contains(&size)
        && content(file.oid)?.starts_with(b"version https://git-lfs.github.com/spec/v1")
    {
        survey.lfs.add(&file.path);
    }
    Ok(())
}

fn is_partial(handle: &git2::Repository) -> bool {
    let Ok(config) = handle.config() else { return false };
    let promisor = config.entries(Some("remote.*.promisor")).ok().is_some_and(|mut all| all.next().is_some());
    promisor || config.get_string("extensions.partialclone").is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    use super::super::testing::Lab;
    use super::*;

    #[test]
    fn what_needs_care_is_counted_and_named() {
        let lab = Lab::new();
        let at = |path: &str| lab.path().join(path);
        std::fs::write(at(".gitattributes"), "*.bat text eol=crlf\n").unwrap();
        let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{:064}\nsize 12\n", 1);
        std::fs::write(at("art.psd"), pointer).unwrap();
        std::fs::write(at("README"), "a").unwrap();
        std::fs::write(at("readme"), "b").unwrap();
        std::fs::write(lab.path().join(std::ffi::OsStr::from_bytes(b"\xff")), "x").unwrap();
        symlink("../../etc", at("up")).unwrap();
        symlink("README", at("fine")).unwrap();
        std::fs::File::create(at("big")).unwrap().set_len((50 << 20) + 1).unwrap();
        lab.git(&["add", "-A"]);
        let head = lab.head().to_string();
        lab.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},sub")]);
        lab.git(&["commit", "-qm", "all"]);
        std::fs::write(at(".git/index.lock"), "").unwrap();
        std::fs::write(at("README"), "changed").unwrap();
        let survey = lab.repo.survey(lab.head(), SystemTime::now()).unwrap();
        let one = |name: &str| Named { count: 1, names: vec![name.to_owned()] };
        assert_eq!(survey.submodules, one("sub"));
        assert_eq!(survey.lfs, one("art.psd"));
        assert_eq!(survey.case_only, one("README readme"));
        assert_eq!(survey.not_utf8, one("\u{fffd}"));
        assert_eq!(survey.escaping_links, one("up"));
        assert_eq!(survey.large, one("big"));
        assert_eq!(survey.eol_attributes, one(".gitattributes"));
        assert_eq!(survey.locks.len(), 1);
        assert!(survey.dirty && !survey.shallow && !survey.partial);
        assert_eq!(survey.files, 7);
    }

    #[test]
    fn a_shallow_clone_is_told_and_merges_still() {
        let lab = Lab::new();
        let first = lab.on(lab.head(), &[("a", Some("1\n2\n3\n4\n5\n"))]);
        lab.git(&["update-ref", "refs/heads/main", &first.to_string()]);
        let place = lab.dir.path().join("shallow");
        let from = format!("file://{}", lab.path().display());
        lab.git(&["clone", "-q", "--depth=1", &from, place.to_str().unwrap()]);
        let repo = Repo::discover(&place).unwrap();
        let head = repo.base(None).unwrap().commit;
        assert!(repo.survey(head, SystemTime::now()).unwrap().shallow);
        let side = |text: &str| {
            let edit = super::super::Edit::Write { bytes: text.as_bytes().to_vec(), executable: false };
            let edits = [("a".to_owned(), edit)].into();
            repo.commit_edits(head, &edits, "m", &super::super::testing::author(), 1).unwrap().commit
        };
        let (one, two) = (side("one\n2\n3\n4\n5\n"), side("1\n2\n3\n4\nfive\n"));
        let merged = repo.merge(one, &super::super::testing::member(two, head)).unwrap();
        let super::super::Merge::Clean { tree, .. } = merged else { panic!() };
        assert_eq!(repo.read_path(tree, "a").unwrap().unwrap(), b"one\n2\n3\n4\nfive\n");
    }
}
