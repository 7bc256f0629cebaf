//! Owns what leads a session from its sandbox to artel: to its tools always, to models where artel has a key. Never
//! opens one.

use std::fmt;

/// Names the variable that holds a session's token.
pub const TOKEN_VARIABLE: &str = "ARTEL_TOKEN";
/// Names the variable that holds the address of a session's gate.
pub(super) const GATE_VARIABLE: &str = "ARTEL_GATE";
/// Names the server of a session's tools.
pub(super) const TOOLS: &str = "artel";

/// Leads one session to artel.
#[derive(Clone, PartialEq, Eq)]
pub struct Door {
    token: String,
    leads_to_models: bool,
}

impl Door {
    /// Leads to the session's tools alone: the agent asks its model by its own login.
    pub fn to_tools(token: String) -> Self {
        Self { token, leads_to_models: false }
    }

    /// Leads to the session's tools and to models, where the token stands in the place of a key.
    pub fn to_models_and_tools(token: String) -> Self {
        Self { token, leads_to_models: true }
    }

    /// Gives what the session is known by.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Gives what stands in the place of a key, where artel has one.
    pub(super) fn key(&self) -> Option<&str> {
        self.leads_to_models.then_some(self.token.as_str())
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("leads_to_models", &self.leads_to_models).finish_non_exhaustive()
    }
}
