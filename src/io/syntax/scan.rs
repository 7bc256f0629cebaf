//! Owns finding: which places of a file a rule file matches. Never changes one.

use std::path::Path;

use ast_grep_config::CombinedScan;

use super::language::{Skipped, parse, readable};
use super::rules::Rules;

/// Longest text that a match carries, in characters.
const TEXT_MAX: usize = 200;

/// Names one place that a rule matches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Match {
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, in characters.
    pub column: u32,
    /// The rule's id.
    pub rule_id: String,
    /// The matched text, cut at 200 characters.
    pub text: String,
    /// Whether the rule says what to write in its place.
    pub fixable: bool,
}

/// Finds all places of a file that the rules match, in the order of the file.
///
/// A file of a language that no rule reads has none and is not parsed.
///
/// # Errors
/// Says why the file cannot be read as source, where a rule would read it.
pub fn scan(rules: &Rules, path: impl AsRef<Path>, bytes: &[u8]) -> Result<Vec<Match>, Skipped> {
    let path = path.as_ref();
    let asked = rules.for_path(path);
    if asked.is_empty() || bytes.is_empty() {
        return Ok(Vec::new());
    }
    let (language, text) = readable(path, bytes)?;
    let source = parse(language, text)?;
    let scan = CombinedScan::new(asked);
    let mut found = Vec::new();
    for (rule, matches) in scan.scan(&source, false).matches {
        for place in matches {
            let start = place.start_pos();
            found.push(Match {
                line: number(start.line()),
                column: number(start.column(&place)),
                rule_id: rule.id.clone(),
                text: place.text().chars().take(TEXT_MAX).collect(),
                fixable: !rule.fixer.is_empty(),
            });
        }
    }
    found.sort();
    Ok(found)
}

/// Counts from 1 what the parser counts from 0.
fn number(from_zero: usize) -> u32 {
    u32::try_from(from_zero).unwrap_or(u32::MAX - 1).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "id: no-b\nlanguage: rust\nrule: {pattern: b($A)}\nfix: c($A)\n---\n\
                        id: find-d\nlanguage: rust\nrule: {pattern: d()}\n";

    fn rules() -> Rules {
        Rules::parse("r.yml", RULE).unwrap()
    }

    #[test]
    fn matches_come_in_the_order_of_the_file_with_places_counted_from_one() {
        let found = scan(&rules(), "x.rs", "fn f() { d(); é();\n  b(b(1)) }".as_bytes()).unwrap();
        let short: Vec<_> =
            found.iter().map(|m| (m.rule_id.as_str(), m.line, m.column, m.text.as_str(), m.fixable)).collect();
        assert_eq!(
            short,
            [("find-d", 1, 10, "d()", false), ("no-b", 2, 3, "b(b(1))", true), ("no-b", 2, 5, "b(1)", true)]
        );
    }

    #[test]
    fn text_of_a_match_is_cut_at_a_character() {
        let text = format!("fn f() {{ b(\"{}\") }}", "é".repeat(500));
        assert_eq!(scan(&rules(), "x.rs", text.as_bytes()).unwrap()[0].text.chars().count(), 200);
    }

    #[test]
    fn a_file_that_no_rule_reads_has_no_match_whatever_it_holds() {
        assert_eq!(scan(&rules(), "x.py", b"b(1)"), Ok(vec![]));
        assert_eq!(scan(&rules(), "x.bin", b"\xff\0"), Ok(vec![]));
        assert_eq!(scan(&rules(), "x.rs", b"b(\xff)"), Err(Skipped::NotUtf8));
    }

    #[test]
    fn a_suppressed_place_is_no_match() {
        let text = b"fn f() {\n  // ast-grep-ignore: find-d\n  d();\n  d();\n}";
        let lines: Vec<_> = scan(&rules(), "x.rs", text).unwrap().iter().map(|m| m.line).collect();
        assert_eq!(lines, [4]);
    }

    #[test]
    fn deep_nesting_is_scanned_or_refused_but_never_a_fault() {
        let deep = |depth| format!("fn f() {{ {}1{} }}", "b(".repeat(depth), ")".repeat(depth));
        assert_eq!(scan(&rules(), "x.rs", deep(1_000).as_bytes()).unwrap().len(), 1_000);
        assert_eq!(scan(&rules(), "x.rs", deep(100_000).as_bytes()), Err(Skipped::TooDeep));
    }
}
