//! Owns what is left of an attempt that a limit ended, and how the next takes it up again. Never says when.

use std::path::PathBuf;

use super::order::Order;
use super::world::{World, told};
use crate::io::agents::{Desk, Resumed};
use crate::io::git::GitError;
use crate::machine::state::State;
use crate::model::attempt::Outcome;
use crate::model::ids::{AttemptId, Oid};

/// Names a session that is taken up again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resuming {
    /// The attempt that a limit ended.
    pub attempt: AttemptId,
    /// The agent's own name for its session; none where it has told none.
    pub session: Option<String>,
}

/// Says which session an attempt takes up again, where it does.
pub(super) fn resuming(state: &State, id: AttemptId) -> Option<Resuming> {
    let number = state.attempt(id)?.resumes?;
    let attempt = AttemptId { task: id.task, number };
    let session = state.attempt(attempt)?.parked.as_ref()?.session.clone();
    Some(Resuming { attempt, session })
}

/// Names the session that an attempt takes up again, where its agent has told which that is.
pub(super) fn resumed(world: &World, order: &Order) -> Option<Resumed> {
    let Resuming { attempt, session } = order.resumes.as_ref()?;
    Resumed::of(session.as_deref()?, Desk::at(world.desk(&attempt.to_string())))
}

/// Gives the file in which an attempt of artel's own loop keeps what was said when a limit ends it.
pub(super) fn turns_file(world: &World, attempt: AttemptId) -> PathBuf {
    world.desk(&format!("{attempt}-note")).join("turns.json")
}

/// Gives the commit that keeps what an attempt had made; none where that is nothing, or nothing that a commit may hold.
pub(super) fn kept(order: &Order, made: Result<Outcome, GitError>) -> Option<Oid> {
    match made {
        Ok(Outcome::Candidate(candidate)) => Some(candidate.commit),
        Ok(Outcome::Nothing | Outcome::Blocked { .. }) => None,
        Ok(Outcome::Failed { why }) => {
            tracing::warn!(attempt = %order.attempt, why, "what it had made is not kept");
            None
        }
        Err(error) => {
            tracing::warn!(attempt = %order.attempt, error = told(&error), "what it had made is not kept");
            None
        }
    }
}
