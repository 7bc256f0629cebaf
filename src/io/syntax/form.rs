//! Owns what a file's form says: parse errors, string literals, conflict markers. Never judges it.

use std::collections::BTreeMap;
use std::path::Path;

use ast_grep_core::Node;
use ast_grep_core::tree_sitter::StrDoc;
use ast_grep_language::SupportLang;

use super::language::{Source, parse, readable};

/// Counts the places where a file does not parse; 0 for what is not read as source.
pub fn parse_errors(path: impl AsRef<Path>, bytes: &[u8]) -> usize {
    let Some(source) = parsed(path.as_ref(), bytes) else { return 0 };
    let root = source.root();
    if !root.get_inner_node().has_error() {
        return 0;
    }
    root.dfs().filter(|node| node.is_error() || node.is_missing()).count()
}

/// Counts the string and byte-string literals of a file by their text, quotes included; empty for what is not read
/// as source. Code inside a literal (`f"{x}"`, `${x}`) is left out: what it computes is not a literal.
pub fn literals(path: impl AsRef<Path>, bytes: &[u8]) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    let Some(source) = parsed(path.as_ref(), bytes) else { return counts };
    let root = source.root();
    for node in root.dfs().filter(|node| is_literal(&node.kind())) {
        *counts.entry(text_without_code(&node)).or_default() += 1;
    }
    counts
}

/// Tells whether a file holds a merge conflict that nobody resolved: the three markers, in order, at line starts.
pub fn has_conflict_markers(bytes: &[u8]) -> bool {
    let mut seen = 0;
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if is_marker(line, b'<') {
            seen = 1;
        } else if seen == 1 && line == b"=======" {
            seen = 2;
        } else if seen == 2 && is_marker(line, b'>') {
            return true;
        }
    }
    false
}

/// Tells whether a line is seven of a sign, alone or followed by a space and a name.
fn is_marker(line: &[u8], sign: u8) -> bool {
    line.len() >= 7 && line[..7].iter().all(|byte| *byte == sign) && line.get(7).is_none_or(|byte| *byte == b' ')
}

fn parsed(path: &Path, bytes: &[u8]) -> Option<Source> {
    let (language, text) = readable(path, bytes).ok()?;
    parse(language, text).ok()
}

/// Tells whether a kind of node, of any of the built-in grammars, is a string literal.
fn is_literal(kind: &str) -> bool {
    matches!(
        kind,
        "string_literal" | "raw_string_literal" | "interpreted_string_literal" | "string" | "template_string"
    )
}

/// Reads a literal's text with a gap in place of each piece of code.
fn text_without_code(literal: &Node<'_, StrDoc<SupportLang>>) -> String {
    let whole = literal.text();
    let start = literal.range().start;
    let mut text = String::new();
    let mut end = 0;
    for child in literal.children() {
        if !matches!(&*child.kind(), "interpolation" | "template_substitution") {
            continue;
        }
        let range = child.range();
        text.push_str(whole.get(end..range.start - start).unwrap_or_default());
        text.push_str("{…}");
        end = range.end - start;
    }
    text.push_str(whole.get(end..).unwrap_or_default());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_missing_tokens_are_counted() {
        assert_eq!(parse_errors("a.rs", b"fn f() {}"), 0);
        assert!(parse_errors("a.rs", b"fn f() { let x = ; }") > 0);
        assert!(parse_errors("a.js", b"function f( {") > 0);
        assert_eq!(parse_errors("a.txt", b"fn f( {"), 0);
        assert_eq!(parse_errors("a.rs", b"\xff("), 0);
    }

    #[test]
    fn literals_of_each_language_are_counted_with_their_quotes() {
        for (path, text, expected) in [
            (
                "a.rs",
                r##"fn f() { g("a", b"b", r#"c"#, "a"); h!("d {}", 1) }"##,
                vec![r#""a""#, r#""a""#, r#""d {}""#, r#"b"b""#, r##"r#"c"#"##],
            ),
            ("a.py", "x = 'a' \"b\"\n'''doc\n  d'''\nb'e'", vec!["\"b\"", "'''doc\n  d'''", "'a'", "b'e'"]),
            ("a.js", "f('a', \"b\", `c`)", vec!["\"b\"", "'a'", "`c`"]),
            ("a.tsx", "const x = <A b=\"c\">d</A>", vec!["\"c\""]),
            ("a.go", "package a\nvar x = \"a\" + `b`", vec!["\"a\"", "`b`"]),
            ("A.java", "class A { String a = \"b\"; }", vec!["\"b\""]),
            ("a.c", "char *a = \"b\";", vec!["\"b\""]),
        ] {
            let found: Vec<String> = literals(path, text.as_bytes())
                .into_iter()
                .flat_map(|(text, count)| std::iter::repeat_n(text, count as usize))
                .collect();
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn code_inside_a_literal_is_not_part_of_it() {
        assert_eq!(literals("a.py", b"f'a {x.y} b'"), literals("a.py", b"f'a {z} b'"));
        assert_ne!(literals("a.py", b"f'a {x} b'"), literals("a.py", b"f'a {x} c'"));
        assert_eq!(literals("a.js", b"`a ${x} b`"), literals("a.js", b"`a ${y()} b`"));
        assert_eq!(literals("a.py", b"f'a {x[\"k\"]}'").len(), 2);
    }

    #[test]
    fn only_a_whole_conflict_counts() {
        assert!(has_conflict_markers(b"a\n<<<<<<< ours\nb\n=======\nc\n>>>>>>> theirs\n"));
        assert!(has_conflict_markers(b"<<<<<<< o\r\nb\r\n||||||| base\r\n=======\r\nc\r\n>>>>>>> t"));
        for text in [
            "Title\n=======\ntext\n",
            "<<<<<<< ours\n>>>>>>> theirs\n=======\n",
            "  <<<<<<< a\n=======\n>>>>>>> b\n",
            "<<<<<<<<< a\n=======\n>>>>>>> b\n",
            "<<<<<<< a\n========\n>>>>>>> b\n",
            "",
        ] {
            assert!(!has_conflict_markers(text.as_bytes()), "{text:?}");
        }
    }
}
