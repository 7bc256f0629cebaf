//! Owns what waits for a person's word before it lands: rules as data, what a candidate is held against them by, and
//! what becomes of a word that does not come. Never looks at a repository.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::goal::{Gate, Goal};

/// Holds the rules by which candidates and spending wait for a person's word.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Gating {
    /// Globs of files whose every change waits.
    pub paths: Vec<String>,
    /// Roles whose every candidate waits.
    pub roles: BTreeSet<String>,
    /// Lines, added and taken out together, that a candidate may change without a word.
    pub lines: Option<u64>,
    /// Files that a candidate may change without a word.
    pub files: Option<u32>,
    /// Money for calls to models after which the run waits, each time it has spent so much more, in nano-dollars.
    pub nano_usd: Option<u64>,
    /// What becomes of a word that does not come; none is waited for without end.
    pub timeout: Option<Timeout>,
}

/// Says how long a word is waited for, and what happens then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Timeout {
    /// How long, in seconds.
    pub after_s: u64,
    /// What happens then.
    pub then: Then,
}

impl Timeout {
    /// Tells when a word is overdue that has been waited for since then, both in milliseconds since 1970.
    pub fn overdue_ms(self, since_ms: i64) -> i64 {
        since_ms.saturating_add(i64::try_from(self.after_s).unwrap_or(i64::MAX).saturating_mul(1000))
    }
}

/// Says what happens when a word has not come in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// What waits is refused.
    Deny,
    /// What waits goes on.
    Approve,
    /// The run stops; what waits still does.
    Stop,
    /// It waits on, and is told of again, louder.
    Escalate,
}

impl Then {
    /// Names it as goal files write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Approve => "approve",
            Self::Stop => "stop",
            Self::Escalate => "escalate",
        }
    }
}

/// Measures a change by what the rules ask about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Extent {
    /// Files that differ.
    pub files: u32,
    /// Lines that were added or taken out.
    pub lines: u64,
    /// Those of the files whose every change waits, in order.
    pub guarded: Vec<String>,
}

/// States one reason for which a candidate waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Every landing waits.
    Landing,
    /// Every candidate of this role waits.
    Role(String),
    /// It changes these files.
    Paths(Vec<String>),
    /// It changes more lines than may be changed without a word.
    Lines {
        /// How many it changes.
        lines: u64,
        /// How many may be.
        limit: u64,
    },
    /// It changes more files than may be changed without a word.
    Files {
        /// How many it changes.
        files: u32,
        /// How many may be.
        limit: u32,
    },
}

/// Tells whether candidates may wait for a word, so that what they change is measured.
pub fn measures(goal: &Goal) -> bool {
    let Gating { paths, roles, lines, files, nano_usd: _, timeout: _ } = &goal.gating;
    let has_rule = !paths.is_empty() || !roles.is_empty() || lines.is_some() || files.is_some();
    has_rule || goal.approve.contains(&Gate::Landing)
}

/// Lists all for which a change by a role waits; none where it may land as it is.
pub fn reasons(goal: &Goal, role: &str, extent: &Extent) -> Vec<Reason> {
    let Gating { paths: _, roles, lines, files, nano_usd: _, timeout: _ } = &goal.gating;
    let mut reasons = Vec::new();
    if goal.approve.contains(&Gate::Landing) {
        reasons.push(Reason::Landing);
    }
    if roles.contains(role) {
        reasons.push(Reason::Role(role.to_owned()));
    }
    if !extent.guarded.is_empty() {
        reasons.push(Reason::Paths(extent.guarded.clone()));
    }
    if let Some(limit) = lines.filter(|limit| extent.lines > *limit) {
        reasons.push(Reason::Lines { lines: extent.lines, limit });
    }
    if let Some(limit) = files.filter(|limit| extent.files > *limit) {
        reasons.push(Reason::Files { files: extent.files, limit });
    }
    reasons
}

/// Tells whether who said yes to some reasons has said yes to others: to each of them, and to no less of it.
pub fn covers(said: &[Reason], asked: &[Reason]) -> bool {
    asked.iter().all(|asked| {
        said.iter().any(|said| match (said, asked) {
            (Reason::Landing, Reason::Landing) => true,
            (Reason::Role(said), Reason::Role(asked)) => said == asked,
            (Reason::Paths(said), Reason::Paths(asked)) => asked.iter().all(|path| said.contains(path)),
            (Reason::Lines { lines: said, .. }, Reason::Lines { lines, .. }) => lines <= said,
            (Reason::Files { files: said, .. }, Reason::Files { files, .. }) => files <= said,
            (Reason::Landing | Reason::Role(_) | Reason::Paths(_) | Reason::Lines { .. } | Reason::Files { .. }, _) => {
                false
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(paths: &[&str]) -> Reason {
        Reason::Paths(paths.iter().map(|path| (*path).to_owned()).collect())
    }

    fn lines(lines: u64) -> Reason {
        Reason::Lines { lines, limit: 10 }
    }

    #[test]
    fn a_yes_covers_what_was_asked_and_less_of_it_and_nothing_more() {
        let said = [paths(&["a", "b"]), lines(40)];
        assert!(covers(&said, &[]));
        assert!(covers(&said, &[lines(39), paths(&["b"])]));
        for more in [lines(41), paths(&["b", "c"]), Reason::Landing, Reason::Role("worker".into())] {
            assert!(!covers(&said, std::slice::from_ref(&more)), "{more:?}");
        }
        assert!(!covers(&[Reason::Role("a".into())], &[Reason::Role("b".into())]));
        assert!(!covers(&[Reason::Files { files: 3, limit: 1 }], &[Reason::Files { files: 4, limit: 1 }]));
    }
}
