//! Owns the notice: one thing that a person is told of a run while nobody looks. Never says when, never sends it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::{RunId, TaskId};

/// Says why a person is told something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A run or task goes on once a person has said or mended something.
    NeedsInput,
    /// A word was waited for as long as the goal says and did not come: somebody else is to see to it.
    Escalated,
    /// A run or task ended without what was wanted.
    Failed,
    /// A run ended well, or a person ended it.
    Finished,
    /// A share of a budget is used.
    Budget,
}

impl Cause {
    /// Lists all.
    pub const ALL: [Self; 5] = [Self::NeedsInput, Self::Escalated, Self::Failed, Self::Finished, Self::Budget];

    /// Names it, as configuration and notices do.
    pub fn word(self) -> &'static str {
        match self {
            Self::NeedsInput => "needs_input",
            Self::Escalated => "escalated",
            Self::Failed => "failed",
            Self::Finished => "finished",
            Self::Budget => "budget",
        }
    }
}

/// Tells one thing. All its texts are inert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    /// Its name, the same however often it is sent.
    pub id: String,
    /// Why it is told.
    pub cause: Cause,
    /// The run.
    pub run: RunId,
    /// The user's own name for it.
    pub name: Option<String>,
    /// The task; none where it is the run itself.
    pub task: Option<TaskId>,
    /// What it is about.
    pub title: String,
    /// What there is to say.
    pub why: String,
    /// The command that a person would give next.
    pub next: String,
    /// The share of a budget that is used, in percent.
    pub percent: Option<u64>,
    /// The event by which it became true.
    pub seq: u64,
    /// Which of the notices of that event it is, from 1.
    pub number: u32,
    /// When that event was decided, in milliseconds since 1970.
    pub at_ms: i64,
}

impl Notice {
    /// Says it in one line.
    pub fn line(&self) -> String {
        let what = self.task.map_or_else(|| self.run.to_string(), |task| format!("{}/{task}", self.run));
        let cause = match self.cause {
            Cause::NeedsInput => "needs you",
            Cause::Escalated => "escalated",
            Cause::Failed => "failed",
            Cause::Finished => "finished",
            Cause::Budget => "budget",
        };
        format!("{what} {cause}: {} ({})", self.why, self.title)
    }
}
