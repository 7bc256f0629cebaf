//! Owns counting: how many tests, and how many markers that skip one, a text holds. Never runs a test.

use globset::GlobSet;
use regex::{Regex, RegexBuilder};

use crate::model::config::TestLister;
use crate::model::globs;

/// Says which part of a test lister cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TestCensusError {
    /// A regular expression.
    #[error("read the regular expression `{text}` of a test lister")]
    Regex {
        /// The expression.
        text: String,
        /// What is wrong with it.
        #[source]
        source: Box<regex::Error>,
    },
    /// A glob.
    #[error("read the glob `{text}` of a test lister")]
    Glob {
        /// The glob.
        text: String,
        /// What is wrong with it.
        #[source]
        source: Box<globset::Error>,
    },
}

/// Counts tests as one test lister says; compiled once.
#[derive(Debug, Clone)]
pub struct TestCensus {
    files: GlobSet,
    test_files: GlobSet,
    test: Option<Regex>,
    skip: Option<Regex>,
}

impl TestCensus {
    /// Prepares a test lister. In its expressions `^` and `$` stand for line ends; an empty one matches nothing.
    ///
    /// # Errors
    /// Says which expression or glob cannot be read.
    pub fn new(lister: &TestLister) -> Result<Self, TestCensusError> {
        Ok(Self {
            files: globs(&lister.files)?,
            test_files: globs(&lister.test_files)?,
            test: regex(&lister.test)?,
            skip: regex(&lister.skip)?,
        })
    }

    /// Tells whether the lister reads this file.
    pub fn reads(&self, path: &str) -> bool {
        self.files.is_match(path)
    }

    /// Tells whether this file is a test.
    pub fn is_test_file(&self, path: &str) -> bool {
        self.test_files.is_match(path)
    }

    /// Counts the tests that a text holds.
    pub fn tests(&self, text: &str) -> u64 {
        count(self.test.as_ref(), text)
    }

    /// Counts the markers that skip a test.
    pub fn skips(&self, text: &str) -> u64 {
        count(self.skip.as_ref(), text)
    }
}

/// Counts the tests that a text holds.
///
/// # Errors
/// Says that the lister's expression cannot be read.
pub fn count_tests(lister: &TestLister, text: &str) -> Result<u64, TestCensusError> {
    Ok(count(regex(&lister.test)?.as_ref(), text))
}

/// Counts the markers that skip a test.
///
/// # Errors
/// Says that the lister's expression cannot be read.
pub fn count_skips(lister: &TestLister, text: &str) -> Result<u64, TestCensusError> {
    Ok(count(regex(&lister.skip)?.as_ref(), text))
}

fn count(regex: Option<&Regex>, text: &str) -> u64 {
    regex.map_or(0, |regex| regex.find_iter(text).count() as u64)
}

fn regex(text: &str) -> Result<Option<Regex>, TestCensusError> {
    if text.is_empty() {
        return Ok(None);
    }
    RegexBuilder::new(text)
        .multi_line(true)
        .build()
        .map(Some)
        .map_err(|source| TestCensusError::Regex { text: text.to_owned(), source: Box::new(source) })
}

fn globs(texts: &[String]) -> Result<GlobSet, TestCensusError> {
    globs::globs(texts).map_err(|source| {
        let text = source.glob().map_or_else(|| texts.join(" "), str::to_owned);
        TestCensusError::Glob { text, source: Box::new(source) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rust() -> TestLister {
        TestLister {
            files: vec!["**/*.rs".into()],
            test_files: vec!["tests/**".into()],
            test: r"^\s*#\[(\w+::)*test(\(.*\))?\]".into(),
            skip: r"^\s*#\[ignore".into(),
            ..TestLister::default()
        }
    }

    #[test]
    fn tests_and_skips_are_counted_by_line() {
        let text = "#[test]\nfn a() {}\n  #[tokio::test]\n  #[ignore]\n  async fn b() {}\n// say #[test]\n";
        assert_eq!((count_tests(&rust(), text).unwrap(), count_skips(&rust(), text).unwrap()), (2, 1));
        let census = TestCensus::new(&rust()).unwrap();
        assert_eq!((census.tests(text), census.skips(text)), (2, 1));
    }

    #[test]
    fn an_empty_expression_counts_nothing() {
        assert_eq!(count_tests(&TestLister::default(), "anything\n").unwrap(), 0);
    }

    #[test]
    fn a_census_knows_its_files() {
        let census = TestCensus::new(&rust()).unwrap();
        assert!(census.reads("src/a.rs") && !census.reads("a.py"));
        assert!(census.is_test_file("tests/a/b.rs") && !census.is_test_file("src/a.rs"));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let bad = TestLister { test: "(".into(), ..TestLister::default() };
        assert!(TestCensus::new(&bad).unwrap_err().to_string().contains("`(`"));
        let bad = TestLister { files: vec!["a{".into()], ..TestLister::default() };
        assert!(TestCensus::new(&bad).unwrap_err().to_string().contains("a{"));
    }
}
