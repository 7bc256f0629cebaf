//! Owns the reasons for which a request is not sent, in words for whoever reads them, and what HTTP makes of each.

use crate::model::means::Means;
use crate::model::spend::Usd;

/// Says why a request was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The purse does not hold enough.
    #[error("the budget is reached: {what}")]
    BudgetReached {
        /// Which budget, in words.
        what: String,
        /// What the call may have needed.
        wants: Means,
    },
    /// The session has made all its calls.
    #[error("this session may make {limit} calls and has made them")]
    Calls {
        /// How many it may make.
        limit: u64,
    },
    /// The session's tokens may not suffice.
    #[error("this session may use {limit} tokens; {used} are used, and the call may need {wanted}")]
    Tokens {
        /// How many it may use.
        limit: u64,
        /// How many it has used.
        used: u64,
        /// How many the call may use.
        wanted: u64,
    },
    /// The session's money may not suffice.
    #[error("this session may spend {}; {} are spent, and the call may need {}", Usd(*limit), Usd(*used), Usd(*wanted))]
    Money {
        /// What it may spend, in nano-dollars.
        limit: u64,
        /// What it has spent, in nano-dollars.
        used: u64,
        /// What the call may cost, in nano-dollars.
        wanted: u64,
    },
    /// The same request was answered over and over.
    #[error("the same request was answered {times} times in a row")]
    Repeats {
        /// How often.
        times: u32,
    },
    /// Calls failed over and over.
    #[error("{times} calls failed in a row")]
    Errors {
        /// How many.
        times: u32,
    },
    /// All sessions together spend too fast.
    #[error(
        "this run spent {} within a minute; {} are allowed (`usd_per_minute` of gateway.toml)",
        Usd(*spent),
        Usd(*limit)
    )]
    SpendRate {
        /// What was spent within a minute, in nano-dollars.
        spent: u64,
        /// What may be, in nano-dollars.
        limit: u64,
    },
    /// The session or the configuration does not allow the model.
    #[error("the model `{model}` is not allowed here; allowed are {allowed}")]
    Model {
        /// The model.
        model: String,
        /// The globs of what is.
        allowed: String,
    },
    /// Nobody knows what the model costs.
    #[error("the model `{model}` of `{provider}` has no price; write one into `prices.toml`, or set `unknown_models`")]
    Unpriced {
        /// The provider.
        provider: String,
        /// The model.
        model: String,
    },
    /// The request asks for more than tokens.
    #[error("`{what}` is neither priced nor held by the sandbox; `extras = true` of the provider allows it")]
    Extra {
        /// The tool or the field.
        what: String,
    },
    /// The provider takes no calls for longer than is waited here.
    #[error("the provider takes no calls until {until_ms} (milliseconds since 1970)")]
    Limited {
        /// Until when, in milliseconds since 1970.
        until_ms: i64,
    },
    /// There is no key.
    #[error("there is no key for `{provider}`: {why}")]
    NoKey {
        /// The provider.
        provider: String,
        /// What was tried, without the key.
        why: String,
    },
    /// The provider does not accept the key.
    #[error("`{provider}` does not accept the key that artel has for it")]
    KeyRefused {
        /// The provider.
        provider: String,
    },
    /// The provider does not let the key ask the model.
    #[error("`{provider}` does not let the key that artel has for it ask `{model}`")]
    Forbidden {
        /// The provider.
        provider: String,
        /// The model.
        model: String,
    },
    /// The provider's account has nothing left to pay with.
    #[error("`{provider}` says that its account is out of credit")]
    OutOfCredit {
        /// The provider.
        provider: String,
    },
    /// The way out is not the session's, or leads where none may.
    #[error("{what}")]
    Egress {
        /// What is wrong with it.
        what: String,
    },
    /// The request is none that the gateway knows.
    #[error("{what}")]
    Stray {
        /// The HTTP status that says so.
        status: u16,
        /// What is wrong with it.
        what: String,
    },
    /// The session is over, or the client is gone.
    #[error("nobody waits for the answer any longer")]
    Closed,
}

impl Refusal {
    /// Makes the refusal of a request that is no good, with status 400.
    pub(super) fn bad(what: impl Into<String>) -> Self {
        Self::Stray { status: 400, what: what.into() }
    }

    /// Gives the HTTP status that it is answered with; 400 is what no client tries again.
    pub fn status(&self) -> u16 {
        match self {
            Self::Stray { status, .. } => *status,
            Self::Limited { .. } => 429,
            Self::Egress { .. } => 403,
            Self::BudgetReached { .. }
            | Self::Calls { .. }
            | Self::Tokens { .. }
            | Self::Money { .. }
            | Self::Repeats { .. }
            | Self::Errors { .. }
            | Self::SpendRate { .. }
            | Self::Model { .. }
            | Self::Unpriced { .. }
            | Self::Extra { .. }
            | Self::NoKey { .. }
            | Self::KeyRefused { .. }
            | Self::Forbidden { .. }
            | Self::OutOfCredit { .. }
            | Self::Closed => 400,
        }
    }

    /// Names it in one word, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BudgetReached { .. } => "budget_reached",
            Self::Calls { .. } => "call_limit",
            Self::Tokens { .. } => "token_limit",
            Self::Money { .. } => "money_limit",
            Self::Repeats { .. } => "repeats",
            Self::Errors { .. } => "errors",
            Self::SpendRate { .. } => "spend_rate",
            Self::Model { .. } => "model_not_allowed",
            Self::Unpriced { .. } => "unpriced",
            Self::Extra { .. } => "extra",
            Self::Limited { .. } => "limited",
            Self::NoKey { .. } => "no_key",
            Self::KeyRefused { .. } => "key_refused",
            Self::Forbidden { .. } => "key_forbidden",
            Self::OutOfCredit { .. } => "out_of_credit",
            Self::Egress { .. } => "egress",
            Self::Stray { .. } => "stray",
            Self::Closed => "closed",
        }
    }

    /// Tells whether the session can make no more calls because of it.
    pub fn ends_session(&self) -> bool {
        match self {
            Self::BudgetReached { .. }
            | Self::Calls { .. }
            | Self::Tokens { .. }
            | Self::Money { .. }
            | Self::Repeats { .. }
            | Self::Errors { .. }
            | Self::SpendRate { .. }
            | Self::NoKey { .. }
            | Self::OutOfCredit { .. }
            | Self::KeyRefused { .. } => true,
            Self::Model { .. }
            | Self::Unpriced { .. }
            | Self::Extra { .. }
            | Self::Limited { .. }
            | Self::Forbidden { .. }
            | Self::Egress { .. }
            | Self::Stray { .. }
            | Self::Closed => false,
        }
    }

    /// Tells whether it says that the provider cannot be used for now, whoever asks and for whatever.
    pub fn is_of_the_provider(&self) -> bool {
        match self {
            Self::Errors { .. }
            | Self::NoKey { .. }
            | Self::KeyRefused { .. }
            | Self::Forbidden { .. }
            | Self::OutOfCredit { .. } => true,
            Self::BudgetReached { .. }
            | Self::Calls { .. }
            | Self::Tokens { .. }
            | Self::Money { .. }
            | Self::Repeats { .. }
            | Self::SpendRate { .. }
            | Self::Model { .. }
            | Self::Unpriced { .. }
            | Self::Extra { .. }
            | Self::Limited { .. }
            | Self::Egress { .. }
            | Self::Stray { .. }
            | Self::Closed => false,
        }
    }
}
