//! Owns what the ladder is told of a candidate: which files changed and what was counted in them. Gathers nothing.

use std::collections::BTreeMap;

use crate::model::verdict::{Finding, Rung};

/// Holds all that was found out about a candidate against the commit that it stands on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Every path that differs; a renamed file is one that was deleted and one that was added.
    pub changed: Vec<Changed>,
    /// Paths of the worktree that could not be taken into the candidate.
    pub refused: Vec<Refused>,
    /// Files that the codemod changes when it is run on its own result.
    pub codemod_again_changes: Vec<String>,
    /// What the task's rules do to a file of the base, by path; a file that is missing here is explained by nothing.
    pub explained: BTreeMap<String, Explained>,
}

/// Describes one path that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The path, from the repository's root, with `/`.
    pub path: String,
    /// How it differs.
    pub kind: Kind,
    /// Git's mode on the base, such as `0o100644`.
    pub old_mode: Option<u32>,
    /// Git's mode in the candidate.
    pub new_mode: Option<u32>,
    /// Size on the base, in bytes; 0 where it was not there.
    pub old_size: u64,
    /// Size in the candidate, in bytes; 0 where it is not there.
    pub new_size: u64,
    /// What was counted on the base; none where it was not there or is no text.
    pub old: Option<Facts>,
    /// What was counted in the candidate; none where it is not there or is no text.
    pub new: Option<Facts>,
}

/// Says how a path differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It was not there.
    Added,
    /// Its content or mode is another.
    Modified,
    /// It is not there any more.
    Deleted,
    /// It was of one type, such as a file, and is of another, such as a link.
    TypeChanged,
}

/// Counts what stands in one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Tests.
    pub tests: u32,
    /// Markers that skip a test.
    pub skips: u32,
    /// String literals with their quotes, and how often each stands there.
    pub literals: BTreeMap<String, u32>,
    /// Places that the language's grammar does not take.
    pub parse_errors: u32,
    /// Lines.
    pub lines: u32,
    /// Whether it holds the markers of an unresolved conflict.
    pub conflict_markers: bool,
    /// Where it points, if it is a symbolic link.
    pub link_target: Option<String>,
}

/// Names a path that could not be taken into the candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The path, as far as it can be shown.
    pub path: String,
    /// Why it was refused.
    pub why: String,
}

/// States what the task's rules do to one file of the base.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explained {
    /// Whether the candidate's file is, byte for byte, what the rules make of the base's.
    pub exactly: bool,
    /// Lines that the rules take out, less those that they put in.
    pub lines_removed: u32,
    /// By how many each string literal becomes more (or fewer, where negative).
    pub literals: BTreeMap<String, i64>,
}

/// Names the part of git's mode that says what an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A file that is not executable.
    File,
    /// An executable file.
    Executable,
    /// A symbolic link.
    Link,
    /// A submodule.
    Submodule,
    /// None of these.
    Other,
}

impl Mode {
    /// Reads git's mode.
    pub fn of(bits: u32) -> Self {
        match (bits & 0o170_000, bits & 0o111) {
            (0o100_000, 0) => Self::File,
            (0o100_000, 1..) => Self::Executable,
            (0o120_000, _) => Self::Link,
            (0o160_000, _) => Self::Submodule,
            (_, _) => Self::Other,
        }
    }

    /// Names it for people.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::File => "a file",
            Self::Executable => "an executable file",
            Self::Link => "a symbolic link",
            Self::Submodule => "a submodule",
            Self::Other => "something that is no file",
        }
    }
}

/// Makes findings of one step about one path at a time.
pub(super) fn finding(rung: Rung, rule: &str, path: Option<&str>, what: String, advice: &str) -> Finding {
    Finding { rung, rule: rule.to_owned(), path: path.map(str::to_owned), what, advice: advice.to_owned() }
}

#[cfg(test)]
pub(super) mod samples {
    use super::*;

    pub(in crate::machine::ladder) fn added(path: &str, new: Facts) -> Changed {
        Changed {
            path: path.to_owned(),
            kind: Kind::Added,
            old_mode: None,
            new_mode: Some(0o100_644),
            old_size: 0,
            new_size: 10,
            old: None,
            new: Some(new),
        }
    }

    pub(in crate::machine::ladder) fn deleted(path: &str, old: Facts) -> Changed {
        Changed {
            path: path.to_owned(),
            kind: Kind::Deleted,
            old_mode: Some(0o100_644),
            new_mode: None,
            old_size: 10,
            new_size: 0,
            old: Some(old),
            new: None,
        }
    }

    pub(in crate::machine::ladder) fn modified(path: &str, old: Facts, new: Facts) -> Changed {
        Changed {
            path: path.to_owned(),
            kind: Kind::Modified,
            old_mode: Some(0o100_644),
            new_mode: Some(0o100_644),
            old_size: 10,
            new_size: 10,
            old: Some(old),
            new: Some(new),
        }
    }

    pub(in crate::machine::ladder) fn evidence(changed: impl IntoIterator<Item = Changed>) -> Evidence {
        Evidence { changed: changed.into_iter().collect(), ..Evidence::default() }
    }

    pub(in crate::machine::ladder) fn literals(texts: &[&str]) -> BTreeMap<String, u32> {
        let mut counted = BTreeMap::new();
        for text in texts {
            *counted.entry((*text).to_owned()).or_default() += 1;
        }
        counted
    }

    pub(in crate::machine::ladder) fn rules(findings: &[Finding]) -> Vec<&str> {
        findings.iter().map(|finding| finding.rule.as_str()).collect()
    }

    #[test]
    fn modes_are_read_by_type_first() {
        for (bits, mode) in [
            (0o100_644, Mode::File),
            (0o100_664, Mode::File),
            (0o100_755, Mode::Executable),
            (0o120_000, Mode::Link),
            (0o160_000, Mode::Submodule),
            (0o040_000, Mode::Other),
        ] {
            assert_eq!(Mode::of(bits), mode, "{bits:o}");
        }
    }
}
