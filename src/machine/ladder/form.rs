//! Owns the third step of the ladder: the files are whole, and an author that only follows rules did only what the
//! rules explain. Never parses a file.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::{Changed, Evidence, Explained, Facts, finding};
use crate::model::verdict::{Finding, Rung};

/// Says who wrote a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// A role whose agents only follow rules: literals and deletions are held to what the rules explain.
    Mechanical,
    /// A role whose agents decide for themselves.
    Free,
}

/// Lists what stands against a candidate by the form that it has.
pub fn form(evidence: &Evidence, author: Author) -> Vec<Finding> {
    let mut found: Vec<Finding> = evidence.changed.iter().flat_map(whole).collect();
    found.extend(evidence.codemod_again_changes.iter().map(|path| {
        let what = format!("run on its own result, the rule changes `{path}` again");
        at("not-idempotent", path, what, "make the rule's result something that the rule does not match")
    }));
    match author {
        Author::Mechanical => found.extend(explained(evidence)),
        Author::Free => {}
    }
    found
}

fn at(rule: &str, path: &str, what: String, advice: &str) -> Finding {
    finding(Rung::Form, rule, Some(path), what, advice)
}

/// Finds files that are broken and were not.
fn whole(changed: &Changed) -> Vec<Finding> {
    let (path, mut found) = (&changed.path, Vec::new());
    let Some(new) = &changed.new else { return found };
    let old = changed.old.as_ref();
    if new.conflict_markers && !old.is_some_and(|old| old.conflict_markers) {
        let what = format!("`{path}` holds conflict markers");
        found.push(at("conflict-markers", path, what, "resolve the conflict and take the markers out"));
    }
    let before = old.map_or(0, |old| old.parse_errors);
    if new.parse_errors > before {
        let what = format!("places in `{path}` that do not parse: {}, and before: {before}", new.parse_errors);
        found.push(at("parse-error", path, what, "mend the syntax"));
    }
    found
}

/// Finds what the rules do not explain. Files that were added or deleted are counted together, so that a file
/// may be renamed; a file that stands on both sides answers for itself.
fn explained(evidence: &Evidence) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut elsewhere = Difference::default();
    for changed in &evidence.changed {
        let by = evidence.explained.get(&changed.path);
        if by.is_some_and(|by| by.exactly) {
            continue;
        }
        if changed.old.is_none() && changed.new.is_none() {
            let what = format!("`{}` is not text that could be compared with what the rules do", changed.path);
            found.push(at("unreadable-change", &changed.path, what, "put it back"));
            continue;
        }
        let mut difference = Difference::between(changed.old.as_ref(), changed.new.as_ref());
        difference.take_off(by);
        if changed.old_mode.is_some() && changed.new_mode.is_some() {
            found.extend(difference.findings(Some(&changed.path)));
        } else {
            elsewhere.add(&difference);
        }
    }
    found.extend(elsewhere.findings(None));
    found
}

/// Counts by how much a candidate differs from its base.
#[derive(Debug, Default)]
struct Difference {
    literals: BTreeMap<String, i64>,
    lines_removed: i64,
}

impl Difference {
    fn between(old: Option<&Facts>, new: Option<&Facts>) -> Self {
        let lines = |facts: Option<&Facts>| facts.map_or(0, |facts| i64::from(facts.lines));
        let mut difference = Self { literals: BTreeMap::new(), lines_removed: lines(old) - lines(new) };
        for (text, times) in new.into_iter().flat_map(|facts| &facts.literals) {
            *difference.literals.entry(text.clone()).or_default() += i64::from(*times);
        }
        for (text, times) in old.into_iter().flat_map(|facts| &facts.literals) {
            *difference.literals.entry(text.clone()).or_default() -= i64::from(*times);
        }
        difference
    }

    fn take_off(&mut self, explained: Option<&Explained>) {
        let Some(explained) = explained else { return };
        self.lines_removed -= i64::from(explained.lines_removed);
        for (text, by) in &explained.literals {
            *self.literals.entry(text.clone()).or_default() -= by;
        }
    }

    fn add(&mut self, other: &Self) {
        self.lines_removed += other.lines_removed;
        for (text, by) in &other.literals {
            *self.literals.entry(text.clone()).or_default() += by;
        }
    }

    fn findings(&self, path: Option<&str>) -> Vec<Finding> {
        let place = path.map_or_else(|| "the added and deleted files".to_owned(), |path| format!("`{path}`"));
        let mut found = Vec::new();
        let changed: BTreeSet<&str> =
            self.literals.iter().filter(|(_, by)| **by != 0).map(|(text, _)| text.as_str()).collect();
        if let Some(first) = changed.first() {
            let shown: String = first.chars().take(80).collect();
            let what = format!("string literals of {place} changed, {} in all, such as {shown}", changed.len());
            let advice = "leave string literals as they are, or let the rule say what becomes of them";
            found.push(finding(Rung::Form, "literals-changed", path, what, advice));
        }
        if self.lines_removed > 0 {
            let what = format!("{place} lost {} lines more than the rules take out", self.lines_removed);
            let advice = "put back what the rules do not take out";
            found.push(finding(Rung::Form, "unexplained-deletion", path, what, advice));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::evidence::samples::{added, deleted, evidence, literals, modified, rules};
    use super::*;

    fn text(lines: u32, strings: &[&str]) -> Facts {
        Facts { lines, literals: literals(strings), ..Facts::default() }
    }

    fn mechanical(changed: impl IntoIterator<Item = Changed>) -> Vec<Finding> {
        form(&evidence(changed), Author::Mechanical)
    }

    #[test]
    fn new_conflict_markers_are_found_and_old_ones_forgiven() {
        let marked = |conflict_markers| Facts { conflict_markers, ..Facts::default() };
        assert_eq!(
            rules(&form(&evidence([modified("a", marked(false), marked(true))]), Author::Free)),
            ["conflict-markers"]
        );
        assert_eq!(rules(&form(&evidence([added("a", marked(true))]), Author::Free)), ["conflict-markers"]);
        assert!(form(&evidence([modified("a", marked(true), marked(true))]), Author::Free).is_empty());
    }

    #[test]
    fn only_more_parse_errors_than_before_count() {
        let broken = |parse_errors| Facts { parse_errors, ..Facts::default() };
        let judge = |old, new| form(&evidence([modified("a", broken(old), broken(new))]), Author::Free);
        assert_eq!(rules(&judge(0, 1)), ["parse-error"]);
        assert_eq!(rules(&judge(2, 3)), ["parse-error"]);
        assert!(judge(2, 2).is_empty());
        assert!(form(&evidence([deleted("a", broken(3))]), Author::Free).is_empty());
    }

    #[test]
    fn a_codemod_run_again_changes_nothing() {
        let again = Evidence { codemod_again_changes: vec!["a.rs".into()], ..Evidence::default() };
        assert_eq!(rules(&form(&again, Author::Free)), ["not-idempotent"]);
    }

    #[test]
    fn literals_are_a_multiset_and_their_order_is_free() {
        assert!(mechanical([modified("a", text(2, &["\"x\"", "\"y\""]), text(2, &["\"y\"", "\"x\""]))]).is_empty());
        for (old, new) in [(&["\"x\""][..], &["\"y\""][..]), (&["\"x\"", "\"x\""], &["\"x\""]), (&[], &["\"x\""])] {
            assert_eq!(rules(&mechanical([modified("a", text(2, old), text(2, new))])), ["literals-changed"]);
        }
        let swapped = [
            modified("a", text(1, &["\"x\""]), text(1, &["\"y\""])),
            modified("b", text(1, &["\"y\""]), text(1, &["\"x\""])),
        ];
        assert_eq!(rules(&mechanical(swapped)), ["literals-changed", "literals-changed"]);
    }

    #[test]
    fn what_the_rule_does_to_literals_and_lines_is_explained() {
        let change = modified("a", text(9, &["\"x\""]), text(7, &["\"y\""]));
        let mut given = evidence([change]);
        let by = |text: &str, by| (text.to_owned(), by);
        let explained =
            Explained { exactly: false, lines_removed: 2, literals: [by("\"x\"", -1), by("\"y\"", 1)].into() };
        given.explained.insert("a".into(), explained.clone());
        assert!(form(&given, Author::Mechanical).is_empty());
        given.explained.insert("a".into(), Explained { lines_removed: 1, ..explained });
        assert_eq!(rules(&form(&given, Author::Mechanical)), ["unexplained-deletion"]);
        given.explained.insert("a".into(), Explained { exactly: true, ..Explained::default() });
        assert!(form(&given, Author::Mechanical).is_empty());
    }

    #[test]
    fn an_explanation_that_did_not_happen_is_no_allowance_for_literals() {
        let mut given = evidence([modified("a", text(9, &["\"x\""]), text(9, &["\"x\""]))]);
        let literals = [("\"x\"".to_owned(), -1)].into();
        given.explained.insert("a".into(), Explained { exactly: false, lines_removed: 0, literals });
        assert_eq!(rules(&form(&given, Author::Mechanical)), ["literals-changed"]);
    }

    #[test]
    fn lines_do_not_vanish_but_may_be_added() {
        assert_eq!(rules(&mechanical([modified("a", text(9, &[]), text(8, &[]))])), ["unexplained-deletion"]);
        assert_eq!(rules(&mechanical([deleted("a", text(9, &[]))])), ["unexplained-deletion"]);
        assert!(mechanical([modified("a", text(9, &[]), text(10, &[]))]).is_empty());
        assert!(form(&evidence([deleted("a", text(9, &["\"x\""]))]), Author::Free).is_empty());
    }

    #[test]
    fn a_renamed_file_lost_nothing() {
        let strings = ["\"x\"", "\"y\""];
        assert!(mechanical([deleted("a", text(9, &strings)), added("b", text(9, &strings))]).is_empty());
        let less = [deleted("a", text(9, &strings)), added("b", text(5, &["\"x\""]))];
        assert_eq!(rules(&mechanical(less)), ["literals-changed", "unexplained-deletion"]);
    }

    #[test]
    fn a_file_that_became_unreadable_hides_nothing() {
        let hidden = Changed { new: None, ..modified("a", text(9, &["\"x\""]), Facts::default()) };
        assert_eq!(rules(&mechanical([hidden])), ["literals-changed", "unexplained-deletion"]);
        let opaque = Changed { old: None, new: None, ..modified("a", Facts::default(), Facts::default()) };
        assert_eq!(rules(&mechanical([opaque])), ["unreadable-change"]);
    }
}
