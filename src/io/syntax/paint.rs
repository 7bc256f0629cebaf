//! Owns which pieces of source text are keywords, texts, numbers, comments and types, by the names of the grammar's nodes,
//! so that code can be shown in colours. Never chooses a colour.

use std::ops::Range;
use std::path::Path;

use super::language::{parse, readable};

/// Pieces of one text that are told.
const MOST: usize = 50_000;

/// Sorts a piece of source text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hue {
    /// A word of the language.
    Keyword,
    /// A text or a character.
    Text,
    /// A number, or a value that the language names.
    Number,
    /// A comment.
    Comment,
    /// A type.
    Type,
}

/// Lists the pieces of a text that have a hue, in order, by their bytes; none for what is not read as source. The text may
/// be a part of a file: what the grammar does not understand has no hue.
pub fn paint(path: impl AsRef<Path>, text: &str) -> Vec<(Range<usize>, Hue)> {
    let Some(source) =
        readable(path.as_ref(), text.as_bytes()).ok().and_then(|(language, text)| parse(language, text).ok())
    else {
        return Vec::new();
    };
    let root = source.root().get_inner_node();
    let mut cursor = root.walk();
    let mut found = Vec::new();
    loop {
        let node = cursor.node();
        let hue = hue(node.kind(), node.is_named());
        let is_whole = hue.is_some();
        found.extend(hue.map(|hue| (node.start_byte()..node.end_byte(), hue)));
        if found.len() >= MOST {
            return found;
        }
        if !is_whole && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return found;
            }
        }
    }
}

fn hue(kind: &str, is_named: bool) -> Option<Hue> {
    if !is_named {
        let is_word = kind.len() > 1 && kind.bytes().all(|byte| byte.is_ascii_lowercase());
        return is_word.then_some(Hue::Keyword);
    }
    match kind {
        "line_comment" | "block_comment" | "comment" | "doc_comment" => Some(Hue::Comment),
        "string_literal"
        | "raw_string_literal"
        | "char_literal"
        | "string"
        | "template_string"
        | "interpreted_string_literal"
        | "rune_literal"
        | "character_literal"
        | "concatenated_string"
        | "regex"
        | "text_block"
        | "system_lib_string" => Some(Hue::Text),
        "integer_literal"
        | "float_literal"
        | "boolean_literal"
        | "integer"
        | "float"
        | "number"
        | "number_literal"
        | "int_literal"
        | "imaginary_literal"
        | "decimal_integer_literal"
        | "decimal_floating_point_literal"
        | "hex_integer_literal"
        | "true"
        | "false"
        | "null"
        | "null_literal"
        | "none"
        | "nil"
        | "undefined" => Some(Hue::Number),
        "type_identifier"
        | "primitive_type"
        | "predefined_type"
        | "integral_type"
        | "floating_point_type"
        | "boolean_type"
        | "void_type" => Some(Hue::Type),
        "self" | "super" | "crate" | "this" | "mutable_specifier" => Some(Hue::Keyword),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(path: &str, text: &str) -> Vec<(String, Hue)> {
        paint(path, text).into_iter().map(|(range, hue)| (text[range].to_owned(), hue)).collect()
    }

    #[test]
    fn words_texts_numbers_comments_and_types_are_told_apart() {
        let found = pieces("a.rs", "pub fn f(x: u32) -> Vec<String> { g(\"a \\\" b\", 12) } // end");
        for (piece, hue) in [
            ("fn", Hue::Keyword),
            ("u32", Hue::Type),
            ("String", Hue::Type),
            ("\"a \\\" b\"", Hue::Text),
            ("12", Hue::Number),
            ("// end", Hue::Comment),
        ] {
            assert!(found.contains(&(piece.to_owned(), hue)), "{piece}: {found:?}");
        }
        for (path, text) in
            [("a.py", "def f(): return None # x"), ("a.ts", "const a: string = `b`;"), ("a.go", "var x = 1")]
        {
            assert!(pieces(path, text).len() >= 2, "{path}: {:?}", pieces(path, text));
        }
    }

    #[test]
    fn a_part_of_a_file_has_its_hues_and_what_is_no_source_has_none() {
        let part = pieces("a.rs", "    let y = \"z\";\n}\n\nfn g(");
        assert!(part.contains(&("let".to_owned(), Hue::Keyword)), "{part:?}");
        assert!(part.contains(&("\"z\"".to_owned(), Hue::Text)), "{part:?}");
        assert_eq!(paint("a.txt", "fn f() {}"), Vec::new());
        assert_eq!(paint("a.rs", ""), Vec::new());
        let ranges = paint("a.rs", "fn é() { \"ü\" } \u{202e} /* x");
        assert!(ranges.is_sorted_by(|one, two| one.0.end <= two.0.start), "{ranges:?}");
    }
}
