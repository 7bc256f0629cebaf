//! Owns why a notice was not taken. Never holds a secret.

/// Says why a notice was not taken, without what is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsent {
    /// Why.
    pub why: String,
    /// Whether trying again is of no use.
    pub is_final: bool,
}

impl Unsent {
    /// States something that may pass.
    pub fn for_now(why: impl Into<String>) -> Self {
        Self { why: why.into(), is_final: false }
    }

    /// States something that stays.
    pub fn for_good(why: impl Into<String>) -> Self {
        Self { why: why.into(), is_final: true }
    }
}
