//! Owns the search for text in files: what is looked for, where, and how much of it is told. Never runs longer than its
//! bounds let it, whatever the pattern.

use std::fmt::Write as _;
use std::time::Duration;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use regex::bytes::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use super::files::{Files, Listed};

/// Largest file that is searched, in bytes.
const FILE_BYTES_MAX: u64 = 2 << 20;
/// Bytes of text that are told at most, some lines more or less.
const TOLD_BYTES_MAX: usize = 48 << 10;
/// Characters of a line that are told.
const LINE_CHARS: usize = 240;
/// Matches that are told where nobody says how many, and at most.
const MATCHES: u32 = 100;
const MATCHES_MAX: u32 = 1000;
/// Lines around a match at most.
const CONTEXT_MAX: u32 = 10;
/// Globs of one search, and bytes of a pattern.
const GLOBS_MAX: usize = 50;
const PATTERN_BYTES_MAX: usize = 4 << 10;
/// Bytes that a compiled pattern may take.
const COMPILED_BYTES_MAX: usize = 4 << 20;
/// How far a NUL byte is looked for, as git does.
const BINARY_PROBE: usize = 8_000;
/// How long one search may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Says what is searched for.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// A regular expression (Rust syntax, no look-around) that is matched line by line.
    pub pattern: String,
    /// Take the pattern as plain text.
    #[serde(default)]
    pub literal: bool,
    /// Pay no heed to case.
    #[serde(default)]
    pub ignore_case: bool,
    /// Search these files only: paths, folders or globs (`src/**/*.rs`, `*.toml`); `!` before one leaves it out.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Show so many lines around each match: at most 10.
    #[serde(default)]
    pub context: u32,
    /// Tell so many matches: 100 without this, at most 1000.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// Searches files.
///
/// # Errors
/// Says what is wrong with the query, or why there are no files.
pub fn search(files: &dyn Files, query: &Query) -> Result<String, String> {
    let pattern = pattern(query)?;
    let places = Places::of(&query.paths)?;
    let limit = query.limit.unwrap_or(MATCHES).clamp(1, MATCHES_MAX);
    let mut found = Found { told: String::new(), left: limit, matches: 0, files: 0 };
    let (until, mut searched, mut stopped) = (Instant::now() + PATIENCE, 0, "");
    for file in files.list()?.iter().filter(|file| places.hold(&file.path)) {
        if found.left == 0 || found.told.len() > TOLD_BYTES_MAX {
            stopped = " There may be more: narrow the pattern or `paths`.";
            break;
        }
        if Instant::now() > until {
            stopped = " The search took too long and was broken off: narrow `paths`.";
            break;
        }
        let Some(bytes) = files.read(file, FILE_BYTES_MAX) else { continue };
        if bytes[..bytes.len().min(BINARY_PROBE)].contains(&0) {
            continue;
        }
        searched += 1;
        found.in_file(file, &bytes, &pattern, query.context.min(CONTEXT_MAX) as usize);
    }
    let Found { told, matches, files, .. } = found;
    Ok(format!("{told}{matches} matching lines in {files} files; {searched} files were searched.{stopped}"))
}

fn pattern(query: &Query) -> Result<Regex, String> {
    let Query { pattern, literal, ignore_case, .. } = query;
    if pattern.is_empty() || pattern.len() > PATTERN_BYTES_MAX {
        return Err(format!("`pattern` has {} bytes, and has to have 1 to {PATTERN_BYTES_MAX}", pattern.len()));
    }
    let text = if *literal { regex::escape(pattern) } else { pattern.clone() };
    let mut builder = RegexBuilder::new(&text);
    builder.case_insensitive(*ignore_case).crlf(true).size_limit(COMPILED_BYTES_MAX).dfa_size_limit(COMPILED_BYTES_MAX);
    builder.build().map_err(|error| {
        let error = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        format!("`pattern` is no regular expression (`literal` takes it as text): {error}")
    })
}

/// Says which files are meant.
struct Places {
    within: Option<GlobSet>,
    without: GlobSet,
}

impl Places {
    fn of(paths: &[String]) -> Result<Self, String> {
        if paths.len() > GLOBS_MAX {
            return Err(format!("`paths` has {} entries, and may have {GLOBS_MAX}", paths.len()));
        }
        let (without, within): (Vec<_>, Vec<_>) = paths.iter().partition(|path| path.starts_with('!'));
        let is_bounded = !within.is_empty();
        let within = globs(within.into_iter().map(String::as_str))?;
        let without = globs(without.iter().filter_map(|path| path.strip_prefix('!')))?;
        Ok(Self { within: is_bounded.then_some(within), without })
    }

    fn hold(&self, path: &str) -> bool {
        self.within.as_ref().is_none_or(|within| within.is_match(path)) && !self.without.is_match(path)
    }
}

/// Takes each as a glob, as a folder, and, where it is a mere name, as one in any folder.
fn globs<'p>(written: impl Iterator<Item = &'p str>) -> Result<GlobSet, String> {
    let mut set = GlobSetBuilder::new();
    let fault = |glob: &str, error: globset::Error| {
        format!("`paths` holds `{}`, which is no glob: {}", crate::model::written::shown(glob), error.kind())
    };
    for glob in written {
        let place = glob.trim_start_matches("./").trim_end_matches('/');
        let mut forms = vec![place.to_owned(), format!("{place}/**")];
        if matches!(place, "" | ".") {
            forms = vec!["**".to_owned()];
        } else if !place.contains('/') {
            forms.extend([format!("**/{place}"), format!("**/{place}/**")]);
        }
        for form in forms {
            let built = GlobBuilder::new(&form).literal_separator(true).build();
            set.add(built.map_err(|error| fault(glob, error))?);
        }
    }
    set.build().map_err(|error| fault("these together", error))
}

/// Collects what was found.
struct Found {
    told: String,
    /// Matches that may be told yet.
    left: u32,
    matches: u32,
    files: u32,
}

impl Found {
    fn in_file(&mut self, file: &Listed, bytes: &[u8], pattern: &Regex, context: usize) {
        if !pattern.is_match(bytes) {
            return;
        }
        let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        let matching = lines.iter().enumerate().filter(|(_, line)| pattern.is_match(line)).map(|(at, _)| at);
        let matching: Vec<usize> = matching.take(self.left as usize).collect();
        let Some(last) = matching.last() else { return };
        let mut next = 0;
        for at in matching.iter().copied() {
            let from = at.saturating_sub(context).max(next);
            if context > 0 && next > 0 && from > next {
                self.told.push_str("--\n");
            }
            let upto = (at + context + 1).min(lines.len());
            for (number, line) in lines.iter().enumerate().take(upto).skip(from) {
                if self.told.len() > TOLD_BYTES_MAX && number > *last {
                    break;
                }
                let mark = if matching.binary_search(&number).is_ok() { ':' } else { '-' };
                // Writing to a text does not fail.
                let _ =
                    writeln!(self.told, "{}{mark}{}{mark} {}", shown(file.path.as_bytes()), number + 1, shown(line));
            }
            next = upto;
        }
        self.files += 1;
        let count = u32::try_from(matching.len()).unwrap_or(u32::MAX);
        self.matches += count;
        self.left -= count;
    }
}

/// Shows a line as text without control characters, cut where it is long.
fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
    let plain = |c: char| if c.is_control() && c != '\t' { '\u{fffd}' } else { c };
    let cut = if text.chars().nth(LINE_CHARS).is_some() { "…" } else { "" };
    text.chars().take(LINE_CHARS).map(plain).collect::<String>() + cut
}

#[cfg(test)]
mod tests {
    use super::super::files::testing::Few;
    use super::*;

    fn files() -> Few {
        Few(vec![
            ("README.md", b"An artel.\nOld text.\n"),
            ("bin/logo.png", b"\x89PNG\0old"),
            ("src/a.rs", b"fn old() {}\r\nfn other() {}\n\nfn older() { old() }\n"),
            ("src/deep/b.rs", b"use old;\n\x1b[2J old \xff\n"),
        ])
    }

    fn found(query: Query) -> String {
        search(&files(), &query).unwrap()
    }

    fn query(pattern: &str, paths: &[&str]) -> Query {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        Query { pattern: pattern.to_owned(), paths, ..Query::default() }
    }

    #[test]
    fn lines_are_told_with_their_places() {
        insta::assert_snapshot!(found(query(r"\bold\b", &[])));
        insta::assert_snapshot!(found(Query { context: 1, ..query("older", &[]) }));
    }

    #[test]
    fn a_search_is_kept_to_its_places() {
        let told = |paths: &[&str]| {
            let told = found(Query { ignore_case: true, ..query("old", paths) });
            let mut paths: Vec<String> =
                told.lines().filter_map(|line| line.split_once(':')).map(|it| it.0.to_owned()).collect();
            paths.dedup();
            paths
        };
        assert_eq!(told(&["src"]), ["src/a.rs", "src/deep/b.rs"]);
        assert_eq!(told(&["src/*.rs"]), ["src/a.rs"]);
        assert_eq!(told(&["b.rs", "*.md"]), ["README.md", "src/deep/b.rs"]);
        assert_eq!(told(&["./src/", "!deep"]), ["src/a.rs"]);
        assert_eq!(told(&["!src/**"]), ["README.md"]);
        assert_eq!(told(&["."]).len(), 3);
        assert_eq!(told(&["nowhere"]), [] as [String; 0]);
    }

    #[test]
    fn text_is_taken_as_it_is_where_that_is_asked_for() {
        assert!(found(query("old()", &[])).contains("fn older"), "an empty group matches anything");
        let literal = found(Query { literal: true, ..query("old()", &[]) });
        assert!(literal.starts_with("src/a.rs:1: fn old() {}\nsrc/a.rs:4: fn older"), "{literal}");
        assert!(literal.contains("2 matching lines in 1 files"));
    }

    #[test]
    fn what_is_told_is_bounded() {
        let long = "x".repeat(5000) + "\n";
        let many = long.repeat(100).into_bytes().leak();
        let files = Few(vec![("a", many), ("b", many), ("c", b"x")]);
        let told = search(&files, &query("x", &[])).unwrap();
        assert!(
            told.contains("100 matching lines in 1 files; 1 files") && told.contains("There may be more"),
            "{told}"
        );
        assert!(told.lines().all(|line| line.chars().count() < 300));
        let told = search(&files, &Query { limit: Some(u32::MAX), ..query("x", &[]) }).unwrap();
        assert!(told.len() < 2 * TOLD_BYTES_MAX, "{}", told.len());
        let one = search(&files, &Query { limit: Some(0), ..query("x", &[]) }).unwrap();
        assert!(one.contains("1 matching lines"), "{one}");
    }

    #[test]
    fn a_query_that_cannot_be_meant_is_refused_in_words() {
        for (query, words) in [
            (query("", &[]), "`pattern` has 0 bytes"),
            (query("(", &[]), "unclosed group"),
            (query("(?=a)", &[]), "look-around"),
            (query("(a{1000}){1000}", &[]), "size"),
            (query(&"x".repeat(5000), &[]), "5000 bytes"),
            (query("a", &["a[", "b"]), "`a[`, which is no glob"),
            (query("a", &["x"; 51]), "51 entries"),
        ] {
            let why = search(&files(), &query).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
    }
}
