//! Owns what the checks and done-conditions truly answer on a tree, and how a flaky machine distorts it.

use std::collections::BTreeSet;

use artel::model::check::{Answer, Baseline, Check, CheckResult};
use fastrand::Rng;

use crate::repo::Tree;

pub fn check(name: &str) -> Check {
    Check { name: name.to_owned(), run: format!("./{name}"), timeout_s: 60 }
}

/// Answers as the tree deserves.
pub fn truth(name: &str, tree: &Tree) -> CheckResult {
    let mut failed = BTreeSet::new();
    let mut executed = None;
    let is_red;
    match name {
        "tests" | "sound" => {
            executed = Some(100 - tree.values().filter(|blob| blob.hides_test).count() as u64);
            failed.extend(tree.iter().filter(|(_, blob)| blob.breaks_tests).map(|(path, _)| format!("test of {path}")));
            let has = |group, side| tree.values().any(|blob| blob.clash == Some((group, side)));
            failed.extend((0..2).filter(|group| has(*group, true) && has(*group, false)).map(|g| format!("clash {g}")));
            is_red = !failed.is_empty();
        }
        "lint" => is_red = tree.values().any(|blob| blob.breaks_lint),
        "own" => is_red = tree.values().any(|blob| blob.breaks_own),
        "no-old" => is_red = tree.values().any(|blob| blob.is_old),
        other => panic!("the world knows no check `{other}`"),
    }
    CheckResult {
        name: name.to_owned(),
        answer: if is_red { Answer::Red } else { Answer::Green },
        code: Some(i32::from(is_red)),
        wall_ms: 5,
        runs: 1,
        executed,
        failed,
        tail: String::new(),
    }
}

/// Answers as a flaky machine does: a green tree may look red once, and flaky when it is looked at again.
/// A red tree never looks green.
pub fn seen(name: &str, tree: &Tree, repeat: bool, flakiness: f64, rng: &mut Rng) -> CheckResult {
    let mut result = truth(name, tree);
    if result.answer == Answer::Green && rng.f64() < flakiness {
        if repeat {
            (result.answer, result.runs) = (Answer::Flaky, 3);
        } else {
            (result.answer, result.code) = (Answer::Red, Some(1));
            result.failed.insert("a flake".to_owned());
        }
    }
    result
}

/// Tells whether each of the named checks was answered no worse than on the base.
pub fn held<'a>(names: impl IntoIterator<Item = &'a Check>, results: &[CheckResult], baseline: &Baseline) -> bool {
    names.into_iter().all(|check| {
        let base = baseline.get(&check.name);
        let good = |it: &CheckResult| !it.is_worse_than(base) && !it.executed_fewer_than(base);
        results.iter().any(|result| result.name == check.name && good(result))
    })
}
