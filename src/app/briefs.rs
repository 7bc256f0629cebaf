//! Owns the brief that a worker is or would be given, as it stands in its prompt byte for byte, and how many tokens it has for
//! who reads it. Sets nobody to work.

use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gateway::open_gateway;
use super::{AppError, Place};
use crate::actors::briefing::brief;
use crate::actors::order;
use crate::actors::world::{Ground, told};
use crate::io::git::Repo;
use crate::machine::state::State;
use crate::model::ids::TaskId;
use crate::model::role::AgentRef;

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
    /// Who is given it.
    pub agent: AgentRef,
    /// How long it is in tokens.
    pub tokens: u64,
    /// Whether that was counted, not estimated.
    pub exact: bool,
    /// How it was counted or estimated.
    pub counted: String,
}

/// Gives the brief of a task's running attempt, or of the one that would come next, its tokens estimated; nothing where the
/// run has no such task, or its work needs no brief.
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
    let brief = brief(&ground, &order).map_err(|what| AppError::Brief { task, what })?.text;
    let tokens = u64::try_from(brief.len().div_ceil(TOKEN_BYTES)).unwrap_or(u64::MAX);
    let counted = format!("bytes / {TOKEN_BYTES}");
    Ok(Some(Brief { brief, role, task, agent: order.agent, tokens, exact: false, counted }))
}

impl Brief {
    /// Says how many tokens it has, and how that is known.
    pub fn length(&self) -> String {
        let Self { tokens, counted, exact, .. } = self;
        format!("{}{tokens} tokens ({counted})", if *exact { "" } else { "about " })
    }

    /// Has the provider of the agent's model count its tokens, by artel's own key; waits for the answer.
    ///
    /// # Errors
    /// Says why nobody counted: artel does not know the model, has no key, or the provider says no.
    pub fn counted(self, place: &Place) -> Result<Self, AppError> {
        let failed = |why| AppError::Uncounted { agent: self.agent.to_string(), why, estimate: self.length() };
        let unnamed = "artel does not know which model it asks; `claude:MODEL`, `codex:MODEL` and `llm:MODEL` name one";
        let (provider, model) = self.agent.model().ok_or_else(|| failed(unnamed.to_owned()))?;
        let gateway = open_gateway(place)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| failed(error.to_string()))?;
        let tokens = runtime.block_on(gateway.count(provider, model, &self.brief));
        let tokens = tokens.map_err(|error| failed(told(&error)))?;
        let counted = format!("counted for {} by its provider", self.agent);
        Ok(Self { tokens, exact: true, counted, ..self })
    }
}
