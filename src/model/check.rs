//! Owns what a check is and what it answered. Never runs one.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

/// Exit codes by which `sh` says that it found no such command, or may not execute it.
const NOT_RUN: [i32; 2] = [126, 127];

/// Describes a command whose exit code says whether a tree is good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Short name, unique within its list; the command itself where none was given.
    pub name: String,
    /// Command line, run by `sh -c` at the root of a clean worktree.
    pub run: String,
    /// Longest it may take, in seconds.
    pub timeout_s: u64,
}

/// Says how a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It exited with 0.
    Green,
    /// It exited with another code, or was killed by a limit.
    Red,
    /// It gave both answers on one tree and was green more often than not; always shown as flaky.
    Flaky,
}

/// Records one answer of one check on one tree.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct CheckResult {
    /// The check's name.
    pub name: String,
    /// How it ended.
    pub answer: Answer,
    /// Exit code; none where it was killed.
    pub code: Option<i32>,
    /// How long the deciding run took, in milliseconds.
    pub wall_ms: u64,
    /// How many times it was run on this tree.
    pub runs: u32,
    /// How many tests it reported as executed, where its output says so.
    pub executed: Option<u64>,
    /// Names of the tests that it reported as failed, where its output says so.
    #[serde(default)]
    pub failed: BTreeSet<String>,
    /// The last lines of its output, control characters made visible, at most 4 KiB.
    pub tail: String,
}

impl Serialize for CheckResult {
    /// Leaves out what is empty where a reader sees names; where it sees places only, nothing can be left out.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let is_told = !to.is_human_readable() || !self.failed.is_empty();
        let Self { name, answer, code, wall_ms, runs, executed, failed, tail } = self;
        let mut fields = to.serialize_struct("CheckResult", 7 + usize::from(is_told))?;
        fields.serialize_field("name", name)?;
        fields.serialize_field("answer", answer)?;
        fields.serialize_field("code", code)?;
        fields.serialize_field("wall_ms", wall_ms)?;
        fields.serialize_field("runs", runs)?;
        fields.serialize_field("executed", executed)?;
        if is_told {
            fields.serialize_field("failed", failed)?;
        } else {
            fields.skip_field("failed")?;
        }
        fields.serialize_field("tail", tail)?;
        fields.end()
    }
}

impl CheckResult {
    /// Tells whether this answer is worse than the base's: red where the base was not, a test failed that did
    /// not fail there, or red in both without test names to compare while the exit code differs. A check that could
    /// not be run to its end has said nothing of the tree, and that is as bad as it can be wherever it happens.
    pub fn is_worse_than(&self, base: Option<&Self>) -> bool {
        if self.answer != Answer::Red {
            return false;
        }
        if !self.has_spoken() {
            return true;
        }
        let Some(base) = base.filter(|base| base.answer == Answer::Red) else { return true };
        if self.failed.is_empty() || base.failed.is_empty() {
            return self.code != base.code || self.failed.len() > base.failed.len();
        }
        !self.failed.is_subset(&base.failed)
    }

    /// Tells whether the check came to an end of its own: neither killed nor a command that the shell could not run.
    fn has_spoken(&self) -> bool {
        self.code.is_some_and(|code| !NOT_RUN.contains(&code))
    }

    /// Tells whether fewer tests were executed than on the base.
    pub fn executed_fewer_than(&self, base: Option<&Self>) -> bool {
        let Some(before) = base.and_then(|base| base.executed) else { return false };
        self.executed.is_none_or(|after| after < before)
    }
}

/// Counts the looks at one check on one tree, until its answer is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    /// How many were green.
    pub green: u32,
    /// How many were red.
    pub red: u32,
    most: u32,
}

impl Looks {
    /// Begins with the reds that were seen before on this tree; a contradiction is looked at `reruns` times more.
    pub fn after(red: u32, reruns: u32) -> Self {
        Self { green: 0, red, most: reruns + 2 }
    }

    /// Takes in one more look.
    pub fn learn(&mut self, is_red: bool) {
        *(if is_red { &mut self.red } else { &mut self.green }) += 1;
    }

    /// Tells whether no further look is wanted: all were green, two were red and none green, or those still to come
    /// could not change which of the two is more.
    pub fn is_enough(&self) -> bool {
        let (more, all) = (self.green.max(self.red), self.green + self.red);
        self.red == 0 || (self.green == 0 && self.red >= 2) || all >= self.most || 2 * more > self.most
    }

    /// Gives the answer where looks contradict one another: flaky if more were green, else red.
    pub fn contradiction(&self) -> Option<Answer> {
        let answer = if self.green > self.red { Answer::Flaky } else { Answer::Red };
        (self.green > 0 && self.red > 0).then_some(answer)
    }
}

/// Holds what the checks answered on the run's base, by check name.
pub type Baseline = BTreeMap<String, CheckResult>;

#[cfg(test)]
mod tests {
    use super::*;

    fn result(answer: Answer, failed: &[&str], executed: Option<u64>) -> CheckResult {
        CheckResult {
            name: "tests".into(),
            answer,
            code: Some(i32::from(answer == Answer::Red)),
            wall_ms: 1,
            runs: 1,
            executed,
            failed: failed.iter().map(|name| (*name).to_owned()).collect(),
            tail: String::new(),
        }
    }

    #[test]
    fn two_reds_are_believed_and_a_contradiction_is_looked_at_to_the_bound() {
        let look = |before, answers: &[bool]| {
            let mut looks = Looks::after(before, 3);
            let made = answers.iter().take_while(|is_red| {
                let wanted = looks.green + looks.red == before || !looks.is_enough();
                if wanted {
                    looks.learn(**is_red);
                }
                wanted
            });
            (made.count(), looks.contradiction())
        };
        let (red, green) = (true, false);
        assert_eq!(look(0, &[green; 9]), (1, None));
        assert_eq!(look(0, &[red; 9]), (2, None));
        assert_eq!(look(1, &[red; 9]), (1, None), "the first look was red already");
        assert_eq!(look(0, &[red, green, green, green, green]), (4, Some(Answer::Flaky)));
        assert_eq!(look(1, &[green, red, green, green]), (4, Some(Answer::Flaky)));
        assert_eq!(look(1, &[green, red, green, red]), (4, Some(Answer::Red)));
        assert_eq!(look(1, &[green, red, red, green]), (3, Some(Answer::Red)), "a fifth look could not change it");
    }

    #[test]
    fn red_is_judged_as_a_difference_to_the_base() {
        let red = |failed: &[&str]| result(Answer::Red, failed, None);
        let green = result(Answer::Green, &[], None);
        assert!(red(&["a"]).is_worse_than(None));
        assert!(red(&["a"]).is_worse_than(Some(&green)));
        assert!(!red(&["a"]).is_worse_than(Some(&red(&["a", "b"]))));
        assert!(red(&["a", "c"]).is_worse_than(Some(&red(&["a", "b"]))));
        assert!(!green.is_worse_than(Some(&red(&["a"]))));
    }

    #[test]
    fn a_check_that_could_not_be_run_is_never_as_good_as_the_base() {
        for code in [None, Some(126), Some(127)] {
            let mute = CheckResult { code, ..result(Answer::Red, &[], None) };
            assert!(mute.is_worse_than(Some(&mute)), "{code:?}");
        }
        let red = CheckResult { code: Some(2), ..result(Answer::Red, &[], None) };
        assert!(!red.is_worse_than(Some(&red)));
    }

    #[test]
    fn a_count_of_executed_tests_that_vanished_counts_as_fewer() {
        let ran = |n| result(Answer::Green, &[], n);
        assert!(ran(Some(126)).executed_fewer_than(Some(&ran(Some(261)))));
        assert!(ran(None).executed_fewer_than(Some(&ran(Some(1)))));
        assert!(!ran(Some(3)).executed_fewer_than(Some(&ran(None))));
    }
}
