//! Owns a person's edit of a plan: the tasks as they are to be run. Never says whether it is sound: the law does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::ScopeId;
use super::task::TaskDraft;

/// Holds a plan as a person wants it. What it lacks is taken out, what it adds is added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanEdit {
    /// How often the plan had been edited when this was made of it: an edit of an older plan is refused.
    pub revision: u32,
    /// All tasks that are to be run, known ones by their keys.
    pub tasks: Vec<EditedTask>,
}

/// Holds one task of an edited plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EditedTask {
    /// The scope whose it is; none is where it is, or the outermost for a new one.
    #[serde(default)]
    pub scope: Option<ScopeId>,
    /// What it is.
    #[serde(flatten)]
    pub draft: TaskDraft,
}
