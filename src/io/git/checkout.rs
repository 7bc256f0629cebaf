//! Owns writing a commit's files into a pooled worktree. Never reads the tree's `.git`, nor what an agent wrote.

use std::collections::BTreeMap;
use std::path::Path;

use git2::build::CheckoutBuilder;

use super::error::{Doing, GitError, OnFile};
use super::objects::{self, FOLDER};
use super::record::{Entry, Record};
use super::repo::{Repo, from_git, to_git};
use super::rules;
use super::walk::Root;
use crate::model::ids::Oid;

/// How many files are worth a thread.
const FILES_A_THREAD: usize = 1_000;

/// A path that is to be written: its object and mode.
type Wanted = (Box<[u8]>, git2::Oid, u32);

/// Writes all files of a commit into an empty tree, and gives the record of it.
pub(super) fn write_all(repo: &Repo, rules: &Path, commit: Oid, root: &Root) -> Result<Record, GitError> {
    let (tree, _) = repo.commit_of(commit)?;
    let mut wanted = Vec::new();
    repo.with(|handle| list(handle, to_git(tree), &mut Vec::new(), &mut wanted))?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(wanted.len() / FILES_A_THREAD).max(1);
    let write = |share: &[Wanted]| write_raw(&rules::scratch_handle(repo, rules)?, root, share);
    let mut all = Written::default();
    std::thread::scope(|scope| {
        let shares = wanted.chunks(wanted.len().div_ceil(threads).max(1));
        let writing: Vec<_> = shares.map(|share| scope.spawn(|| write(share))).collect();
        for share in writing {
            let Written { entries, others } = share.join().unwrap_or_else(|why| std::panic::resume_unwind(why))?;
            all.entries.extend(entries);
            all.others.extend(others);
        }
        Ok::<_, GitError>(())
    })?;
    check_out(&rules::scratch_handle(repo, rules)?, commit, root, &mut all)?;
    Ok(Record::of(all.entries))
}

/// Lists what a tree holds.
fn list(
    handle: &git2::Repository,
    tree: git2::Oid,
    prefix: &mut Vec<u8>,
    into: &mut Vec<Wanted>,
) -> Result<(), GitError> {
    for entry in &objects::find_tree(handle, tree)? {
        let kept = prefix.len();
        prefix.extend_from_slice(entry.name_bytes());
        if entry.filemode_raw().unsigned_abs() == FOLDER {
            prefix.push(b'/');
            list(handle, entry.id(), prefix, into)?;
        } else {
            into.push((prefix.as_slice().into(), entry.id(), entry.filemode().unsigned_abs()));
        }
        prefix.truncate(kept);
    }
    Ok(())
}

/// Writes the files of a commit at these paths, and records them; what was at them must be gone.
pub(super) fn write_some(
    rules: &git2::Repository,
    commit: Oid,
    root: &Root,
    paths: &[Vec<u8>],
    record: &mut Record,
) -> Result<(), GitError> {
    let tree = objects::commit(rules, commit)?.tree_id();
    let mut wanted = Vec::new();
    for path in paths {
        // Where a folder is now, its files are paths of their own.
        if let Some((id, mode)) = objects::entry(rules, tree, path)?.filter(|(_, mode)| *mode != FOLDER) {
            wanted.push((path.as_slice().into(), id, mode));
        }
    }
    let mut written = write_raw(rules, root, &wanted)?;
    check_out(rules, commit, root, &mut written)?;
    let mut changes: BTreeMap<_, _> = paths.iter().map(|path| (path.as_slice().into(), None)).collect();
    changes.extend(written.entries.into_iter().map(|(path, entry)| (path, Some(entry))));
    record.change(changes);
    Ok(())
}

/// Tells what was written, and what is left for libgit2's checkout.
#[derive(Default)]
struct Written {
    entries: Vec<(Box<[u8]>, Entry)>,
    others: Vec<Wanted>,
}

/// Writes files whose bytes no attribute changes as they are.
fn write_raw(rules: &git2::Repository, root: &Root, wanted: &[Wanted]) -> Result<Written, GitError> {
    let is_plain_text = !converts_everywhere(rules)?;
    // To ask for each file costs more than to write it.
    let is_plain_all = !rules::mention_conversion(rules)?;
    let mut written = Written::default();
    for one @ (path, id, mode) in wanted {
        if matches!(mode, 0o100_644 | 0o100_755)
            && is_plain_text
            && (is_plain_all || !is_converted(rules, path_of(path))?)
        {
            let content = objects::blob(rules, *id)?;
            let stat = root.create(path, *mode, content.content()).on("write", path_of(path))?;
            written.entries.push((path.clone(), Entry::new(from_git(*id), *mode, &stat)));
        } else {
            written.others.push(one.clone());
        }
    }
    Ok(written)
}

/// Has libgit2 write what is left: it looks at the whole tree for that.
fn check_out(rules: &git2::Repository, commit: Oid, root: &Root, written: &mut Written) -> Result<(), GitError> {
    if written.others.is_empty() {
        return Ok(());
    }
    let mut how = CheckoutBuilder::new();
    how.disable_pathspec_match(true).force().recreate_missing(true).refresh(false).update_index(false);
    how.target_dir(root.path());
    for (path, ..) in &written.others {
        how.path(&**path);
    }
    let doing = || format!("write the files of {commit} into `{}`", root.path().display());
    let object = rules.find_object(to_git(commit), None).doing(doing)?;
    rules.checkout_tree(&object, Some(&mut how)).doing(doing)?;
    for (path, id, mode) in written.others.drain(..) {
        let stat = root.stat(&path).and_then(|found| found.ok_or_else(|| std::io::ErrorKind::NotFound.into()));
        let entry = Entry::new(from_git(id), mode, &stat.on("find", path_of(&path))?);
        written.entries.push((path, entry));
    }
    Ok(())
}

/// Tells whether the configuration has line ends converted where no attribute says how.
fn converts_everywhere(rules: &git2::Repository) -> Result<bool, GitError> {
    let doing = || "read git's configuration".to_owned();
    let config = rules.config().and_then(|mut config| config.snapshot()).doing(doing)?;
    if config.get_str("core.eol").is_ok_and(|eol| !eol.eq_ignore_ascii_case("lf")) {
        return Ok(true);
    }
    if config.get_str("core.autocrlf").is_ok_and(|word| word.eq_ignore_ascii_case("input")) {
        return Ok(false);
    }
    match config.get_bool("core.autocrlf") {
        Ok(converts) => Ok(converts),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(false),
        // Whatever else a later git understands.
        Err(_) => Ok(true),
    }
}

/// Tells whether some attribute has a word in what a file's bytes become: whether it is text has none where line ends
/// are what they are in the repository.
fn is_converted(rules: &git2::Repository, path: &Path) -> Result<bool, GitError> {
    for (name, harmless) in [("eol", &b"lf"[..]), ("ident", b"")] {
        let value = rules.get_attr_bytes(path, name, git2::AttrCheckFlags::FILE_THEN_INDEX);
        let value = value.doing(|| format!("read the attributes of `{}`", path.display()))?;
        if value.is_some_and(|value| value != harmless) {
            return Ok(true);
        }
    }
    Ok(false)
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
        let rules = (".gitattributes", Some("* text=auto\n*.bat text eol=crlf\n"));
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
