//! Owns the brief that a worker is or would be given, as it stands in its prompt byte for byte. Sets nobody to work.

use std::path::Path;
use std::sync::Arc;

use super::AppError;
use crate::actors::briefing::brief;
use crate::actors::order;
use crate::actors::world::Ground;
use crate::io::git::Repo;
use crate::machine::state::State;
use crate::model::ids::TaskId;

/// Gives the brief of a task's running attempt, or of the one that would come next; nothing where the run has no such task,
/// or its work needs no brief.
///
/// # Errors
/// Where the repository is not there, or the prompt cannot be filled.
pub fn brief_of(state: &State, task: TaskId) -> Result<Option<String>, AppError> {
    let Some(opening) = &state.opening else { return Ok(None) };
    let Some(order) = order::next(state, task) else { return Ok(None) };
    let repo = Repo::discover(Path::new(&opening.repo))?;
    let ground = Ground::new(Arc::clone(opening), repo);
    brief(&ground, &order).map(|brief| Some(brief.text)).map_err(|what| AppError::Brief { task, what })
}
