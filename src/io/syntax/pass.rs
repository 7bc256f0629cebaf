//! Owns one pass of a rule file over a file: which edits are made, and which wait for the next pass.
//! Resolves overlaps exactly as `ast-grep scan --update-all` does.

use std::collections::BTreeMap;
use std::path::Path;

use ast_grep_config::CombinedScan;
use ast_grep_core::replacer::Replacer;

use super::language::{Skipped, parse, readable};
use super::rules::Rules;

/// Holds what one pass made of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// The file after the pass.
    pub text: String,
    /// How many edits each rule made that changed something, by rule id.
    pub applied: BTreeMap<String, u32>,
    /// How many places could have been edited, those that overlap others included.
    pub places: usize,
}

/// Applies a rule file once. Of edits that overlap, the one whose match comes first in the tree is made, the outer
/// before the inner; the others are met by the next pass.
///
/// # Errors
/// Says why the file cannot be read as source, where a rule would read it.
pub fn rewrite_once(rules: &Rules, path: impl AsRef<Path>, text: &str) -> Result<Pass, Skipped> {
    let path = path.as_ref();
    let mut pass = Pass { text: String::new(), applied: BTreeMap::new(), places: 0 };
    let asked = rules.for_path(path);
    if asked.is_empty() || text.is_empty() {
        pass.text = text.to_owned();
        return Ok(pass);
    }
    let (language, text) = readable(path, text.as_bytes())?;
    let source = parse(language, text)?;
    let scan = CombinedScan::new(asked);
    let mut end = 0;
    for (rule, place) in scan.scan(&source, true).diffs {
        pass.places += 1;
        for fixer in &rule.fixer {
            // Asking for the range first spares the text of what overlaps: deep nests would cost its square.
            let range = fixer.get_replaced_range(&place, &rule.matcher);
            if range.start < end {
                continue;
            }
            let (Some(kept), Some(old)) = (text.get(end..range.start), text.get(range.clone())) else { continue };
            let Ok(new) = String::from_utf8(fixer.generate_replacement(&place)) else { continue };
            pass.text.push_str(kept);
            pass.text.push_str(&new);
            end = range.end;
            if old != new {
                *pass.applied.entry(rule.id.clone()).or_default() += 1;
            }
            break;
        }
    }
    pass.text.push_str(text.get(end..).unwrap_or_default());
    Ok(pass)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn once(rule: &str, text: &str) -> Pass {
        rewrite_once(&Rules::parse("r.yml", rule).unwrap(), "x.rs", text).unwrap()
    }

    #[test]
    fn of_nested_matches_a_pass_rewrites_the_outer_one() {
        let pass = once("id: a\nlanguage: rust\nrule: {pattern: a($X)}\nfix: b($X)\n", "fn f() { a(a(a(1))) }");
        assert_eq!(pass.text, "fn f() { b(a(a(1))) }");
        assert_eq!((pass.places, pass.applied["a"]), (3, 1));
    }

    #[test]
    fn of_a_list_of_fixes_the_first_is_used() {
        let rule = "id: a\nlanguage: rust\nrule: {pattern: a()}\n\
                    fix:\n- {title: one, template: b()}\n- {title: two, template: c()}\n";
        assert_eq!(once(rule, "fn f() { a() }").text, "fn f() { b() }");
    }

    #[test]
    fn an_edit_that_writes_what_was_there_is_not_counted() {
        let pass = once("id: a\nlanguage: rust\nrule: {pattern: a()}\nfix: a()\n", "fn f() { a() }");
        assert_eq!((pass.text.as_str(), pass.applied.len(), pass.places), ("fn f() { a() }", 0, 1));
    }

    #[test]
    fn a_rule_that_is_off_or_finds_only_edits_nothing() {
        let rule = "id: a\nlanguage: rust\nseverity: off\nrule: {pattern: a()}\nfix: b()\n---\n\
                    id: c\nlanguage: rust\nrule: {pattern: c()}\n";
        let pass = once(rule, "fn f() { a(); c() }");
        assert_eq!((pass.text.as_str(), pass.places), ("fn f() { a(); c() }", 0));
    }

    #[test]
    fn globs_of_a_rule_are_obeyed() {
        let rules = Rules::parse(
            "r.yml",
            "id: a\nlanguage: rust\nrule: {pattern: a()}\nfix: b()\nfiles: ['src/**']\nignores: ['src/gen/**']\n",
        )
        .unwrap();
        for (path, changed) in [("src/x.rs", true), ("x.rs", false), ("src/gen/x.rs", false)] {
            let pass = rewrite_once(&rules, path, "fn f() { a() }").unwrap();
            assert_eq!(pass.text.contains("b()"), changed, "{path}");
            assert_eq!(rules.reads(path), changed, "{path}");
        }
    }
}
