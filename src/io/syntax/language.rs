//! Owns which languages are spoken here and which files can be read as source. Never parses.

use std::fmt;
use std::path::Path;

use ast_grep_core::AstGrep;
use ast_grep_core::language::Language;
use ast_grep_core::tree_sitter::StrDoc;
use ast_grep_language::SupportLang;

/// A parsed source file.
pub(super) type Source = AstGrep<StrDoc<SupportLang>>;

/// Largest file that is read as source, in bytes.
const BYTES_MAX: usize = 5 * 1024 * 1024;
/// A file over both of these is left alone, as the ast-grep command line does; in bytes and in lines.
const LONG_BYTES: usize = 3_000_000;
const LONG_LINES: usize = 200_000;
/// Deepest tree that is searched: relational rules cost the square of the depth; in nodes.
const DEPTH_MAX: usize = 4_000;
/// How far a NUL byte is looked for, as git does; in bytes.
const BINARY_PROBE: usize = 8_000;

/// The languages whose grammars are built in.
const SPOKEN: [SupportLang; 8] = [
    SupportLang::C,
    SupportLang::Go,
    SupportLang::Java,
    SupportLang::JavaScript,
    SupportLang::Python,
    SupportLang::Rust,
    SupportLang::Tsx,
    SupportLang::TypeScript,
];

/// Names a language whose grammar is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lang(pub(super) SupportLang);

impl Lang {
    /// Finds the language among those that are built in.
    pub(super) fn spoken(language: SupportLang) -> Option<Self> {
        SPOKEN.contains(&language).then_some(Self(language))
    }

    /// Lists the names of all languages that are built in, for a person.
    pub fn names() -> String {
        SPOKEN.map(|language| language.to_string()).join(", ")
    }
}

impl fmt::Display for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Tells a file's language by its extension, as ast-grep does; none where no built-in grammar reads it.
pub fn language_of(path: impl AsRef<Path>) -> Option<Lang> {
    SupportLang::from_path(path).and_then(Lang::spoken)
}

/// Says why a file is not read as source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skipped {
    /// No built-in grammar reads it.
    OtherLanguage,
    /// It holds nothing.
    Empty,
    /// It is over 5 MiB, or over 3 MB and 200,000 lines.
    TooLarge,
    /// Its code is nested more than 4,000 nodes deep.
    TooDeep,
    /// It holds a NUL byte near its start.
    Binary,
    /// It is not UTF-8.
    NotUtf8,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherLanguage => "no built-in grammar reads this file",
            Self::Empty => "the file is empty",
            Self::TooLarge => "the file is too large to be read as source",
            Self::TooDeep => "the file's code is nested too deep to be searched",
            Self::Binary => "the file is binary",
            Self::NotUtf8 => "the file is not UTF-8",
        })
    }
}

/// Reads a file's bytes as source text.
///
/// # Errors
/// Says why it cannot be.
pub(super) fn readable<'a>(path: &Path, bytes: &'a [u8]) -> Result<(Lang, &'a str), Skipped> {
    let language = language_of(path).ok_or(Skipped::OtherLanguage)?;
    if bytes.is_empty() {
        return Err(Skipped::Empty);
    }
    if bytes.len() > BYTES_MAX {
        return Err(Skipped::TooLarge);
    }
    if bytes[..bytes.len().min(BINARY_PROBE)].contains(&0) {
        return Err(Skipped::Binary);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Skipped::NotUtf8)?;
    if text.len() > LONG_BYTES && text.lines().count() > LONG_LINES {
        return Err(Skipped::TooLarge);
    }
    Ok((language, text))
}

/// Parses source text.
///
/// # Errors
/// Says that the tree is too deep, or that there is no grammar.
pub(super) fn parse(language: Lang, text: &str) -> Result<Source, Skipped> {
    let source = StrDoc::try_new(text, language.0).map(AstGrep::doc).map_err(|_| Skipped::OtherLanguage)?;
    if is_deep(&source) { Err(Skipped::TooDeep) } else { Ok(source) }
}

/// Tells whether some node lies deeper than is searched.
fn is_deep(source: &Source) -> bool {
    let root = source.root().get_inner_node();
    let mut cursor = root.walk();
    let mut depth = 0;
    loop {
        if cursor.goto_first_child() {
            depth += 1;
            if depth > DEPTH_MAX {
                return true;
            }
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return false;
            }
            depth -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spoken_language_has_its_grammar() {
        for language in SPOKEN {
            assert!(parse(Lang(language), "x").is_ok(), "{language}");
        }
    }

    #[test]
    fn a_language_without_a_grammar_is_not_spoken() {
        for (path, name) in [
            ("a.rs", Some("Rust")),
            ("a/b.pyi", Some("Python")),
            ("a.cjs", Some("JavaScript")),
            ("a.jsx", Some("JavaScript")),
            ("a.mts", Some("TypeScript")),
            ("a.tsx", Some("Tsx")),
            ("a.h", Some("C")),
            ("a.go", Some("Go")),
            ("A.java", Some("Java")),
            ("a.swift", None),
            ("a.html", None),
            ("rs", None),
            ("-", None),
        ] {
            assert_eq!(language_of(path).map(|language| language.to_string()).as_deref(), name, "{path}");
        }
    }

    #[test]
    fn a_nest_that_is_too_deep_is_not_searched() {
        let nest = |depth| "a(".repeat(depth) + "1" + &")".repeat(depth);
        let language = language_of("a.js").unwrap();
        assert!(parse(language, &nest(1_500)).is_ok());
        assert_eq!(parse(language, &nest(100_000)).err(), Some(Skipped::TooDeep));
    }

    #[test]
    fn what_is_not_source_is_skipped_with_its_reason() {
        let read = |path: &str, bytes: &[u8]| readable(Path::new(path), bytes).map(|(_, text)| text.len());
        assert_eq!(read("a.rs", b"fn"), Ok(2));
        assert_eq!(read("a.txt", b"fn"), Err(Skipped::OtherLanguage));
        assert_eq!(read("a.rs", b""), Err(Skipped::Empty));
        assert_eq!(read("a.rs", b"a\0b"), Err(Skipped::Binary));
        assert_eq!(read("a.rs", b"\xff\xfe"), Err(Skipped::NotUtf8));
        assert_eq!(read("a.rs", &vec![b'x'; BYTES_MAX + 1]), Err(Skipped::TooLarge));
        assert_eq!(read("a.rs", "ab\n".repeat(1_100_000).as_bytes()), Err(Skipped::TooLarge));
    }
}
