//! What correct-looking codemods did to real trees: each is seen by artel, not only survived.

use artel::io::agents::codemod::{Codemod, Rewritten};
use artel::io::syntax::{Rules, literals, parse_errors, scan};

fn rewrite(rule: &str, path: &str, text: &str) -> Rewritten {
    Codemod::new(vec![Rules::parse("rule.yml", rule).unwrap()]).rewrite(path, text.as_bytes())
}

fn text(rewritten: &Rewritten) -> &str {
    std::str::from_utf8(&rewritten.bytes).unwrap()
}

#[test]
fn try_in_front_of_an_expression_is_an_error_node_and_is_rewritten_by_its_rule() {
    let rule = artel::ui::cli::demo::RULES[0].1;
    let before = "fn f() -> R {\n    let x = try!(g(try!(h())));\n    Ok(try!(a as b))\n}\n";
    let after = rewrite(rule, "a.rs", before);
    assert_eq!(text(&after), "fn f() -> R {\n    let x = g(h()?)?;\n    Ok((a as b)?)\n}\n");
    assert!(!after.broke_parse && parse_errors("a.rs", before.as_bytes()) > 0);
    assert_eq!(parse_errors("a.rs", &after.bytes), 0);
}

#[test]
fn a_header_is_read_as_c_so_a_rule_for_it_is_a_document_of_its_own() {
    let rule =
        "language: c\nrule: {pattern: {context: 'int x = old($A);', selector: call_expression}}\nfix: new_($A)\n";
    assert_eq!(text(&rewrite(rule, "a.h", "int f(void) { return old(1); }")), "int f(void) { return new_(1); }");
}

#[test]
fn a_language_without_a_grammar_is_refused_when_the_rule_is_read_not_when_it_is_used() {
    let error = Rules::parse("r.yml", "language: cpp\nrule: {pattern: 'old($A)'}\n").unwrap_err();
    let help = error.faults[0].help.as_deref().unwrap_or_default();
    assert!(error.faults[0].what.contains("Cpp") && help.contains("Rust"), "{error}");
}

#[test]
fn a_second_declarator_that_a_pattern_drops_is_seen_as_a_lost_literal() {
    let rule = "language: js\nrule: {pattern: 'var $N = require($$$A)'}\nfix: const $N = require($$$A)\n";
    let before = "var a = require('a'),\n    b = require('b');\nvar c = require('c');\n";
    let after = rewrite(rule, "a.js", before);
    assert!(!text(&after).contains("'b'"), "the hazard is gone: {}", text(&after));
    assert_ne!(literals("a.js", before.as_bytes()), literals("a.js", &after.bytes));
}

#[test]
fn an_expansion_that_swallows_the_rest_of_a_list_is_seen_as_lost_literals() {
    let rule = "language: python\nrule: {pattern: 'gone()'}\nfix:\n  template: kept()\n  expandEnd: {stopBy: end, regex: end}\n";
    let before = "def f():\n    g(gone(), \"a\", \"b\", end)\n";
    let after = rewrite(rule, "a.py", before);
    assert_eq!(text(&after), "def f():\n    g(kept())\n");
    assert_eq!(literals("a.py", before.as_bytes()).len() - literals("a.py", &after.bytes).len(), 2);
}

#[test]
fn a_reindented_literal_is_seen_as_a_changed_one() {
    let rule = "language: python\nrule: {pattern: 'check($A, $B)'}\nfix: |-\n  verify(\n      $A,\n      $B,\n  )\n";
    let before = "class T:\n    def t(self):\n        check(f(), \"\"\"one\n        two\n        \"\"\")\n";
    let after = rewrite(rule, "a.py", before);
    assert!(!after.broke_parse, "it still parses, which is what makes it dangerous");
    assert_ne!(literals("a.py", before.as_bytes()), literals("a.py", &after.bytes), "{}", text(&after));
}

#[test]
fn an_annotation_and_an_expression_are_two_kinds_of_node() {
    let annotation = "id: a\nlanguage: python\nrule: {kind: generic_type}\n";
    let expression = "id: b\nlanguage: python\nrule: {pattern: 'Optional[$T]'}\n";
    let source = b"x: Optional[int] = cast(Optional[str], y)\nz: t.Optional[int]\n";
    let lines = |rule| -> Vec<String> {
        let rules = Rules::parse("r.yml", rule).unwrap();
        scan(&rules, "a.py", source).unwrap().into_iter().map(|found| found.text).collect()
    };
    assert_eq!(lines(annotation), ["Optional[int]"]);
    assert_eq!(lines(expression), ["Optional[str]"]);
}

#[test]
fn overlapping_matches_are_counted_as_edits_that_were_made_not_as_matches() {
    let rule = "id: r\nlanguage: js\nrule: {pattern: 'a($X)'}\nfix: b($X)\n";
    let after = rewrite(rule, "a.js", "a(a(a(1)));\na(2);\n");
    assert_eq!((after.applied["r"], after.passes), (4, 3));
}

#[test]
fn a_deep_nest_is_scanned_on_a_small_stack() {
    let rule = "id: r\nlanguage: js\nrule: {pattern: 'a($X)', not: {inside: {kind: class_body, stopBy: end}}}\n";
    let rules = Rules::parse("r.yml", rule).unwrap();
    let deep = "a(".repeat(1_500) + "1" + &")".repeat(1_500);
    let scan = move || scan(&rules, "a.js", deep.as_bytes()).unwrap().len();
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(scan).unwrap();
    assert_eq!(thread.join().unwrap(), 1_500);
}
