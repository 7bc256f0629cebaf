//! Owns the port to a model: what it is asked, what it answers, and how asking fails. Never chooses what to ask.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::io::tools::{Pending, Tool};

/// Answers one question after another; what was said before is told each time.
pub trait Model: Send + Sync {
    /// Asks, and gives the whole answer when it has come.
    ///
    /// # Errors
    /// Says how asking failed, and by that whether to ask again.
    fn ask<'a>(&'a self, ask: &'a Ask) -> Pending<'a, Result<Answer, Failure>>;
}

/// Holds all that a model is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// What it is told of its part before all else.
    pub system: String,
    /// What was said so far, the last by somebody else than the model.
    pub messages: Vec<Message>,
    /// What it may call.
    pub tools: Vec<Tool>,
}

/// Holds what one side said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Message {
    /// artel, in words.
    Said(String),
    /// The model.
    Answered(Answer),
    /// artel, of what the model called for, in the order of its calls.
    Done(Vec<Outcome>),
}

/// Holds what a model answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Its words.
    pub text: String,
    /// What it thought, as far as it shows that.
    pub thought: String,
    /// What it calls for, in order.
    pub calls: Vec<Call>,
    /// Why it stopped.
    pub stop: Stop,
    /// Tokens that it read, as it told; 0 where it did not.
    pub read: u64,
    /// Tokens that it wrote.
    pub written: u64,
    /// All of it in the form in which it is to be given back to the same model: with the signatures of what it thought.
    pub form: Value,
}

/// Holds one call of a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The name of the call.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its arguments; a text where the model wrote no sound JSON.
    pub arguments: Value,
}

/// Holds what came of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The name of the call.
    pub id: String,
    /// The tool.
    pub name: String,
    /// What the tool says.
    pub text: String,
    /// Whether it could not do what it was to do.
    pub is_error: bool,
    /// What people said meanwhile, which the model is told with it and which no shortening takes away.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub told: String,
}

/// Says why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// It has said all.
    Done,
    /// It waits for what it called for.
    Calls,
    /// Its answer reached the greatest length.
    Length,
    /// It, or who watches over it, does not want to answer.
    Refused,
}

/// Says how asking failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It may go well when it is asked again.
    #[error("{0}")]
    Passing(String),
    /// It will go no better when it is asked again.
    #[error("{0}")]
    Lasting(String),
    /// A limit of hours is met.
    #[error("{0}")]
    Limited(String),
    /// There is more than the model can read.
    #[error("{0}")]
    TooLong(String),
}
