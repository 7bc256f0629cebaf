//! Owns the map of a repository: what its source files define, those first that matter most to some paths, in as many
//! words as are asked for. Remembers what files define by their contents; never runs longer than its bounds let it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use super::files::{Files, Listed};
use super::links::{Links, ranks};
use crate::io::syntax::{Outline, language_of, outline};
use crate::model::ids::Oid;
use crate::model::paths::PathSet;

/// Tokens of a map where nobody says how many, and at most.
const TOKENS: u32 = 2_000;
const TOKENS_MAX: u32 = 12_000;
/// Bytes of source text that one token holds, as a rule.
const BYTES_A_TOKEN: usize = 4;
/// Source files that are read at most, and the largest of them, in bytes.
const FILES_MAX: usize = 20_000;
const FILE_BYTES_MAX: u64 = 512 << 10;
/// Definitions that are told of one file.
const SYMBOLS: usize = 30;
/// How long the reading of files may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of outlines that one map holds at most, and that are remembered.
const OUTLINES_BYTES_MAX: usize = 64 << 20;

/// Says which map is wanted.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MapQuery {
    /// Files and folders that the map is about; without any, those of your task.
    #[serde(default)]
    pub paths: Vec<String>,
    /// About how many tokens the map may have: 2000 without this, at most 12000.
    #[serde(default)]
    pub tokens: Option<u32>,
}

/// Remembers what files define.
#[derive(Debug, Default)]
pub struct Outlines {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    by_blob: BTreeMap<(Oid, String), Arc<Outline>>,
    bytes: usize,
}

impl Outlines {
    /// Outlines a file, or remembers its outline; nothing for what is not read as source.
    fn of(&self, files: &dyn Files, file: &Listed) -> Option<Arc<Outline>> {
        // The grammar is chosen by the ending.
        let ending = file.path.rsplit('.').next().unwrap_or_default();
        let key = file.blob.map(|blob| (blob, ending.to_owned()));
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = key.as_ref().and_then(|key| known().by_blob.get(key).map(Arc::clone)) {
            return Some(found);
        }
        let made = Arc::new(outline(&file.path, &files.read(file, FILE_BYTES_MAX)?)?);
        if let Some(key) = key {
            let mut known = known();
            if known.bytes >= OUTLINES_BYTES_MAX {
                *known = Known::default();
            }
            known.bytes += made.bytes();
            known.by_blob.insert(key, Arc::clone(&made));
        }
        Some(made)
    }
}

/// Makes the map of files about some paths.
///
/// # Errors
/// Says what is wrong with the query, or why there are no files.
pub fn repo_map(files: &dyn Files, known: &Outlines, about: &PathSet, query: &MapQuery) -> Result<String, String> {
    let about = if query.paths.is_empty() { about.clone() } else { paths(files, &query.paths)? };
    let all: Vec<Listed> = files.list()?.into_iter().filter(|file| language_of(&file.path).is_some()).collect();
    let until = Instant::now() + PATIENCE;
    let (mut read, mut outlines, mut bytes) = (Vec::new(), Vec::new(), 0);
    for file in &all {
        if read.len() >= FILES_MAX || bytes > OUTLINES_BYTES_MAX || Instant::now() > until {
            break;
        }
        if let Some(outline) = known.of(files, file) {
            bytes += outline.bytes();
            read.push(file.path.as_str());
            outlines.push(outline);
        }
    }
    let links = Links::of(read.clone());
    let each = outlines.iter().enumerate();
    let imports: Vec<(usize, usize)> = each
        .flat_map(|(from, outline)| outline.imports.iter().map(move |import| (from, import)))
        .flat_map(|(from, import)| links.meant(from, import).into_iter().map(move |to| (from, to)))
        .collect();
    let is_focus = |at: &usize| about.holds(read[*at]);
    let focus: Vec<usize> = (0..read.len()).filter(is_focus).collect();
    let ranks = ranks(read.len(), &imports, &focus);
    let mut order: Vec<usize> = (0..read.len()).collect();
    order.sort_by(|one, other| {
        let by_rank = ranks[*other].total_cmp(&ranks[*one]).then(read[*one].cmp(read[*other]));
        is_focus(other).cmp(&is_focus(one)).then(by_rank)
    });
    let most = query.tokens.unwrap_or(TOKENS).clamp(100, TOKENS_MAX) as usize * BYTES_A_TOKEN;
    let told = order.iter().map(|at| worded(read[*at], &outlines[*at]));
    let (map, shown) = within(told, most);
    let unread =
        if read.len() < all.len() { format!(" {} were not read.", all.len() - read.len()) } else { String::new() };
    Ok(format!("{map}{shown} of {} source files, those first that matter most here.{unread}", all.len()))
}

/// Takes files and folders by name.
fn paths(files: &dyn Files, written: &[String]) -> Result<PathSet, String> {
    let listed = files.list()?;
    let mut paths = PathSet::default();
    for path in written {
        let path = path.trim_start_matches("./").trim_end_matches('/');
        let folder = if matches!(path, "" | ".") { String::new() } else { format!("{path}/") };
        if listed.iter().any(|file| file.path == path) {
            paths.files.insert(path.to_owned());
        } else if listed.iter().any(|file| file.path.starts_with(&folder)) {
            paths.folders.insert(folder);
        } else {
            let shown = crate::model::written::shown(path);
            return Err(format!("`paths` holds `{shown}`, and there is no such file or folder"));
        }
    }
    Ok(paths)
}

/// Tells a file and what it defines.
fn worded(path: &str, outline: &Outline) -> String {
    let mut told = format!("{path}\n");
    for symbol in outline.symbols.iter().take(SYMBOLS) {
        // Writing to a text does not fail.
        let _ = writeln!(told, "{:>5}{} {}", symbol.line, "  ".repeat(symbol.depth.min(8) as usize), symbol.text);
    }
    if outline.symbols.len() > SYMBOLS {
        let _ = writeln!(told, "      … {} more", outline.symbols.len() - SYMBOLS);
    }
    told
}

/// Takes what fits; gives how many that are.
fn within(told: impl Iterator<Item = String>, most: usize) -> (String, usize) {
    let (mut map, mut shown) = (String::new(), 0);
    for file in told {
        if map.len() + file.len() > most {
            // A part of the first is better than nothing.
            if shown == 0 {
                let kept = file.split_inclusive('\n').scan(0, |sum, line| {
                    *sum += line.len();
                    (*sum <= most).then_some(line)
                });
                map.extend(kept);
                shown = 1;
            }
            break;
        }
        map.push_str(&file);
        shown += 1;
    }
    (map, shown)
}

#[cfg(test)]
mod tests {
    use super::super::files::testing::Few;
    use super::*;

    fn files() -> Few {
        Few(vec![
            ("README.md", b"no source"),
            ("app/main.py", b"from app.store import Store\n\ndef main():\n    Store().put(1)\n"),
            ("app/other.py", b"def other():\n    pass\n"),
            ("app/store.py", b"from . import wire\n\nclass Store:\n    def put(self, it):\n        wire.send(it)\n"),
            ("app/wire.py", b"def send(it):\n    def inner(): pass\n"),
            ("bad.py", b"\xff\xfe"),
        ])
    }

    fn map(about: &str, query: MapQuery) -> Result<String, String> {
        let about = PathSet { files: [about.to_owned()].into(), ..PathSet::default() };
        repo_map(&files(), &Outlines::default(), &about, &query)
    }

    #[test]
    fn what_matters_to_a_task_comes_first() {
        insta::assert_snapshot!(map("app/main.py", MapQuery::default()).unwrap());
        let order =
            |told: String| told.lines().filter(|line| line.ends_with(".py")).map(str::to_owned).collect::<Vec<_>>();
        let asked = MapQuery { paths: vec!["./app/other.py".to_owned()], ..MapQuery::default() };
        assert_eq!(order(map("app/main.py", asked).unwrap())[0], "app/other.py");
        let folder = MapQuery { paths: vec!["app/".to_owned()], ..MapQuery::default() };
        assert_eq!(order(map("", folder).unwrap()).len(), 4);
    }

    #[test]
    fn a_map_has_as_many_words_as_it_may() {
        let long = format!("def long():\n    pass\n{}", "def short(): pass\n".repeat(500));
        let files = Few(vec![("a.py", long.clone().into_bytes().leak()), ("b.py", long.into_bytes().leak())]);
        for tokens in [0, 100, 150, 400] {
            let query = MapQuery { tokens: Some(tokens), ..MapQuery::default() };
            let told = repo_map(&files, &Outlines::default(), &PathSet::default(), &query).unwrap();
            assert!(
                told.starts_with("a.py\n    1 def long()") && told.len() < 4 * tokens.max(100) as usize + 200,
                "{told}"
            );
        }
        let query = MapQuery { paths: vec!["nowhere\u{1b}".to_owned()], ..MapQuery::default() };
        let why = repo_map(&files, &Outlines::default(), &PathSet::default(), &query).unwrap_err();
        assert!(why.contains("no such file or folder") && !why.contains('\u{1b}'), "{why}");
    }

    #[test]
    fn a_file_is_read_once_while_it_stays_the_same() {
        struct Counted(Mutex<u32>);
        impl Files for Counted {
            fn list(&self) -> Result<Vec<Listed>, String> {
                Ok(vec![Listed { path: "a.py".to_owned(), blob: Some("a".repeat(40).parse().unwrap()) }])
            }
            fn read(&self, _: &Listed, _: u64) -> Option<Vec<u8>> {
                *self.0.lock().unwrap() += 1;
                Some(b"def a(): pass".to_vec())
            }
        }
        let (files, known) = (Counted(Mutex::new(0)), Outlines::default());
        for _ in 0..3 {
            repo_map(&files, &known, &PathSet::default(), &MapQuery::default()).unwrap();
        }
        assert_eq!(*files.0.lock().unwrap(), 1);
    }
}
