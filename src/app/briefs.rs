//! Owns the brief that a worker is or would be given, as it stands in its prompt byte for byte. Sets nobody to work.

use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AppError;
use crate::actors::briefing::brief;
use crate::actors::order;
use crate::actors::world::Ground;
use crate::io::git::Repo;
use crate::machine::state::State;
use crate::model::ids::TaskId;

/// Bytes of a token, about, in the tokenizers of today's models over English and code.
const TOKEN_BYTES: usize = 4;

/// Holds what an agent is told of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Brief {
    /// All of it, byte for byte.
    pub brief: String,
    /// The role that does the task.
    pub role: String,
    /// The task.
    pub task: TaskId,
    /// How long it is in tokens, about.
    pub tokens: usize,
}

/// Gives the brief of a task's running attempt, or of the one that would come next; nothing where the run has no such task,
/// or its work needs no brief.
///
/// # Errors
/// Where the repository is not there, or the prompt cannot be filled.
pub fn brief_of(state: &State, task: TaskId) -> Result<Option<Brief>, AppError> {
    let Some(opening) = &state.opening else { return Ok(None) };
    let Some(order) = order::next(state, task) else { return Ok(None) };
    let does = state.tasks.get(&task).and_then(|task| state.role_of(task));
    let role = does.map(|role| role.name.clone()).unwrap_or_default();
    let repo = Repo::discover(Path::new(&opening.repo))?;
    let ground = Ground::new(Arc::clone(opening), repo);
    let made = brief(&ground, &order).map_err(|what| AppError::Brief { task, what })?.text;
    let tokens = made.len().div_ceil(TOKEN_BYTES);
    Ok(Some(Brief { brief: made, role, task, tokens }))
}
