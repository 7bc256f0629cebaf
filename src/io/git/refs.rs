//! Owns refs: our names for them, and moving them only from where they were believed to be.
//! Never takes a ref's name from an agent.

use std::thread;
use std::time::Duration;

use git2::ErrorCode;

use super::error::{Doing, GitError};
use super::repo::{Repo, from_git, to_git};
use crate::model::ids::{AttemptId, Oid, RunId, TaskId};

/// How often a locked ref is tried; with the waits between, about a second and a half.
const TRIES: u32 = 12;

/// Names the refs of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefNames {
    prefix: String,
    run: RunId,
}

impl RefNames {
    /// Names the refs of a run below a prefix such as `artel`.
    ///
    /// # Errors
    /// Fails where git would not allow such a branch.
    pub fn new(prefix: &str, run: RunId) -> Result<Self, GitError> {
        let names = Self { prefix: prefix.to_owned(), run };
        let odd = prefix.starts_with('-') || prefix.is_empty() || !git2::Reference::is_valid_name(&names.branch());
        if odd {
            let why = "it cannot be the first part of a branch's name".to_owned();
            return Err(GitError::Spec { spec: super::error::plain(prefix), why });
        }
        Ok(names)
    }

    /// Names the run's branch.
    pub fn branch(&self) -> String {
        format!("refs/heads/{}/{}/main", self.prefix, self.run)
    }

    /// Names the branch of one task's accepted candidate.
    pub fn task(&self, task: TaskId) -> String {
        format!("refs/heads/{}/{}/{task}", self.prefix, self.run)
    }

    /// Names the pin that keeps an attempt's candidate.
    pub fn attempt(&self, attempt: AttemptId) -> String {
        format!("refs/artel/{}/{attempt}", self.run)
    }

    /// Names the ref that keeps what was signed of the run's journal.
    pub fn anchor(&self) -> String {
        format!("refs/artel/{}/anchor", self.run)
    }

    /// Shows the beginning of the names of all branches of the run.
    pub fn branches(&self) -> String {
        format!("refs/heads/{}/{}/", self.prefix, self.run)
    }

    /// Shows the beginning of the names of all pins of the run.
    pub fn pins(&self) -> String {
        format!("refs/artel/{}/", self.run)
    }
}

/// Says what became of moving a ref.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swap {
    /// It was moved, and that is on disk.
    Done,
    /// It was where it should go: an earlier try had come through.
    AlreadyThere,
    /// It was elsewhere, and was left alone.
    Found(Option<Oid>),
}

impl Repo {
    /// Moves a ref to `new` if it stands at `expected` (`None`: if it does not exist).
    ///
    /// # Errors
    /// Fails where the ref stays locked, its name collides with another's, or `new` does not exist.
    pub fn compare_and_swap(&self, name: &str, expected: Option<Oid>, new: Oid, log: &str) -> Result<Swap, GitError> {
        // What a ref names must be there before the ref is, also after a power cut.
        self.flush_objects()?;
        let before = self.folder_of_ref(name);
        let swap = self.with(|handle| {
            retry(self, name, || {
                let now = target(handle, name)?;
                if now == Some(new) {
                    return Ok(Swap::AlreadyThere);
                }
                if now != expected {
                    return Ok(Swap::Found(now));
                }
                let made = match expected {
                    None => handle.reference(name, to_git(new), false, log),
                    Some(old) => handle.reference_matching(name, to_git(new), true, to_git(old), log),
                };
                match made {
                    Ok(_) => Ok(Swap::Done),
                    Err(error) if matches!(error.code(), ErrorCode::Modified | ErrorCode::NotFound) => {
                        Ok(found(target(handle, name)?, new))
                    }
                    Err(error) if error.code() == ErrorCode::Exists && target(handle, name)?.is_some() => {
                        Ok(found(target(handle, name)?, new))
                    }
                    Err(source) if source.code() != ErrorCode::Locked && is_taken(handle, name)? => {
                        Err(GitError::RefNameTaken { name: name.to_owned(), source })
                    }
                    Err(source) => Err(GitError::Git { doing: format!("move the ref `{name}`"), source }),
                }
            })
        })?;
        if swap == Swap::Done {
            self.flush_folders_of_ref(name, &before)?;
        }
        Ok(swap)
    }

    /// Tells where a ref stands; `None` where it does not exist.
    ///
    /// # Errors
    /// Fails where it cannot be read.
    pub fn ref_target(&self, name: &str) -> Result<Option<Oid>, GitError> {
        self.with(|handle| target(handle, name))
    }

    /// Removes a ref if it stands at `expected`.
    ///
    /// # Errors
    /// Fails where the ref stays locked.
    pub fn delete_ref(&self, name: &str, expected: Oid) -> Result<Swap, GitError> {
        self.with(|handle| {
            retry(self, name, || {
                let Some(now) = target(handle, name)? else { return Ok(Swap::AlreadyThere) };
                if now != expected {
                    return Ok(Swap::Found(Some(now)));
                }
                match handle.find_reference(name).and_then(|mut found| found.delete()) {
                    Ok(()) => Ok(Swap::Done),
                    Err(error) if matches!(error.code(), ErrorCode::Modified | ErrorCode::NotFound) => {
                        Ok(target(handle, name)?.map_or(Swap::AlreadyThere, |now| Swap::Found(Some(now))))
                    }
                    Err(source) => Err(GitError::Git { doing: format!("delete the ref `{name}`"), source }),
                }
            })
        })
    }

    /// Lists the refs whose names begin with a text, sorted, with the commits that they name.
    ///
    /// # Errors
    /// Fails where refs cannot be read.
    pub fn list_refs(&self, beginning: &str) -> Result<Vec<(String, Oid)>, GitError> {
        self.with(|handle| {
            let all = handle.references().doing(|| "list the refs".to_owned())?;
            let mut found: Vec<(String, Oid)> = all
                .flatten()
                .filter_map(|one| {
                    let name = one.name().ok()?.to_owned();
                    let at = one.target().or_else(|| one.resolve().ok()?.target())?;
                    name.starts_with(beginning).then(|| (name, from_git(at)))
                })
                .collect();
            found.sort_unstable();
            Ok(found)
        })
    }

    /// Tells whether `a` is `b` or an ancestor of it.
    ///
    /// # Errors
    /// Fails where a commit is missing.
    pub fn is_ancestor(&self, a: Oid, b: Oid) -> Result<bool, GitError> {
        if a == b {
            return Ok(true);
        }
        self.with(|handle| {
            handle.graph_descendant_of(to_git(b), to_git(a)).doing(|| format!("find {a} among the ancestors of {b}"))
        })
    }

    /// Names the ref that stands in the way of branches below a prefix, if there is one.
    ///
    /// # Errors
    /// Fails where refs cannot be read.
    pub fn prefix_taken_by(&self, prefix: &str) -> Result<Option<String>, GitError> {
        self.with(|handle| {
            let ends = prefix.match_indices('/').map(|(at, _)| at).chain([prefix.len()]);
            for end in ends {
                let name = format!("refs/heads/{}", &prefix[..end]);
                if target(handle, &name)?.is_some() {
                    return Ok(Some(name));
                }
            }
            Ok(None)
        })
    }

    /// Tells whether branches can be made below a prefix.
    ///
    /// # Errors
    /// Fails where refs cannot be read.
    pub fn prefix_is_free(&self, prefix: &str) -> Result<bool, GitError> {
        Ok(self.prefix_taken_by(prefix)?.is_none())
    }
}

fn found(now: Option<Oid>, wanted: Oid) -> Swap {
    if now == Some(wanted) { Swap::AlreadyThere } else { Swap::Found(now) }
}

/// Tells whether a ref stands where a folder of this name must be, or below it.
fn is_taken(handle: &git2::Repository, name: &str) -> Result<bool, GitError> {
    for (at, _) in name.match_indices('/').skip(2) {
        if target(handle, &name[..at])?.is_some() {
            return Ok(true);
        }
    }
    let below = format!("{name}/");
    let mut all = handle.references().doing(|| "list the refs".to_owned())?;
    Ok(all.names().flatten().any(|other| other.starts_with(&below)))
}

fn target(handle: &git2::Repository, name: &str) -> Result<Option<Oid>, GitError> {
    match handle.refname_to_id(name) {
        Ok(oid) => Ok(Some(from_git(oid))),
        Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::InvalidSpec) => Ok(None),
        Err(source) => Err(GitError::Git { doing: format!("read the ref `{name}`"), source }),
    }
}

/// Tries again while another process holds a ref's lock, to a bound.
fn retry(repo: &Repo, name: &str, act: impl Fn() -> Result<Swap, GitError>) -> Result<Swap, GitError> {
    let mut tried = 0;
    loop {
        match act() {
            Err(GitError::Git { source, .. }) if source.code() == ErrorCode::Locked => {
                tried += 1;
                if tried == TRIES {
                    let beside = repo.identity().join(format!("{name}.lock"));
                    let packed = repo.identity().join("packed-refs.lock");
                    let lock = if beside.exists() || !packed.exists() { beside } else { packed };
                    return Err(GitError::RefLocked { name: name.to_owned(), lock });
                }
                thread::sleep(Duration::from_millis(2 << tried.min(7)));
            }
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Lab;
    use super::*;

    #[test]
    fn a_ref_moves_only_from_where_it_was_believed_to_be() {
        let lab = Lab::new();
        let (a, b) = (lab.head(), lab.on(lab.head(), &[("a", Some("a"))]));
        let c = lab.on(b, &[("a", Some("c"))]);
        let names = RefNames::new("artel", "r-1".parse().unwrap()).unwrap();
        let name = names.branch();
        let swap = |old, new| lab.repo.compare_and_swap(&name, old, new, "t").unwrap();
        assert_eq!(swap(Some(a), b), Swap::Found(None));
        assert_eq!(swap(None, a), Swap::Done);
        assert_eq!(swap(None, a), Swap::AlreadyThere);
        assert_eq!(swap(None, b), Swap::Found(Some(a)));
        assert_eq!(swap(Some(a), b), Swap::Done);
        assert_eq!(swap(Some(a), b), Swap::AlreadyThere);
        assert_eq!(swap(Some(a), c), Swap::Found(Some(b)));
        lab.git(&["pack-refs", "--all"]);
        assert_eq!(swap(Some(b), c), Swap::Done);
        assert_eq!(lab.repo.ref_target(&name).unwrap(), Some(c));
        assert_eq!(lab.repo.list_refs(&names.branches()).unwrap(), [(name.clone(), c)]);
        assert_eq!(lab.repo.delete_ref(&name, a).unwrap(), Swap::Found(Some(c)));
        assert_eq!(lab.repo.delete_ref(&name, c).unwrap(), Swap::Done);
        assert_eq!(lab.repo.ref_target(&name).unwrap(), None);
    }

    #[test]
    fn of_many_who_swap_at_once_exactly_one_wins() {
        let lab = Lab::new();
        let base = lab.head();
        lab.repo.compare_and_swap("refs/heads/artel/r/main", None, base, "t").unwrap();
        let wins: usize = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..8)
                .map(|n| {
                    let new = lab.on(base, &[("a", Some(&format!("{n}")))]);
                    let repo = lab.repo.clone();
                    scope.spawn(move || repo.compare_and_swap("refs/heads/artel/r/main", Some(base), new, "t"))
                })
                .collect();
            tries
                .into_iter()
                .filter(|_| true)
                .map(|one| one.join().unwrap())
                .filter(|s| matches!(s, Ok(Swap::Done)))
                .count()
        });
        assert_eq!(wins, 1);
    }

    #[test]
    fn a_lock_that_goes_is_waited_for() {
        let lab = Lab::new();
        let tried = std::cell::Cell::new(0);
        let swap = retry(&lab.repo, "refs/heads/x", || {
            tried.set(tried.get() + 1);
            if tried.get() < 4 {
                let source = git2::Error::new(ErrorCode::Locked, git2::ErrorClass::Os, "held");
                return Err(GitError::Git { doing: "move".to_owned(), source });
            }
            Ok(Swap::Done)
        });
        assert_eq!((swap.unwrap(), tried.get()), (Swap::Done, 4));
    }

    #[test]
    fn a_lock_left_behind_is_named() {
        let lab = Lab::new();
        let lock = lab.path().join(".git/refs/heads/x.lock");
        std::fs::write(&lock, "").unwrap();
        let error = lab.repo.compare_and_swap("refs/heads/x", None, lab.head(), "t").unwrap_err();
        assert!(
            matches!(&error, GitError::RefLocked { lock: named, .. } if named.ends_with("refs/heads/x.lock")),
            "{error}"
        );
        let found = lab.repo.locks(std::time::SystemTime::now());
        assert_eq!(found.len(), 1);
        assert!(found[0].path.ends_with("refs/heads/x.lock"));
    }

    #[test]
    fn a_branch_named_as_the_prefix_is_found_before_it_hurts() {
        let lab = Lab::new();
        assert!(lab.repo.prefix_is_free("artel").unwrap());
        lab.git(&["branch", "artel"]);
        assert_eq!(lab.repo.prefix_taken_by("artel/sub").unwrap().as_deref(), Some("refs/heads/artel"));
        let error = lab.repo.compare_and_swap("refs/heads/artel/r/main", None, lab.head(), "t").unwrap_err();
        assert!(matches!(error, GitError::RefNameTaken { .. }), "{error:?}");
    }

    #[test]
    fn hostile_prefixes_are_refused() {
        for prefix in ["", "-x", "a..b", "a b", "a/", "/a", "x.lock"] {
            assert!(RefNames::new(prefix, "r".parse().unwrap()).is_err(), "{prefix:?}");
        }
    }
}
