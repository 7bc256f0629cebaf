//! Owns delivering: bringing a run's result into a branch of the user's, only when told to. The one place that
//! touches what is the user's. Never overwrites a change that was not committed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::admin;
use super::commit::Author;
use super::error::{GitError, OnFile, plain};
use super::merge::{Member, Merge};
use super::programs;
use super::refs::Swap;
use super::repo::{Repo, from_git, to_git};
use crate::model::ids::Oid;

/// Says how a branch was brought forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveredKind {
    /// It moved straight to the head.
    FastForward,
    /// It moved to a merge of itself and the head.
    Merge,
    /// It held the head before.
    AlreadyThere,
}

/// Says what a delivery came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered {
    /// The branch holds the head.
    Done {
        /// Where the branch was.
        from: Oid,
        /// Where it is.
        to: Oid,
        /// How it went.
        kind: DeliveredKind,
    },
    /// Nothing was touched.
    Refused {
        /// Why.
        why: String,
        /// What a person can do.
        next: String,
    },
}

/// Names what a branch would be brought forward to. Nothing of the user's was touched for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    name: String,
    /// Where the branch is.
    pub from: Oid,
    /// Where it would be.
    pub to: Oid,
    /// How it would go.
    pub kind: DeliveredKind,
}

impl Repo {
    /// Finds what a local branch, named without `refs/heads/`, would be brought forward to in order to hold a head; gives
    /// what a delivery came to where there is nothing to bring.
    ///
    /// # Errors
    /// Fails where git fails; what a person can mend is `Refused`.
    pub fn prepare_delivery(
        &self,
        branch: &str,
        head: Oid,
        message: &str,
        when_ms: i64,
    ) -> Result<Result<Forward, Delivered>, GitError> {
        let name = format!("refs/heads/{branch}");
        if branch.starts_with('-') || !git2::Reference::is_valid_name(&name) {
            return Ok(Err(refused(format!("`{}` is not a branch's name", plain(branch)), "name a local branch")));
        }
        let Some(from) = self.ref_target(&name)? else {
            return Ok(Err(refused(format!("there is no branch `{branch}`"), "make it, or name another one")));
        };
        if self.is_ancestor(head, from)? {
            return Ok(Err(Delivered::Done { from, to: from, kind: DeliveredKind::AlreadyThere }));
        }
        let (to, kind) = if self.is_ancestor(from, head)? {
            (head, DeliveredKind::FastForward)
        } else {
            match self.merge_for_delivery(from, head, message, when_ms)? {
                Ok(commit) => (commit, DeliveredKind::Merge),
                Err(why) => return Ok(Err(refused(why, "merge the run's branch yourself, or rebase and run again"))),
            }
        };
        Ok(Ok(Forward { name, from, to, kind }))
    }

    /// Brings a branch forward to exactly what was prepared, unless it has moved since; a checkout of it comes along.
    ///
    /// # Errors
    /// As [`Repo::prepare_delivery`].
    pub fn bring_forward(&self, forward: &Forward) -> Result<Delivered, GitError> {
        let Forward { name, from, to, kind } = forward;
        match self.checkout_of(name)? {
            Some(checkout) => self.fast_forward(&checkout, forward),
            None => Ok(match self.compare_and_swap(name, Some(*from), *to, "artel: deliver")? {
                Swap::Done | Swap::AlreadyThere => Delivered::Done { from: *from, to: *to, kind: *kind },
                Swap::Found(_) => {
                    let branch = name.trim_start_matches("refs/heads/");
                    refused(format!("`{branch}` moved meanwhile"), "deliver again")
                }
            }),
        }
    }

    fn merge_for_delivery(
        &self,
        from: Oid,
        head: Oid,
        message: &str,
        when_ms: i64,
    ) -> Result<Result<Oid, String>, GitError> {
        let base = self.with(|handle| Ok(handle.merge_base(to_git(from), to_git(head)).ok().map(from_git)))?;
        let Some(base) = base else { return Ok(Err("the two have no history in common".to_owned())) };
        let author = Author { name: "artel".to_owned(), email: "artel@artel.invalid".to_owned() };
        let member = Member { candidate: head, base, message: message.to_owned(), author, when_ms };
        Ok(match self.merge(from, &member)? {
            Merge::Clean { commit, .. } => Ok(commit),
            Merge::Conflict { paths } => Err(format!("both sides changed {}", listed(&paths))),
        })
    }

    /// Finds the checkout in which a branch is checked out, worktrees of our own excepted.
    fn checkout_of(&self, name: &str) -> Result<Option<PathBuf>, GitError> {
        let wanted = format!("ref: {name}");
        let on_it = |dir: &Path| fs::read_to_string(dir.join("HEAD")).is_ok_and(|head| head.trim() == wanted);
        let common = self.identity();
        let main = self.with(|handle| Ok(handle.workdir().map(Path::to_owned)))?;
        if let Some(main) = main.filter(|_| on_it(common)) {
            return Ok(Some(main));
        }
        for entry in fs::read_dir(common.join("worktrees")).into_iter().flatten().flatten() {
            let ours = entry.file_name().to_string_lossy().starts_with(admin::OURS);
            if ours || !on_it(&entry.path()) {
                continue;
            }
            let link = entry.path().join("gitdir");
            let back = fs::read_to_string(&link).on("read", &link)?;
            let place = entry.path().join(back.trim_end());
            match place.parent() {
                Some(tree) if tree.is_dir() => return Ok(Some(tree.to_owned())),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Lets git itself bring a checkout forward: it refuses by itself where a change would be lost.
    fn fast_forward(&self, checkout: &Path, forward: &Forward) -> Result<Delivered, GitError> {
        let Forward { name, from, to, kind } = forward;
        let (from, to, kind) = (*from, *to, *kind);
        let filters = programs::own_filters(checkout)?;
        if let Some(name) = programs::filter_in_use(self, checkout, to, &filters)? {
            let why = format!(
                "the repository's own configuration has git run `{}` on files, and artel runs none of its programs",
                plain(&format!("filter.{name}"))
            );
            return Ok(refused(
                why,
                &format!("look at that program, then bring them yourself: git merge --ff-only {to}"),
            ));
        }
        let mut git = Command::new("git");
        for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("GIT_")) {
            git.env_remove(key);
        }
        let output = git
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            // Also where attributes of the user's or the machine's name one.
            .envs(programs::without(&filters))
            .current_dir(checkout)
            .args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "merge.autoStash=false"])
            .args(["-c", "merge.verifySignatures=false", "-c", "protocol.allow=never", "-c", "core.pager=cat"])
            .args(["-c", "submodule.recurse=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false"])
            .args(["merge", "--ff-only", "--no-stat", "--quiet", "--end-of-options", &to.to_string()])
            .stdin(Stdio::null())
            .output()
            .on("start the program", Path::new("git"))?;
        if output.status.success() && self.ref_target(name)? == Some(to) {
            return Ok(Delivered::Done { from, to, kind });
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let paths: Vec<String> = said.lines().filter_map(|line| line.strip_prefix('\t')).map(plain).collect();
        let place = checkout.display();
        if !paths.is_empty() {
            let why = format!("changes in `{place}` that are not committed would be lost: {}", listed(&paths));
            return Ok(refused(why, "commit or stash them, and deliver again"));
        }
        if said.contains(".lock'") {
            let why = format!("another git command holds a lock in `{place}`: {}", first_line(&said));
            return Ok(refused(why, "wait for it, or remove the lock file if none runs"));
        }
        let why = format!("git would not bring `{place}` forward: {}", first_line(&said));
        Ok(refused(why, "look at `git status` there, and deliver again"))
    }
}

/// Gives the first line of what git said; what follows it is advice for whoever typed the command.
fn first_line(said: &str) -> String {
    plain(said.trim().lines().next().unwrap_or_default())
}

fn refused(why: String, next: &str) -> Delivered {
    Delivered::Refused { why, next: next.to_owned() }
}

fn listed(paths: &[String]) -> String {
    let shown = paths.iter().take(5).map(|path| plain(path)).collect::<Vec<_>>().join(", ");
    if paths.len() > 5 { format!("{shown} and {} more", paths.len() - 5) } else { shown }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Lab, git_in};
    use super::*;

    impl Repo {
        fn deliver(&self, branch: &str, head: Oid, message: &str, when_ms: i64) -> Result<Delivered, GitError> {
            match self.prepare_delivery(branch, head, message, when_ms)? {
                Ok(forward) => self.bring_forward(&forward),
                Err(over) => Ok(over),
            }
        }
    }

    fn why(delivered: &Delivered) -> &str {
        match delivered {
            Delivered::Done { .. } => "",
            Delivered::Refused { why, .. } => why,
        }
    }

    fn done(delivered: Delivered) -> (Oid, DeliveredKind) {
        match delivered {
            Delivered::Done { to, kind, .. } => (to, kind),
            Delivered::Refused { why, .. } => panic!("{why}"),
        }
    }

    #[test]
    fn a_branch_that_nobody_has_checked_out_moves_by_its_ref_alone() {
        let lab = Lab::new();
        lab.git(&["branch", "side"]);
        let head = lab.on(lab.head(), &[("a", Some("a"))]);
        let deliver = || done(lab.repo.deliver("side", head, "m", 1).unwrap());
        assert_eq!(deliver(), (head, DeliveredKind::FastForward));
        assert_eq!(deliver(), (head, DeliveredKind::AlreadyThere));
        let other = lab.on(lab.head(), &[("b", Some("b"))]);
        let (merge, kind) = done(lab.repo.deliver("side", other, "m", 1).unwrap());
        assert_eq!(kind, DeliveredKind::Merge);
        assert_eq!(lab.repo.commit_of(merge).unwrap().1, [head, other]);
        assert!(!lab.path().join("a").exists());
    }

    #[test]
    fn a_clean_checkout_comes_along_and_no_hook_runs() {
        use std::os::unix::fs::PermissionsExt;
        let lab = Lab::new();
        let hook = lab.path().join(".git/hooks/post-merge");
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        fs::write(&hook, "#!/bin/sh\ntouch hooked\n").unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(lab.path().join("untracked"), "mine").unwrap();
        let head = lab.on(lab.head(), &[("a", Some("a"))]);
        assert_eq!(done(lab.repo.deliver("main", head, "m", 1).unwrap()), (head, DeliveredKind::FastForward));
        assert_eq!(fs::read(lab.path().join("a")).unwrap(), b"a");
        assert_eq!(lab.git(&["status", "--porcelain"]), "?? untracked");
        assert!(!lab.path().join("hooked").exists());
        let linked = lab.dir.path().join("linked");
        lab.git(&["worktree", "add", "-q", "-b", "side", linked.to_str().unwrap()]);
        let next = lab.on(head, &[("a", Some("b"))]);
        done(lab.repo.deliver("side", next, "m", 1).unwrap());
        assert_eq!(fs::read(linked.join("a")).unwrap(), b"b");
        assert_eq!(git_in(&linked, &["status", "--porcelain"]), "");
    }

    #[test]
    fn a_branch_that_moves_after_it_was_looked_at_is_not_brought_forward() {
        let lab = Lab::new();
        let head = lab.on(lab.head(), &[("a", Some("a"))]);
        let mine = lab.on(lab.head(), &[("b", Some("b"))]);
        let other = lab.on(mine, &[("c", Some("c"))]);
        for branch in ["main", "side"] {
            lab.git(&["update-ref", &format!("refs/heads/{branch}"), &mine.to_string()]);
            let forward = lab.repo.prepare_delivery(branch, head, "m", 1).unwrap().unwrap();
            assert_eq!((forward.from, forward.kind), (mine, DeliveredKind::Merge));
            lab.git(&["update-ref", &format!("refs/heads/{branch}"), &other.to_string()]);
            assert_ne!(why(&lab.repo.bring_forward(&forward).unwrap()), "", "{branch}");
            assert_eq!(lab.repo.ref_target(&format!("refs/heads/{branch}")).unwrap(), Some(other));
        }
    }

    #[test]
    fn what_would_be_lost_is_refused_and_nothing_is_touched() {
        let lab = Lab::new();
        let base = lab.on(lab.head(), &[("a", Some("a"))]);
        done(lab.repo.deliver("main", base, "m", 1).unwrap());
        fs::write(lab.path().join("a"), "mine").unwrap();
        let head = lab.on(base, &[("a", Some("theirs")), ("b", Some("b"))]);
        let refused = lab.repo.deliver("main", head, "m", 1).unwrap();
        assert!(why(&refused).contains("a"), "{refused:?}");
        assert_eq!(lab.head(), base);
        assert_eq!(fs::read(lab.path().join("a")).unwrap(), b"mine");
        assert!(!lab.path().join("b").exists());
        fs::write(lab.path().join(".git/index.lock"), "").unwrap();
        fs::write(lab.path().join("a"), "a").unwrap();
        let refused = lab.repo.deliver("main", head, "m", 1).unwrap();
        assert!(why(&refused).contains("index.lock"), "{refused:?}");
        assert!(!why(&refused).contains('\u{fffd}'), "only the line that says so is quoted: {refused:?}");
        assert_eq!(lab.head(), base);
    }

    #[test]
    fn conflicts_and_branches_that_are_not_there_are_refused() {
        let lab = Lab::new();
        let one = lab.on(lab.head(), &[("a", Some("1"))]);
        let two = lab.on(lab.head(), &[("a", Some("2"))]);
        lab.git(&["branch", "side", &one.to_string()]);
        assert!(why(&lab.repo.deliver("side", two, "m", 1).unwrap()).contains("both sides changed a"));
        for branch in ["none", "-x", "a..b", ""] {
            assert_ne!(why(&lab.repo.deliver(branch, two, "m", 1).unwrap()), "", "{branch}");
        }
        assert_eq!(lab.repo.ref_target("refs/heads/side").unwrap(), Some(one));
    }
}
