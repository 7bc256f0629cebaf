//! Owns what may be known of a coordinator from outside: how far it is, and why it can store no more.

use crate::machine::laws::Broken;

/// Tells what may be known of a coordinator from outside.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The last stored event.
    pub seq: u64,
    /// Whether nothing is under way and nothing is owed.
    pub is_idle: bool,
    /// Whether the run has ended or rests.
    pub is_resting: bool,
    /// Why it can store no more, where it cannot.
    pub lost: Option<Lost>,
}

/// Says why a coordinator can store no more.
#[derive(Debug, Clone)]
pub enum Lost {
    /// Another coordinator has taken the run over.
    PassedOver,
    /// The journal cannot be written; what it said.
    Journal(String),
    /// What was to be stored next would break a law of the machine.
    Broken(Broken),
    /// The state that it acted on is not what the journal gives up to this event.
    Untrue(u64),
}
