//! Owns the names of the tiers in which agents and checks are held. Never builds one.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Says how agents and checks are held apart from the rest of the machine; the later holds more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Not at all: process groups and limits.
    None,
    /// By Landlock and seccomp, without namespaces.
    Landlock,
    /// By bubblewrap: namespaces, seccomp, no capabilities.
    Bubblewrap,
}

impl Tier {
    /// Lists the tiers, the one that holds most first.
    pub const ALL: [Self; 3] = [Self::Bubblewrap, Self::Landlock, Self::None];

    /// Gives the name as people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Landlock => "landlock",
            Self::Bubblewrap => "bubblewrap",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Says that a text names no tier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no sandbox: use bubblewrap, landlock or none")]
pub struct NoSuchTier(String);

impl FromStr for Tier {
    type Err = NoSuchTier;
    fn from_str(text: &str) -> Result<Self, NoSuchTier> {
        Self::ALL.into_iter().find(|tier| tier.name() == text).ok_or_else(|| NoSuchTier(text.to_owned()))
    }
}
