//! Owns how much a change changes, as far as the goal's gates ask: files, lines, and which of the files are guarded. Says
//! nothing of what that means.

use super::world::World;
use crate::io::git::GitError;
use crate::model::gating::{Extent, measures};
use crate::model::globs::globs;
use crate::model::ids::Oid;

/// Measures what lies between two trees; of a goal that asks for no measure, nothing.
///
/// # Errors
/// Fails where a tree or blob is missing.
pub fn measure(world: &World, old: Oid, new: Oid) -> Result<Extent, GitError> {
    let goal = &world.opening.goal;
    if !measures(goal) || old == new {
        return Ok(Extent::default());
    }
    // The goal was read with these globs; what cannot be matched guards everything rather than nothing.
    let guard = globs(&goal.gating.paths).ok();
    let is_guarded = |path: &str| guard.as_ref().is_none_or(|guard| guard.is_match(path));
    let changes = world.repo.diff(old, new)?;
    let files = u32::try_from(changes.len()).unwrap_or(u32::MAX);
    let guarded = changes.into_iter().map(|change| change.path).filter(|path| is_guarded(path)).collect();
    Ok(Extent { files, lines: world.repo.count_lines(old, new)?, guarded })
}
