//! Owns the second step of the ladder: what guards a task is not weakened by the attempt that it guards.
//! Never runs a test.

use globset::GlobSet;

use super::evidence::{Changed, Evidence, Facts, finding};
use crate::model::paths::PathSet;
use crate::model::verdict::{Finding, Rung};

/// Holds the globs of what guards the run.
#[derive(Debug, Clone)]
pub struct Protection<'a> {
    /// Files that no attempt may change.
    pub always: &'a GlobSet,
    /// Files that only a task which owns them by name may change, such as tests.
    pub unless_named: &'a GlobSet,
}

/// Lists what stands against a candidate by what it weakens.
pub fn ratchet(evidence: &Evidence, owned: &PathSet, protection: &Protection<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> =
        evidence.changed.iter().filter_map(|changed| guarded(&changed.path, owned, protection)).collect();
    // Counted over all changed files together, so that a test may move from one file to another.
    let (before, after) = count(&evidence.changed, |facts| facts.tests);
    if after < before {
        let what = format!("the changed files list {after} tests, and listed {before} before");
        found.push(finding(Rung::Ratchet, "fewer-tests", None, what, "put the tests back"));
    }
    let (before, after) = count(&evidence.changed, |facts| facts.skips);
    if after > before {
        let what = format!("{after} tests are skipped in the changed files, and {before} were before");
        found.push(finding(Rung::Ratchet, "more-skips", None, what, "take the skip markers out and mend the code"));
    }
    found
}

fn guarded(path: &str, owned: &PathSet, protection: &Protection<'_>) -> Option<Finding> {
    if protection.always.is_match(path) {
        let what = format!("`{path}` is protected: the goal, a rule, a check or artel.toml names it");
        let advice = "put it back; a person who means it to change names it under `owns` in the goal";
        return Some(finding(Rung::Ratchet, "path-protected", Some(path), what, advice));
    }
    if protection.unless_named.is_match(path) && !owned.files.contains(path) {
        let what = format!("`{path}` guards the work, and the task does not own it by name");
        let advice = "put it back; report it as a concern if it must change";
        return Some(finding(Rung::Ratchet, "guard-changed", Some(path), what, advice));
    }
    None
}

fn count(changed: &[Changed], of: impl Fn(&Facts) -> u32) -> (u64, u64) {
    let sum = |side: fn(&Changed) -> Option<&Facts>| {
        changed.iter().filter_map(side).fold(0_u64, |sum, facts| sum + u64::from(of(facts)))
    };
    (sum(|it| it.old.as_ref()), sum(|it| it.new.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::super::evidence::samples::{added, deleted, evidence, modified, rules};
    use super::*;
    use crate::model::globs::globs;

    fn judge(changed: impl IntoIterator<Item = Changed>, owned: &[&str]) -> Vec<Finding> {
        let always = globs(&[".github/**".to_owned(), "goal.md".to_owned()]).unwrap();
        let unless_named = globs(&["**/tests/**".to_owned()]).unwrap();
        let owned = PathSet::parse(owned.iter().map(|path| (*path).to_owned()));
        ratchet(&evidence(changed), &owned, &Protection { always: &always, unless_named: &unless_named })
    }

    fn tests(tests: u32, skips: u32) -> Facts {
        Facts { tests, skips, ..Facts::default() }
    }

    #[test]
    fn protected_paths_do_not_change_even_for_a_task_that_names_them() {
        for path in ["goal.md", ".github/workflows/ci.yml"] {
            assert_eq!(rules(&judge([added(path, tests(0, 0))], &[path, "."])), ["path-protected"]);
            assert_eq!(rules(&judge([deleted(path, tests(0, 0))], &["."])), ["path-protected"]);
        }
        assert!(judge([added("docs/goal.md", tests(0, 0))], &["."]).is_empty());
    }

    #[test]
    fn a_test_file_changes_only_for_a_task_that_owns_it_by_name() {
        let change = || [modified("crate/tests/a.rs", tests(1, 0), tests(1, 0))];
        assert_eq!(rules(&judge(change(), &["crate/"])), ["guard-changed"]);
        assert!(judge(change(), &["crate/tests/a.rs"]).is_empty());
    }

    #[test]
    fn tests_do_not_become_fewer() {
        assert_eq!(rules(&judge([modified("a.rs", tests(2, 0), tests(1, 0))], &["."])), ["fewer-tests"]);
        assert_eq!(rules(&judge([deleted("a.rs", tests(1, 0))], &["."])), ["fewer-tests"]);
        assert!(judge([deleted("a.rs", tests(0, 0))], &["."]).is_empty());
    }

    #[test]
    fn a_file_that_became_unreadable_holds_no_tests_any_more() {
        let hidden = Changed { new: None, ..modified("a.rs", tests(2, 0), tests(2, 0)) };
        assert_eq!(rules(&judge([hidden], &["."])), ["fewer-tests"]);
    }

    #[test]
    fn tests_may_move_and_their_file_may_be_renamed() {
        assert!(judge([deleted("a.rs", tests(3, 1)), added("b.rs", tests(3, 1))], &["."]).is_empty());
        let moved = [modified("a.rs", tests(3, 0), tests(1, 0)), modified("b.rs", tests(0, 0), tests(2, 0))];
        assert!(judge(moved, &["."]).is_empty());
    }

    #[test]
    fn no_more_tests_are_skipped_even_where_tests_are_added() {
        assert_eq!(rules(&judge([modified("a.rs", tests(2, 0), tests(9, 1))], &["."])), ["more-skips"]);
        assert!(judge([modified("a.rs", tests(2, 2), tests(2, 1))], &["."]).is_empty());
    }
}
