//! Owns how a check's output is read for the tests that it ran and that failed. Never runs a check.
//!
//! Output is hostile: a test may print a summary of its own. The numbers are compared with the base's, where the same
//! commands were run, and can only veto.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::config::{Config, TestLister};

/// Terminal control sequences: CSI, OSC, and those of two bytes.
const ESCAPES: &str = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z^_])";

/// Longest name of a failed test that is kept, in characters.
const NAME_MAX: usize = 300;

/// Names of failed tests that are kept.
const FAILED_MAX: usize = 10_000;

/// Reads outputs by the patterns of a configuration, compiled once.
#[derive(Debug)]
pub struct TestOutput {
    executed: Vec<Regex>,
    failed: Vec<Regex>,
}

impl TestOutput {
    /// Compiles the patterns of all languages, each once: two languages may share a test runner.
    pub fn new(config: &Config) -> Self {
        Self {
            executed: patterns(config, |lister| &lister.executed),
            failed: patterns(config, |lister| &lister.failed),
        }
    }

    /// Adds up the tests that an output reports as executed; nothing where it reports no number.
    pub fn executed(&self, output: &str) -> Option<u64> {
        let output = plain(output);
        let mut sum = None;
        for found in self.executed.iter().flat_map(|pattern| pattern.captures_iter(&output)) {
            let number = found.get(1).map_or(Some(1), |group| group.as_str().replace(',', "").parse().ok());
            sum = Some(sum.unwrap_or(0_u64).saturating_add(number.unwrap_or(0)));
        }
        sum
    }

    /// Lists the names of the tests that an output reports as failed.
    pub fn failed(&self, output: &str) -> BTreeSet<String> {
        let output = plain(output);
        let mut names = BTreeSet::new();
        for found in self.failed.iter().flat_map(|pattern| pattern.captures_iter(&output)) {
            let Some(name) = found.get(1).or_else(|| found.get(0)) else { continue };
            if names.len() < FAILED_MAX {
                names.insert(name.as_str().trim().chars().take(NAME_MAX).collect());
            }
        }
        names
    }
}

fn patterns(config: &Config, of: impl Fn(&TestLister) -> &Vec<String>) -> Vec<Regex> {
    let all: BTreeSet<&String> = config.tests.values().flat_map(of).collect();
    all.into_iter().filter_map(|pattern| Regex::new(pattern).ok()).collect()
}

/// Takes colours and carriage returns out.
fn plain(output: &str) -> String {
    static COMPILED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(ESCAPES).ok());
    let uncoloured = match &*COMPILED {
        Some(escapes) => escapes.replace_all(output, ""),
        None => output.into(),
    };
    uncoloured.replace("\r\n", "\n").replace('\r', "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(output: &str) -> Vec<String> {
        TestOutput::new(&Config::default()).failed(output).into_iter().collect()
    }

    #[test]
    fn what_real_test_runners_print_is_counted_and_named() {
        for (runner, output, ran, names) in [
            ("cargo", include_str!("captures/cargo.txt"), 4, &["bad", "quiet", "src/lib.rs - f (line 1)"][..]),
            ("nextest", include_str!("captures/nextest.txt"), 3, &["rs bad", "rs quiet"]),
            ("pytest", include_str!("captures/pytest.txt"), 2, &["test_a.py::T::test_bad"]),
            ("pytest in colour", include_str!("captures/pytestq.txt"), 2, &["test_a.py::T::test_bad"]),
            ("unittest", include_str!("captures/unittest.txt"), 3, &["test_bad (test_a.T.test_bad)"]),
            ("node:test", include_str!("captures/node-spec.txt"), 2, &["bad one"]),
            ("node:test in TAP", include_str!("captures/node-tap.txt"), 2, &["bad one"]),
            ("mocha", include_str!("captures/mocha.txt"), 2, &["bad one", "suite"]),
            ("jest", include_str!("captures/jest.txt"), 2, &["suite › bad one"]),
            ("vitest in colour", include_str!("captures/vitest.txt"), 2, &["vt/c.test.mjs > suite > bad one"]),
        ] {
            assert_eq!(TestOutput::new(&Config::default()).executed(output), Some(ran), "{runner}");
            assert_eq!(self::names(output), names, "{runner}");
        }
    }

    #[test]
    fn runners_that_are_not_at_hand_are_read_by_their_documented_lines() {
        for (runner, output, ran, names) in [
            (
                "go",
                "=== RUN   TestA\n--- PASS: TestA (0.00s)\n--- FAIL: TestB (0.01s)\n    --- FAIL: TestB/x (0.00s)\nFAIL\n",
                3,
                &["TestB", "TestB/x"][..],
            ),
            (
                "surefire",
                "[INFO] Tests run: 2, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 0.1 s -- in FooTest\n\
                [ERROR] FooTest.bar -- Time elapsed: 0.01 s <<< FAILURE!\n[ERROR] Tests run: 3, Failures: 1, Errors: 0, Skipped: 0\n",
                3,
                &["FooTest.bar"],
            ),
            (
                "gtest",
                "[  FAILED  ] Foo.Bar (0 ms)\n[==========] 7 tests from 2 test suites ran. (0 ms total)\n[  FAILED  ] 1 test, listed below:\n",
                7,
                &["Foo.Bar"],
            ),
            (
                "minitest",
                "PersonTest#test_name [test/a.rb:3]:\n12 runs, 30 assertions, 1 failures, 0 errors, 0 skips\n",
                12,
                &["PersonTest#test_name"],
            ),
        ] {
            assert_eq!(TestOutput::new(&Config::default()).executed(output), Some(ran), "{runner}");
            assert_eq!(self::names(output), names, "{runner}");
        }
    }

    #[test]
    fn several_results_are_added_whatever_the_line_ends() {
        let line = "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(
            TestOutput::new(&Config::default()).executed(&format!("{line}\n{line}\r\n\x1b[32m{line}\x1b[0m\n")),
            Some(9)
        );
    }

    #[test]
    fn an_output_without_a_number_counts_nothing() {
        assert_eq!(TestOutput::new(&Config::default()).executed("all good\nok\n5 passed the door\n"), None);
        assert!(names("it failed badly\nFAILED\n").is_empty());
    }

    #[test]
    fn a_pattern_without_a_group_counts_its_matches() {
        let mut config = Config { tests: [].into(), ..Config::default() };
        let lister = TestLister { executed: vec!["^ok ".into(), "(?m)^ran (\\d+)".into()], ..TestLister::default() };
        config.tests.insert("own".into(), lister);
        assert_eq!(TestOutput::new(&config).executed("ok 1\nran 5\n"), Some(6));
    }
}
