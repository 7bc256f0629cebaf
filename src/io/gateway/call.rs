//! Owns what is known of one call to a model, and of all calls of one session. Never decides on one.

use super::refusal::Refusal;
use crate::model::means::Means;
pub use crate::model::spend::Tokens;

/// Names the form in which a model is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// Anthropic's Messages.
    Messages,
    /// OpenAI's Responses.
    Responses,
    /// OpenAI's Chat Completions, which many others speak too.
    Chat,
    /// Gemini's generateContent.
    Gemini,
}

impl Api {
    /// Names it in one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Responses => "responses",
            Self::Chat => "chat",
            Self::Gemini => "gemini",
        }
    }
}

/// Says how a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The provider answered to the end and told what it counted.
    Complete,
    /// The answer broke off, or what it cost was not told: charged at what it may have cost.
    Cut,
    /// The provider answered with an error, or was not reached: free, unless it may have begun to work.
    Failed,
    /// It was not sent.
    Refused(Refusal),
}

/// Accounts for one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Counts the session's calls and refusals, from 1.
    pub number: u64,
    /// How the model was asked; nothing where that was not to be seen.
    pub api: Option<Api>,
    /// The provider, by its name in the configuration; empty where that was not to be seen.
    pub provider: String,
    /// The model, as the request names it; empty where it names none.
    pub model: String,
    /// The HTTP status that the client got; 0 where it was gone by then.
    pub status: u16,
    /// Whether the answer came as a stream of events.
    pub streamed: bool,
    /// What was counted: by the provider, or at least what was seen where the call was cut.
    pub tokens: Tokens,
    /// What was reserved for it.
    pub reserved: Means,
    /// What it cost, in nano-dollars: for a cut call, what it cost at most.
    pub nano_usd: u64,
    /// Whether the model has a price; a call without one is free.
    pub priced: bool,
    /// Time from the request to the end of the answer, in milliseconds.
    pub ms: u64,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Bytes of the answer's body that came from the provider.
    pub response_bytes: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// The version of the rules by which it was made or refused.
    pub policy: String,
}

/// Sums up a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metered {
    /// Calls that were sent.
    pub calls: u64,
    /// Calls that broke off.
    pub cut: u64,
    /// Calls that ended in an error.
    pub failed: u64,
    /// Requests that were refused, those that were not told one by one among them.
    pub refusals: u64,
    /// All tokens.
    pub tokens: Tokens,
    /// What all calls cost, in nano-dollars.
    pub nano_usd: u64,
    /// Calls to models without a price.
    pub unpriced: u64,
    /// Why the session can make no more calls, where that is so: the first reason.
    pub refused: Option<Refusal>,
    /// Until when a provider takes no more calls, in milliseconds since 1970: the latest such time that was told.
    pub limited_until_ms: Option<i64>,
    /// Whether no call was answered since.
    pub is_limited: bool,
    /// Why a provider could not be used, where no call was answered since.
    pub unusable: Option<String>,
}

impl Metered {
    /// Gives what a call would have needed that a budget had too little for, where that ended the session.
    pub fn lacked(&self) -> Option<Means> {
        match &self.refused {
            Some(Refusal::BudgetReached { wants, .. }) => Some(*wants),
            Some(_) | None => None,
        }
    }
}
