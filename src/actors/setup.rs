//! Owns the repository's set-up commands: run in a worktree before whoever took it does anything there. Never says
//! what their failure means.

use std::collections::BTreeMap;

use tokio::sync::watch;

use super::room::{Access, Room, Whose, Work};
use super::world::{World, told};
use crate::io::agents::Desk;
use crate::io::git::{OwnGit, Tree};
use crate::io::hands::{Ended, JobLimits};
use crate::io::process::{How, Program};
use crate::model::role::Grants;

/// Bytes of a set-up command's output that its failure quotes.
const TAIL_BYTES: usize = 4 << 10;

/// Says why a worktree is not set up.
#[derive(Debug, thiserror::Error)]
pub enum NotSetUp {
    /// It is wanted no longer.
    #[error("set up a worktree: it is wanted no longer")]
    Cancelled,
    /// A command did not do its work; says which and how.
    #[error("{0}")]
    Failed(String),
}

/// Says for whom a worktree is set up.
pub struct For<'a> {
    /// The attempt or check, as its log is named.
    pub name: &'a str,
    /// Which of the two it is.
    pub whose: Whose,
    /// What it is given beside its worktree.
    pub grants: &'a Grants,
    /// The git that is found in the worktree, where that is not the repository's.
    pub git: Option<&'a OwnGit>,
    /// What each command may use.
    pub limits: JobLimits,
}

/// Runs the repository's set-up commands in a worktree, unless they have run there and what they left is there still.
///
/// # Errors
/// The first command that does not exit with 0, or that nobody waits for the end any more.
pub async fn set_up(
    world: &World,
    tree: &mut Tree,
    whom: &For<'_>,
    cancelled: watch::Receiver<bool>,
) -> Result<(), NotSetUp> {
    if tree.is_set_up() {
        return Ok(());
    }
    let failed = |line: &str, why: String| NotSetUp::Failed(format!("set up a worktree: `{line}` {why}"));
    for (number, line) in world.opening.config.setup.iter().enumerate() {
        let name = format!("{}-setup-{}", whom.name, number + 1);
        let desk = Desk::at(world.desk(&name));
        desk.lay(&BTreeMap::new()).map_err(|error| NotSetUp::Failed(told(&error)))?;
        let room = Room {
            whose: whom.whose,
            tree,
            access: Access::Write,
            desk: &desk,
            grants: whom.grants,
            git: whom.git,
            ports: None,
        };
        let work = Work {
            program: Program::Shell(line.clone()),
            env: BTreeMap::new(),
            read: &[],
            limits: whom.limits,
            log: &name,
            tail_bytes: TAIL_BYTES,
        };
        let job = world.job(&room, work).map_err(NotSetUp::Failed)?;
        let ended = world.hands.run(job, cancelled.clone()).await;
        world.clear_tmp(&desk).await;
        match ended {
            Ok(Ended { how: How::Exited(0), .. }) => {}
            Ok(Ended { how: How::Cancelled, .. }) => return Err(NotSetUp::Cancelled),
            Ok(ended) => return Err(failed(line, format!("{}:\n{}", ended.how, ended.tail.trim_end()))),
            Err(error) => return Err(failed(line, format!("could not be run: {}", told(&error)))),
        }
    }
    tree.note_set_up();
    Ok(())
}
