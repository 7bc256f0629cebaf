//! Owns what a job in a worktree is given: its environment, what it sees of the machine, and a git of its own. Starts no
//! job, and chooses nothing about what one may do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::world::World;
use crate::io::agents::Desk;
use crate::io::git::{GitError, OwnGit, Tree};
use crate::io::hands::{Job, JobLimits, PortsLease, Toolchains, View, why_hidden};
use crate::io::process::Program;
use crate::model::role::Grants;
use crate::model::sandbox::Tier;

/// Says for whom jobs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Attempts at tasks.
    Attempts,
    /// Checks.
    Checks,
}

/// Says what a job may do to its worktree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Change it.
    Write,
    /// Read it: who plans or judges changes nothing.
    Read,
}

/// Says where a job works and what it is given beside.
pub struct Room<'a> {
    /// For whom the job is.
    pub whose: Whose,
    /// Its worktree.
    pub tree: &'a Tree,
    /// What it may do to that.
    pub access: Access,
    /// Its folder outside the worktree.
    pub desk: &'a Desk,
    /// What it was granted.
    pub grants: &'a Grants,
    /// The git that it finds in the worktree, where that is not the repository's.
    pub git: Option<&'a OwnGit>,
    /// Ports that are its own.
    pub ports: Option<&'a PortsLease>,
}

/// Says what is run in a room.
pub struct Work<'a> {
    /// The program.
    pub program: Program,
    /// Environment beside that of the room.
    pub env: BTreeMap<String, String>,
    /// What it must see of the machine to be run at all, beside what is found by its name.
    pub read: &'a [PathBuf],
    /// What it may use.
    pub limits: JobLimits,
    /// The name of its log.
    pub log: &'a str,
    /// How much of the end of its output is kept in memory, in bytes.
    pub tail_bytes: usize,
}

impl World {
    /// Makes the git that a job finds in a worktree; none where the worktree's own serves it.
    ///
    /// # Errors
    /// Fails where it cannot be written.
    pub fn own_git(&self, tree: &Tree) -> Result<Option<OwnGit>, GitError> {
        Ok(match self.hands.tier() {
            Tier::None => None,
            Tier::Bubblewrap => Some(tree.make_own_git()?),
            Tier::Landlock => {
                let own = tree.make_own_git()?;
                tree.turn_to(&own)?;
                Some(own)
            }
        })
    }

    /// Makes a job of some work in a room.
    ///
    /// # Errors
    /// Says which grant shows what nobody else may see.
    pub fn job(&self, room: &Room<'_>, work: Work<'_>) -> Result<Job, String> {
        let mut env = self.job_env(room);
        let mut toolchains = Toolchains::look(&self.outer_env, room.grants.toolchains.as_ref());
        if self.hands.tier() == Tier::Landlock {
            // Nothing can be laid over the user's home, so that the job's is another.
            toolchains.move_to(&room.desk.tmp());
            env.insert("HOME".to_owned(), room.desk.tmp().to_string_lossy().into_owned());
        }
        if self.hands.tier() != Tier::None {
            for (name, place) in &toolchains.env {
                env.entry(name.clone()).or_insert_with(|| place.clone());
            }
        }
        env.extend(work.env.clone());
        let view = self.view(room, &work, env.get("PATH").map(String::as_str), toolchains)?;
        Ok(Job {
            grown: None,
            program: work.program,
            cwd: room.tree.path().to_owned(),
            env,
            view,
            limits: work.limits,
            log: self.log(work.log),
            clock: room.desk.file("clock"),
            tail_bytes: work.tail_bytes,
        })
    }

    fn view(
        &self,
        room: &Room<'_>,
        work: &Work<'_>,
        path: Option<&str>,
        toolchains: Toolchains,
    ) -> Result<View, String> {
        let home = self.outer_env.get("HOME").map(PathBuf::from).filter(|home| home.parent().is_some());
        let why_hidden = |path: &Path| why_hidden(path, home.as_deref(), self.place.root());
        let config = &self.opening.config;
        let granted = room.grants.read.iter().chain(&room.grants.write).chain(&config.read);
        for path in granted {
            if let Some(why) = why_hidden(path) {
                return Err(format!("failed to grant {}: {why}", path.display()));
            }
        }
        let mut view =
            View { read: toolchains.read, empty: toolchains.empty, links: toolchains.links, ..View::default() };
        view.empty.extend(home.clone());
        // What is found by its name, or was named by its path, must be there to be run.
        let folders: Vec<PathBuf> = path.into_iter().flat_map(std::env::split_paths).collect();
        let beside = folders.iter().flat_map(|folder| beside_programs(folder)).collect::<Vec<_>>();
        let programs = folders.into_iter().chain(beside).chain(named_by_path(&work.program));
        let programs = programs.chain(work.read.iter().cloned());
        view.read.extend(programs.filter(|path| path.is_absolute() && path.exists() && why_hidden(path).is_none()));
        view.read.extend(config.read.iter().chain(&room.grants.read).cloned());
        view.write = vec![room.desk.folder().to_owned()];
        let tree = room.tree.path().to_owned();
        match room.access {
            Access::Write => view.write.push(tree),
            Access::Read => view.read.push(tree),
        }
        view.write.extend(room.grants.write.iter().cloned());
        if config.set.values().any(|value| value.contains("{cache}")) {
            view.write.push(self.cache(room.whose));
        }
        if let Some(git) = room.git {
            view.write.push(git.dir.clone());
            view.read.extend(git.objects.iter().cloned());
            view.instead.push((room.tree.path().join(".git"), git.link.clone()));
        }
        view.ports = room.ports.map(|lease| lease.ports().to_vec()).unwrap_or_default();
        Ok(view)
    }
}

/// What programs find beside their folder (`bin`, or pyenv's `shims`), by the layout in which Unix programs are installed,
/// virtual environments of Python among them. No configuration: beside a project's own `bin` it may hold passwords.
const BESIDE_PROGRAMS: [&str; 6] = ["lib", "lib64", "libexec", "share", "include", "pyvenv.cfg"];

/// Lists what the programs of a folder of `PATH` may need beside it; nothing where the folder is no place of programs only.
fn beside_programs(folder: &Path) -> Vec<PathBuf> {
    let prefix = folder.parent().filter(|_| folder.ends_with("bin") || folder.ends_with("shims"));
    prefix.into_iter().flat_map(|prefix| BESIDE_PROGRAMS.map(|name| prefix.join(name))).collect()
}

/// Gives the file that a program is, where it was named by its path. A job's own processes (`/proc`) are not the machine's
/// to show.
fn named_by_path(program: &Program) -> Option<PathBuf> {
    let first = match program {
        Program::Argv(words) => words.first()?.as_str(),
        Program::Shell(line) => line.split_whitespace().next()?,
    };
    Some(PathBuf::from(first)).filter(|path| path.is_absolute() && !path.starts_with("/proc") && path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_programs_lies_what_they_need_and_no_configuration() {
        let beside = beside_programs(Path::new("/home/me/tool/bin"));
        assert!(beside.contains(&"/home/me/tool/lib".into()) && beside.contains(&"/home/me/tool/pyvenv.cfg".into()));
        for kept in ["", "conf", "config", "etc", ".env"] {
            assert!(!beside.contains(&Path::new("/home/me/tool").join(kept)), "{kept}");
        }
        assert!(beside_programs(Path::new("/home/me/scripts")).is_empty());
    }
}
