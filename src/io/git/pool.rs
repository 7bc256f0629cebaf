//! Owns the pool of worktrees: made on first use, given out one holder at a time, recycled at a cost that follows the
//! change. Never runs the git program, and never trusts anything that an agent could write.
//!
//! A pool's folder has one owner process at a time; what a dead one left is swept. In it, `<id>` is a tree,
//! `<id>.rules` the commit's own ignore and attribute files, `<id>.git` and `<id>.link` the git that a job in a sandbox
//! finds there.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::admin;
use super::checkout;
use super::clean::{Cleaned, Warm, clean, clean_at};
use super::diff::raw_diff;
use super::error::{GitError, OnFile};
use super::record::{GITLINK, Record};
use super::repo::{Repo, to_git};
use super::rules;
use super::walk::{Root, remove_any};
use crate::model::ids::Oid;

/// How often a tree is made anew where another process is in the way.
const TRIES: u32 = 3;

/// The shortest wait for a tree to come back.
const WAIT_LEAST: Duration = Duration::from_millis(1);

/// Holds a worktree; whoever holds it is its only user.
#[derive(Debug)]
pub struct Tree {
    id: String,
    path: PathBuf,
    commit: Oid,
    is_set_up: bool,
    /// Where the last snapshot found the files not as they were written.
    pub(super) touched: Mutex<Option<BTreeSet<Vec<u8>>>>,
    /// What was written into it.
    pub(super) record: Record,
    pub(super) rules: PathBuf,
    pub(super) repo: Repo,
}

impl Tree {
    /// Shows the tree's folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Shows the commit that the tree was made from.
    pub fn commit(&self) -> Oid {
        self.commit
    }

    /// Shows the tree's name in the pool.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Shows the git side of the tree, in the common git directory.
    pub fn git_dir(&self) -> PathBuf {
        admin::place(self.repo.identity(), &self.id)
    }

    /// Tells whether the tree's folder is there: agents and people can remove it.
    pub fn is_there(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|meta| meta.is_dir())
    }

    /// Tells whether the repository's set-up has run in the tree, and nothing that git ignores was removed since.
    pub fn is_set_up(&self) -> bool {
        self.is_set_up
    }

    /// Notes that the repository's set-up has run in the tree.
    pub fn note_set_up(&mut self) {
        self.is_set_up = true;
    }
}

/// Holds worktrees for reuse.
pub struct Pool {
    repo: Repo,
    dir: PathBuf,
    warm: Warm,
    state: Mutex<State>,
    /// Told whenever a tree has come back, or will not.
    returned: Condvar,
    /// Whose turn it is to write a whole tree: one at a time is as fast as the disk allows, and leaves the processors to
    /// those who have a tree.
    filling: Mutex<()>,
    _owned: File,
}

#[derive(Default)]
struct State {
    idle: Vec<Tree>,
    lent: BTreeSet<String>,
    /// How long it took to write the last whole tree; none before the first.
    cost: Option<Duration>,
    /// How long all together have waited for trees to come back since a whole one was last begun.
    waited: Duration,
    waiting: u32,
}

impl State {
    /// Lends an idle tree, one of that commit before others.
    fn lend(&mut self, commit: Oid) -> Option<Tree> {
        let same = self.idle.iter().position(|tree| tree.commit == commit);
        let tree = match same {
            Some(at) => self.idle.swap_remove(at),
            None => self.idle.pop()?,
        };
        self.lent.insert(tree.id.clone());
        Some(tree)
    }
}

impl Pool {
    /// Opens the pool of a repository in a folder of ours; `warm` names ignored files and folders that stay.
    ///
    /// # Errors
    /// `PoolBusy` while another process has it open.
    pub fn open(repo: &Repo, dir: PathBuf, warm: &[String]) -> Result<Self, GitError> {
        fs::create_dir_all(&dir).on("make the folder", &dir)?;
        let dir = dir.canonicalize().on("find", &dir)?;
        let lock = dir.join("lock");
        let owned = File::options().create(true).truncate(false).write(true).open(&lock).on("open", &lock)?;
        rustix::fs::flock(&owned, rustix::fs::FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| GitError::PoolBusy { path: dir.clone() })?;
        Ok(Self {
            repo: repo.clone(),
            dir,
            warm: Warm::new(warm),
            state: Mutex::default(),
            returned: Condvar::new(),
            filling: Mutex::default(),
            _owned: owned,
        })
    }

    /// Takes a tree that holds exactly the files of a commit, besides what is kept warm.
    ///
    /// Where all trees are lent, one is waited for as long as a new one would take to write, all who wait taken together,
    /// and then a new one is written: so that no more is spent than twice what the best choice would have cost
    /// ([ski rental](https://en.wikipedia.org/wiki/Ski_rental_problem)).
    ///
    /// # Errors
    /// Fails where the commit is missing or files cannot be written.
    pub fn take(&self, commit: Oid) -> Result<Tree, GitError> {
        let (mut tried, mut is_unfit) = (0, false);
        loop {
            let is_cost_known = self.state().cost.is_some();
            if !is_unfit && let Some(mut tree) = self.await_returned(commit) {
                if let Ok(true) = self.recycle(&mut tree, commit) {
                    return Ok(tree);
                }
                // Whatever an agent did to it, a new tree is always as good; what cannot be removed is left for `sweep`.
                // The next would be as unfit for that commit.
                let _ = self.discard(tree);
                is_unfit = true;
            }
            let _turn = self.filling.lock().unwrap_or_else(PoisonError::into_inner);
            let has_changed = {
                let state = self.state();
                !state.idle.is_empty() || state.cost.is_some() != is_cost_known
            };
            if has_changed && !is_unfit {
                continue;
            }
            tried += 1;
            match self.make(commit) {
                Err(GitError::Io { .. }) if tried < TRIES => {}
                done => return done,
            }
        }
    }

    /// Lends an idle tree, where one is there or comes back before a new one would be the better choice.
    fn await_returned(&self, commit: Oid) -> Option<Tree> {
        let mut state = self.state();
        loop {
            if let Some(tree) = state.lend(commit) {
                return Some(tree);
            }
            let left = state.cost?.saturating_sub(state.waited);
            if left.is_zero() || state.lent.is_empty() {
                state.waited = Duration::ZERO;
                return None;
            }
            state.waiting += 1;
            let (share, began) = (left / state.waiting, Instant::now());
            (state, _) =
                self.returned.wait_timeout(state, share.max(WAIT_LEAST)).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
            state.waited += began.elapsed();
        }
    }

    /// Takes a tree back for reuse, as it is: it is looked through and cleaned when it is taken again.
    pub fn give_back(&self, mut tree: Tree) {
        *tree.touched.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        self.give_back_as_read(tree);
    }

    /// Takes a tree back that nobody has written in since its last snapshot: only what that found is cleaned.
    pub fn give_back_as_read(&self, tree: Tree) {
        let mut state = self.state();
        state.lent.remove(&tree.id);
        state.idle.push(tree);
        self.returned.notify_one();
    }

    /// Removes a tree: it is renamed away at once, and deleted then.
    ///
    /// # Errors
    /// Fails where its git side cannot be removed; what remains of its files is left for `sweep`.
    pub fn discard(&self, tree: Tree) -> Result<(), GitError> {
        let removed = self.remove(&tree.id);
        self.state().lent.remove(&tree.id);
        self.returned.notify_all();
        removed
    }

    /// Removes what a dead process left: trees that nobody holds, and git sides without a tree. Gives their number.
    ///
    /// # Errors
    /// Fails where the pool's folder cannot be listed.
    pub fn sweep(&self) -> Result<usize, GitError> {
        let used: BTreeSet<String> = {
            let state = self.state();
            state.lent.iter().cloned().chain(state.idle.iter().map(|tree| tree.id.clone())).collect()
        };
        let (mut found, mut nameless) = (BTreeSet::new(), 0);
        for entry in fs::read_dir(&self.dir).on("list", &self.dir)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            match name.split('.').next() {
                // What a removal had in hand has no tree's name any more; the pool itself must not be taken for it.
                None | Some("") => {
                    remove_any(&entry.path()).on("remove", &entry.path())?;
                    nameless += 1;
                }
                Some("lock") => {}
                Some(id) => drop(found.insert(id.to_owned())),
            }
        }
        for (id, tree) in admin::ours(self.repo.identity()) {
            let mine = tree.as_ref().is_some_and(|tree| tree.parent() == Some(&self.dir));
            // One that points nowhere may be another process's, half made: only where a tree is named is it judged.
            if mine || tree.is_some_and(|tree| !tree.is_dir()) {
                found.insert(id);
            }
        }
        let leftovers: Vec<_> = found.difference(&used).collect();
        for id in &leftovers {
            self.remove(id)?;
        }
        Ok(leftovers.len() + nameless)
    }

    /// Removes every tree that is not lent.
    ///
    /// # Errors
    /// As [`Pool::discard`], after all were tried.
    pub fn clear(&self) -> Result<(), GitError> {
        let idle = std::mem::take(&mut self.state().idle);
        let removed: Vec<_> = idle.into_iter().map(|tree| self.discard(tree)).collect();
        removed.into_iter().collect()
    }

    /// Sweeps the pool for good: its folder goes too, where nothing else is in it. Only where nobody else opens it.
    ///
    /// # Errors
    /// As [`Pool::sweep`], and where the folder cannot be removed.
    pub fn close(self) -> Result<(), GitError> {
        self.sweep()?;
        let lock = self.dir.join("lock");
        fs::remove_file(&lock).on("remove", &lock)?;
        match fs::remove_dir(&self.dir) {
            // What is not ours stays.
            Err(error) if error.kind() != std::io::ErrorKind::DirectoryNotEmpty => Err(error).on("remove", &self.dir),
            _ => Ok(()),
        }
    }

    /// Tells whether there is a tree that nobody uses.
    pub fn has_idle(&self) -> bool {
        !self.state().idle.is_empty()
    }

    /// Counts the trees, lent and idle.
    pub fn len(&self) -> usize {
        let state = self.state();
        state.idle.len() + state.lent.len()
    }

    /// Tells whether there is no tree.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes a whole tree, in the turn of whoever asks.
    fn make(&self, commit: Oid) -> Result<Tree, GitError> {
        let id = format!("{:016x}", fastrand::u64(..));
        self.state().lent.insert(id.clone());
        let at = |end: &str| self.dir.join(format!("{id}{end}"));
        let mut tree = Tree {
            path: at(""),
            rules: at(".rules"),
            commit,
            is_set_up: false,
            touched: Mutex::default(),
            record: Record::default(),
            repo: self.repo.clone(),
            id: id.clone(),
        };
        let began = Instant::now();
        match self.fill(&mut tree) {
            Ok(()) => {
                self.state().cost = Some(began.elapsed());
                Ok(tree)
            }
            Err(error) => {
                // The first failure is the one that tells why.
                let _ = self.discard(tree);
                Err(error)
            }
        }
    }

    fn fill(&self, tree: &mut Tree) -> Result<(), GitError> {
        let (files, _) = self.repo.commit_of(tree.commit)?;
        fs::create_dir(&tree.path).on("make the folder", &tree.path)?;
        rules::write(&self.repo, files, &tree.rules)?;
        tree.record = checkout::write_all(&self.repo, &tree.rules, tree.commit, &Root::open(&tree.path)?)?;
        self.connect(tree)
    }

    /// Makes a tree that was used hold a commit; `false` where a new one is needed.
    fn recycle(&self, tree: &mut Tree, commit: Oid) -> Result<bool, GitError> {
        let (old, _) = self.repo.commit_of(tree.commit)?;
        let (new, _) = self.repo.commit_of(commit)?;
        let changes = self.repo.with(|handle| raw_diff(handle, to_git(old), to_git(new)))?;
        let gitlink = |side: Option<(git2::Oid, u32)>| side.is_some_and(|(_, mode)| mode == GITLINK);
        if changes.iter().any(|one| rules::is_attributes(&one.path) || gitlink(one.old) != gitlink(one.new)) {
            return Ok(false);
        }
        if changes.iter().any(|change| rules::is_rule(&change.path)) {
            rules::write(&self.repo, new, &tree.rules)?;
        }
        let handle = rules::scratch_handle(&self.repo, &tree.rules)?;
        let root = Root::open(&tree.path)?;
        let touched = tree.touched.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Cleaned { dirty, lost_ignored } = match touched {
            Some(touched) => clean_at(&root, &tree.record, &handle, &self.warm, &touched)?,
            None => clean(&root, &tree.record, &handle, &self.warm)?,
        };
        tree.is_set_up &= !lost_ignored;
        let mut paths: BTreeSet<Vec<u8>> = dirty.into_iter().collect();
        // Until the record tells of the new commit, the tree must be made anew whatever happens.
        tree.commit = commit;
        for change in changes {
            self.make_room(&root, &change.path)?;
            paths.insert(change.path);
        }
        let paths: Vec<_> = paths.into_iter().collect();
        checkout::write_some(&handle, commit, &root, &paths, &mut tree.record)?;
        remove_empty_folders(&root, &paths)?;
        self.connect(tree)?;
        Ok(true)
    }

    /// Removes what stands at a path, and any file that stands where one of its folders must be.
    fn make_room(&self, root: &Root, path: &[u8]) -> Result<(), GitError> {
        match root.remove(path) {
            Err(error) if !matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
                Err(error).on("remove", checkout::path_of(path))
            }
            _ => Ok(()),
        }
    }

    /// Makes a tree a linked worktree, as git knows it.
    fn connect(&self, tree: &mut Tree) -> Result<(), GitError> {
        let common = self.repo.identity();
        admin::write(common, &tree.id, &tree.path, tree.commit)?;
        let place = admin::index(common, &tree.id);
        if !tree.record.rewrite(&place).on("write", &place)? {
            let beside = place.with_extension("artel-new");
            remove_any(&beside).on("remove", &beside)?;
            tree.record.write(&beside).on("write", &beside)?;
            fs::rename(&beside, &place).on("write", &place)?;
        }
        admin::write_link(common, &tree.id, &tree.path)
    }

    fn remove(&self, id: &str) -> Result<(), GitError> {
        let tree = self.dir.join(id);
        let away = self.dir.join(format!("{id}.trash"));
        let first = if fs::rename(&tree, &away).is_ok() { &away } else { &tree };
        admin::remove(self.repo.identity(), id)?;
        remove_any(first).on("remove", first)?;
        for end in ["trash", "rules", "git", "link"] {
            let path = self.dir.join(format!("{id}.{end}"));
            remove_any(&path).on("remove", &path)?;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes the folders above paths that are empty after these were rewritten.
fn remove_empty_folders(root: &Root, paths: &[Vec<u8>]) -> Result<(), GitError> {
    let mut folders: BTreeSet<Vec<u8>> = BTreeSet::new();
    for path in paths {
        folders.extend(path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| path[..at].to_vec()));
    }
    for folder in folders.iter().rev() {
        root.remove_if_empty(folder).on("remove", checkout::path_of(folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;

    use super::super::testing::{Lab, git_in};
    use super::super::{Edit, Limits};
    use super::*;

    /// Describes all files below a folder: path, executable or link, content.
    fn shape(dir: &Path) -> BTreeMap<String, (char, Vec<u8>)> {
        fn walk(root: &Path, dir: &Path, into: &mut BTreeMap<String, (char, Vec<u8>)>) {
            for entry in fs::read_dir(dir).unwrap().flatten() {
                let path = entry.path();
                let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                let meta = fs::symlink_metadata(&path).unwrap();
                if name == ".git" {
                } else if meta.is_dir() {
                    into.insert(name, ('d', Vec::new()));
                    walk(root, &path, into);
                } else if meta.is_symlink() {
                    into.insert(name, ('l', fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()));
                } else {
                    let kind = if meta.permissions().mode() & 0o100 != 0 { 'x' } else { 'f' };
                    into.insert(name, (kind, fs::read(&path).unwrap()));
                }
            }
        }
        let mut found = BTreeMap::new();
        walk(dir, dir, &mut found);
        found
    }

    fn scribble(chance: &mut fastrand::Rng, tree: &Path) {
        let all: Vec<_> = shape(tree).into_keys().collect();
        for _ in 0..chance.usize(..6) {
            let path = tree.join(chance.choice(&all).map_or("x", String::as_str));
            match chance.u8(..8) {
                0 => drop(fs::write(&path, format!("scribbled {}", chance.u8(..)))),
                1 => drop(remove_any(&path)),
                2 => {
                    drop(remove_any(&path));
                    drop(fs::create_dir_all(path.join("deep/er")));
                    drop(fs::write(path.join("deep/er/x"), "x"));
                }
                3 => {
                    drop(remove_any(&path));
                    drop(std::os::unix::fs::symlink("/etc", &path));
                }
                4 => drop(fs::set_permissions(&path, fs::Permissions::from_mode(0o755))),
                5 => drop(fs::write(tree.join(format!("new{}", chance.u8(..3))), "n")),
                6 => {
                    drop(fs::create_dir_all(tree.join("build/out")));
                    drop(fs::write(tree.join("build/out/o"), "cache"));
                }
                _ => drop(fs::write(tree.join("junk.o"), "o")),
            }
        }
    }

    #[test]
    fn a_recycled_tree_is_what_a_fresh_one_is() {
        let lab = Lab::new();
        let pool = lab.pool(&[]);
        let mut chance = fastrand::Rng::with_seed(11);
        let mut commits = vec![lab.on(
            lab.head(),
            &[
                ("a", Some("a\n")),
                ("d/b", Some("b\n")),
                ("d/e/c", Some("c\n")),
                (".gitignore", Some("*.o\nbuild/\n")),
                ("-dash", Some("-\n")),
                ("README", Some("upper\n")),
                ("readme", Some("lower\n")),
                (".gitattributes", Some("*.bat text eol=crlf\n")),
                ("run.bat", Some("echo\n")),
            ],
        )];
        for round in 0..12 {
            let base = commits[chance.usize(..commits.len())];
            let text = format!("{round}\n");
            let next = match chance.u8(..5) {
                0 => lab.on(base, &[("a", None), ("a/in", Some(&text)), ("a/in2", Some(&text))]),
                1 => lab.on(base, &[("d/b", Some(&text)), ("n/m", Some(&text))]),
                2 => lab.on(base, &[("d/b", None), ("d/e/c", None), ("d", Some(&text))]),
                3 => lab.on(base, &[("run.bat", Some(&format!("echo {round}\necho\n")))]),
                _ => lab.on(base, &[(".gitignore", Some("*.o\n")), ("README", Some(&text))]),
            };
            commits.push(next);
        }
        let mut recycled = 0;
        for round in 0..60 {
            let commit = commits[chance.usize(..commits.len())];
            let tree = pool.take(commit).unwrap();
            let id = tree.id().to_owned();
            let fresh = pool.make(commit).unwrap();
            assert_eq!(shape(tree.path()), shape(fresh.path()), "round {round}");
            assert_eq!(tree.snapshot(Limits::default()).unwrap(), crate::io::git::Snapshot::default());
            // Opening it proves its sum.
            let told = git2::Index::open(&tree.git_dir().join("index")).unwrap();
            let files = shape(tree.path()).into_values().filter(|(kind, _)| *kind != 'd');
            assert_eq!(told.len(), files.count());
            if round % 6 == 0 {
                assert_eq!(git_in(tree.path(), &["status", "--porcelain", "--ignored"]), "");
                assert_eq!(git_in(tree.path(), &["rev-parse", "HEAD"]), commit.to_string());
            }
            pool.discard(fresh).unwrap();
            scribble(&mut chance, tree.path());
            if round % 2 == 0 {
                tree.snapshot(Limits::default()).unwrap();
                pool.give_back_as_read(tree);
            } else {
                pool.give_back(tree);
            }
            let again = pool.take(commit).unwrap();
            recycled += usize::from(again.id() == id);
            pool.give_back(again);
        }
        assert!(recycled > 50, "{recycled}: recycling is the rule, a new tree the exception");
    }

    #[test]
    fn what_is_ignored_and_warm_stays_and_nothing_else() {
        let lab = Lab::new();
        let base = lab.on(lab.head(), &[(".gitignore", Some("target/\n*.o\n")), ("a", Some("a"))]);
        let next = lab.on(base, &[("a", Some("b"))]);
        let pool = lab.pool(&["target/"]);
        let tree = pool.take(base).unwrap();
        fs::create_dir_all(tree.path().join("sub/target/deep")).unwrap();
        fs::write(tree.path().join("sub/target/deep/cache"), "warm").unwrap();
        fs::write(tree.path().join("x.o"), "cold").unwrap();
        fs::write(tree.path().join("target"), "a file is not what the rule ignores").unwrap();
        pool.give_back(tree);
        let tree = pool.take(next).unwrap();
        let found = shape(tree.path());
        assert!(found.contains_key("sub/target/deep/cache"));
        assert!(!found.contains_key("x.o") && !found.contains_key("target"));
        assert_eq!(found["a"], ('f', b"b".to_vec()));
        assert!(tree.snapshot(Limits::default()).unwrap().edits.is_empty());
    }

    #[test]
    fn a_tree_that_was_read_is_cleaned_where_it_was_touched_and_what_is_warm_stays() {
        let lab = Lab::new();
        let rules = (".gitignore", Some("target/\n*.o\n"));
        let base = lab.on(lab.head(), &[rules, ("a", Some("a")), ("d/b", Some("b")), ("d/c", Some("c"))]);
        let pool = lab.pool(&["target/"]);
        let tree = pool.take(base).unwrap();
        let at = |path: &str| tree.path().join(path);
        fs::create_dir_all(at("sub/target")).unwrap();
        fs::write(at("sub/target/cache"), "warm").unwrap();
        fs::create_dir_all(at("left/over")).unwrap();
        fs::write(at("left/over/x.o"), "cold").unwrap();
        fs::write(at("a"), "changed").unwrap();
        fs::remove_dir_all(at("d")).unwrap();
        fs::write(at("d"), "a file where a folder was").unwrap();
        tree.snapshot(Limits::default()).unwrap();
        pool.give_back_as_read(tree);
        let tree = pool.take(base).unwrap();
        let found: Vec<_> = shape(tree.path()).into_keys().collect();
        assert_eq!(found, [".gitignore", "a", "d", "d/b", "d/c", "sub", "sub/target", "sub/target/cache"]);
        assert_eq!(fs::read_to_string(tree.path().join("a")).unwrap(), "a");
    }

    #[test]
    fn what_a_dead_process_left_is_swept_and_what_is_used_stays() {
        let lab = Lab::new();
        let dir = {
            let pool = lab.pool(&[]);
            let (one, two) = (pool.take(lab.head()).unwrap(), pool.take(lab.head()).unwrap());
            fs::remove_dir_all(one.path()).unwrap();
            assert!(matches!(Pool::open(&lab.repo, lab.dir.path().join("pool"), &[]), Err(GitError::PoolBusy { .. })));
            assert_eq!(lab.repo.doctor(std::time::SystemTime::now()).orphans, [format!("artel-{}", one.id())]);
            two.path().to_owned()
        };
        let pool = lab.pool(&[]);
        let used = pool.take(lab.head()).unwrap();
        assert_eq!(pool.sweep().unwrap(), 2);
        assert!(!dir.exists() && used.path().exists());
        assert_eq!(admin::ours(lab.repo.identity()).len(), 1);
        assert_eq!(pool.sweep().unwrap(), 0);
        assert_eq!(pool.len(), 1);
        pool.discard(used).unwrap();
        assert!(pool.is_empty() && !lab.path().join(".git/worktrees").exists());
    }

    #[test]
    fn whatever_a_crash_left_half_made_blocks_nothing() {
        let lab = Lab::new();
        let base = lab.on(lab.head(), &[("a", Some("a"))]);
        let places = {
            let pool = lab.pool(&[]);
            let trees: Vec<_> = (0..6).map(|_| pool.take(base).unwrap()).collect();
            trees.into_iter().map(|tree| (tree.path().to_owned(), tree.git_dir())).collect::<Vec<_>>()
        };
        // Each is a state between two steps of making or removing a tree.
        fs::remove_file(places[0].1.join("gitdir")).unwrap();
        fs::remove_dir_all(&places[1].1).unwrap();
        fs::rename(&places[2].0, places[2].0.with_extension("trash")).unwrap();
        fs::remove_dir_all(&places[3].0).unwrap();
        fs::write(places[4].1.join("index.lock"), "").unwrap();
        fs::remove_file(places[5].0.join(".git")).unwrap();
        for name in ["HEAD", "commondir", "index"] {
            fs::remove_file(places[2].1.join(name)).unwrap();
        }
        fs::create_dir_all(lab.dir.path().join("pool/.artel-gone-1/deep")).unwrap();
        let pool = lab.pool(&[]);
        let early = pool.take(base).unwrap();
        assert_eq!(pool.sweep().unwrap(), 7);
        assert!(!lab.path().join(".git/worktrees").join(places[2].1.file_name().unwrap()).exists());
        let late = pool.take(base).unwrap();
        for tree in [&early, &late] {
            assert_eq!(git_in(tree.path(), &["status", "--porcelain"]), "");
        }
        assert_eq!(lab.git(&["worktree", "list"]).lines().count(), 3);
        assert_eq!(lab.git(&["worktree", "prune", "--verbose"]), "");
        assert!(lab.repo.doctor(std::time::SystemTime::now()).orphans.is_empty());
        let left = fs::read_dir(lab.dir.path().join("pool")).unwrap().count();
        assert_eq!(left, 1 + 2 * 2, "the lock, and two things a tree");
    }

    #[test]
    fn a_tree_of_any_depth_is_removed() {
        let lab = Lab::new();
        let pool = lab.pool(&["warm"]);
        let tree = pool.take(lab.head()).unwrap();
        let mut at = rustix::fs::open(tree.path(), rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
        for _ in 0..6_000 {
            rustix::fs::mkdirat(&at, "d", rustix::fs::Mode::from_raw_mode(0o755)).unwrap();
            at = rustix::fs::openat(&at, "d", rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
        }
        let id = tree.id().to_owned();
        let snapshot = tree.snapshot(Limits::default()).unwrap();
        assert_eq!((snapshot.edits.len(), snapshot.refused.len()), (0, 1));
        pool.give_back(tree);
        let tree = pool.take(lab.head()).unwrap();
        assert_eq!(tree.id(), id);
        assert!(shape(tree.path()).is_empty());
    }

    #[test]
    fn many_take_at_once_and_nobody_shares() {
        let lab = Lab::new();
        let base = lab.on(lab.head(), &[("a", Some("a"))]);
        let pool = lab.pool(&[]);
        let lent = Mutex::new(BTreeSet::new());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        let tree = pool.take(base).unwrap();
                        assert!(lent.lock().unwrap().insert(tree.id().to_owned()), "one tree, two holders");
                        assert_eq!(fs::read(tree.path().join("a")).unwrap(), b"a");
                        fs::write(tree.path().join("a"), "changed").unwrap();
                        lent.lock().unwrap().remove(tree.id());
                        pool.give_back(tree);
                    }
                });
            }
        });
        assert!(pool.len() <= 8, "{}", pool.len());
        assert_eq!(lab.git(&["worktree", "prune", "--verbose"]), "");
    }

    #[test]
    fn a_lent_tree_is_waited_for_as_long_as_a_new_one_would_take() {
        let lab = Lab::new();
        let base = lab.on(lab.head(), &[("a", Some("1"))]);
        let pool = lab.pool(&[]);
        let taken_while = |cost, ends: &dyn Fn(&Pool, Tree)| {
            let tree = pool.take(base).unwrap();
            pool.state().cost = Some(cost);
            let taken = std::thread::scope(|scope| {
                let other = scope.spawn(|| pool.take(base).unwrap());
                while cost > Duration::ZERO && pool.state().waiting == 0 {
                    std::thread::yield_now();
                }
                ends(&pool, tree);
                other.join().unwrap()
            });
            let count = pool.len();
            pool.give_back(taken);
            count
        };
        let hour = Duration::from_secs(3600);
        assert_eq!(taken_while(hour, &|pool, tree| pool.give_back(tree)), 1, "it comes back, and is enough");
        assert_eq!(taken_while(hour, &|pool, tree| pool.discard(tree).unwrap()), 1, "it never comes back");
        assert_eq!(taken_while(Duration::ZERO, &|_, tree| drop(tree)), 2, "nobody waits for it");
    }

    #[test]
    fn what_no_tree_fits_costs_one_of_them() {
        let lab = Lab::new();
        let base = lab.on(lab.head(), &[("a", Some("1"))]);
        let other = lab.on(base, &[(".gitattributes", Some("* text"))]);
        let pool = lab.pool(&[]);
        pool.state().cost = Some(Duration::ZERO);
        let trees: Vec<Tree> = (0..3).map(|_| pool.take(base).unwrap()).collect();
        trees.into_iter().for_each(|tree| pool.give_back(tree));
        assert_eq!(pool.len(), 3);
        assert_eq!(pool.take(other).unwrap().commit(), other);
        assert_eq!(pool.len(), 3, "one is written anew, and the others wait for what they fit");
    }

    #[test]
    fn a_tree_whose_git_file_was_pointed_elsewhere_runs_nothing_and_is_mended() {
        let lab = Lab::new();
        let proof = lab.dir.path().join("proof");
        let base = lab.on(lab.head(), &[("a", Some("a"))]);
        let pool = lab.pool(&[]);
        let tree = pool.take(base).unwrap();
        let evil = tree.path().join("evil");
        fs::create_dir(&evil).unwrap();
        git_in(&evil, &["init", "-q"]);
        let run = format!("touch {}", proof.display());
        for config in [evil.join(".git/config"), tree.git_dir().join("config.worktree")] {
            let text = format!("[core]\n\tfsmonitor = {run}\n[filter \"x\"]\n\tclean = {run}\n\tsmudge = {run}\n");
            fs::write(&config, text).unwrap();
        }
        fs::write(tree.path().join(".gitattributes"), "* filter=x\n").unwrap();
        fs::write(tree.path().join(".git"), format!("gitdir: {}\n", evil.join(".git").display())).unwrap();
        fs::write(tree.path().join("a"), "b").unwrap();
        let snapshot = tree.snapshot(Limits::default()).unwrap();
        assert_eq!(snapshot.edits.keys().collect::<Vec<_>>(), [".gitattributes", "a"]);
        assert_eq!(snapshot.refused.iter().map(|one| one.path.as_str()).collect::<Vec<_>>(), ["evil"]);
        pool.give_back(tree);
        let tree = pool.take(base).unwrap();
        assert_eq!(git_in(tree.path(), &["status", "--porcelain"]), "");
        assert!(!tree.git_dir().join("config.worktree").exists() && !proof.exists());
    }

    #[test]
    fn what_the_user_has_is_bit_for_bit_what_it_was() {
        let lab = Lab::new();
        fs::write(lab.path().join("mine"), "not committed").unwrap();
        lab.git(&["add", "mine"]);
        lab.git(&["config", "extensions.worktreeConfig", "true"]);
        let ours = |name: &str| {
            ["objects", "refs/artel", "refs/heads/artel", "logs/refs/heads/artel", "worktrees"]
                .iter()
                .any(|own| name.starts_with(own))
                || ["logs/refs/heads", "refs/heads"].contains(&name)
        };
        let look = || -> BTreeMap<_, _> {
            let git = shape(&lab.path().join(".git")).into_iter().filter(|(name, _)| !ours(name));
            git.chain(shape(&lab.path())).filter(|(name, _)| !name.starts_with(".git/")).collect()
        };
        let before = look();
        let head = lab.head();
        let pool = lab.pool(&[]);
        let tree = pool.take(head).unwrap();
        fs::write(tree.path().join("a"), "a").unwrap();
        let edits = tree.snapshot(Limits::default()).unwrap().edits;
        assert!(matches!(edits["a"], Edit::Blob { size: 1, executable: false, .. }));
        let made = lab.repo.commit_edits(head, &edits, "m", &super::super::testing::author(), 1).unwrap();
        let other = lab.on(head, &[("a", Some("z"))]);
        lab.repo.merge(other, &super::super::testing::member(made.commit, head)).unwrap();
        lab.repo.compare_and_swap("refs/heads/artel/r/main", None, made.commit, "t").unwrap();
        lab.repo.compare_and_swap("refs/artel/r/t1.1", None, made.commit, "t").unwrap();
        lab.repo.survey(head, std::time::SystemTime::now()).unwrap();
        pool.discard(tree).unwrap();
        assert_eq!(look(), before);
    }
}
