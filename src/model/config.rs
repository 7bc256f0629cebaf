//! Owns `artel.toml`: what belongs to a repository rather than to one goal. Never reads the file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::goal::Budget;
use super::goal_text::WrittenBudget;
use super::sandbox::Tier;
use super::{listers, protected};

/// Holds the repository's configuration; every field has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Commands run by `sh -c` once in each new worktree, of attempts and of checks, before anything else. What they make
    /// stays between attempts where git ignores it and `warm` names it; else they are run again.
    pub setup: Vec<String>,
    /// Checks of a goal that names none.
    pub checks: Vec<String>,
    /// Globs of files that no attempt may change. In `artel.toml` they are added to the defaults; `!GLOB` takes one of
    /// the defaults out. A lock file that a task owns by name is the task's.
    pub protect: Vec<String>,
    /// Git-ignored folders that stay in a pooled worktree between attempts, such as `target`.
    pub warm: Vec<String>,
    /// Attempts at one time; 0 is the number of processors.
    pub workers: u32,
    /// Checks at one time; 0 is half the number of processors, at least 1.
    pub judges: u32,
    /// First part of every branch that artel makes.
    pub branch_prefix: String,
    /// Names of environment variables that agents and checks are given, beside the short default list.
    pub env: BTreeSet<String>,
    /// Environment variables set for agents and checks; `{worktree}`, `{cache}` and `{tmp}` are filled in.
    pub set: BTreeMap<String, String>,
    /// The least sandbox in which this repository's agents and checks may run. It raises what the user asks for and
    /// never lowers it.
    pub sandbox: Option<Tier>,
    /// Paths outside the worktree that all sandboxed agents and checks may read and run; absolute.
    pub read: BTreeSet<PathBuf>,
    /// How long an attempt that no session plays any more counts as running, in seconds.
    pub lease_s: u64,
    /// Space that must be free where state and the repository lie for an attempt to be begun, in MiB; 0 asks for none.
    pub free_mib_min: u64,
    /// How often a check that gave two answers is run again.
    pub flaky_reruns: u32,
    /// What a run may use, each bound where its goal names none.
    #[schemars(with = "Option<WrittenBudget>", skip_serializing_if = "Budget::is_none")]
    pub budget: Budget,
    /// How to count tests, by language; merged over the defaults.
    pub tests: BTreeMap<String, TestLister>,
}

/// Says how tests of one language are found and counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TestLister {
    /// Globs of the files that this lister reads.
    pub files: Vec<String>,
    /// Globs of files that are tests: protected unless a task owns them by name.
    pub test_files: Vec<String>,
    /// Regular expression that matches once for each test.
    pub test: String,
    /// Regular expression that matches once for each marker that skips a test.
    pub skip: String,
    /// Regular expressions over a check's output; the first group is a number of executed tests;
    /// without a group each match is one test. Matches are added.
    pub executed: Vec<String>,
    /// Regular expressions over a check's output; the first group is the name of a failed test. Colours are taken out of
    /// the output first.
    pub failed: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            setup: Vec::new(),
            checks: Vec::new(),
            protect: protected::defaults(),
            warm: Vec::new(),
            workers: 0,
            judges: 0,
            branch_prefix: "artel".to_owned(),
            env: BTreeSet::new(),
            set: BTreeMap::new(),
            sandbox: None,
            read: BTreeSet::new(),
            lease_s: 300,
            free_mib_min: 256,
            flaky_reruns: 3,
            budget: Budget::default(),
            tests: listers::defaults(),
        }
    }
}
