//! The compiler for layers: fails on an upward or sideways import, on input and output in a pure room, and on a
//! file that breaks the rules of size, naming or shape. Reads source as text; never changes it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Who stands on which floor; a room imports lower floors only.
const FLOORS: [(&str, u8); 8] =
    [("model", 0), ("machine", 1), ("views", 2), ("io", 2), ("actors", 3), ("app", 4), ("ui", 5), ("main", 6)];
/// The rooms that do not know each other, though all are `io`.
const IO_ROOMS: [&str; 8] = ["journal", "git", "hands", "agents", "gateway", "llm", "otlp", "notify"];
/// What every room of `io` may use; each may use those before it.
const IO_BASICS: [&str; 13] = [
    "failpoint",
    "clock",
    "space",
    "process",
    "http",
    "files",
    "transcripts",
    "signing",
    "keys",
    "key_text",
    "roles",
    "syntax",
    "tools",
];
const PURE: [&str; 3] = ["model", "machine", "views"];
const IMPURE_STD: [&str; 5] = ["fs", "net", "process", "env", "thread"];
const IMPURE_WORDS: [&str; 15] = [
    "Instant",
    "SystemTime",
    "tokio",
    "async",
    "await",
    "tracing",
    "rand",
    "fastrand",
    "HashMap",
    "HashSet",
    "kameo",
    "git2",
    "rusqlite",
    "rustix",
    "dashmap",
];
const EMPTY_NAMES: [&str; 14] = [
    "util", "utils", "helper", "helpers", "manager", "managers", "handler", "handlers", "common", "misc", "info",
    "data", "shared", "stuff",
];
const LINES_MAX: usize = 500;

/// A file below `src`, named from there.
struct Source {
    path: String,
    text: String,
}

#[test]
fn the_house_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    collect(&root.join("src"), "", &mut sources);
    assert!(sources.iter().any(|source| source.path == "lib.rs"), "no source was found");
    let mut faults = faults(&sources);
    let mut tests = Vec::new();
    collect(&root.join("tests"), "tests/", &mut tests);
    faults.extend(tests.iter().filter_map(headless));
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

fn collect(dir: &Path, prefix: &str, into: &mut Vec<Source>) {
    let mut entries: Vec<_> =
        fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().expect("a name").to_str().expect("a name of UTF-8");
        if path.is_dir() && name == "fixtures" {
            // Material for tests, written by others.
            continue;
        }
        if path.is_dir() {
            collect(&path, &format!("{prefix}{name}/"), into);
        } else if name.ends_with(".rs") {
            into.push(Source { path: format!("{prefix}{name}"), text: fs::read_to_string(&path).expect("a text") });
        }
    }
}

fn faults(sources: &[Source]) -> Vec<String> {
    let for_tests: BTreeSet<_> = sources.iter().flat_map(test_modules).collect();
    let mut faults = Vec::new();
    for source in sources {
        faults.extend(headless(source));
        faults.extend(badly_named(source));
        let module = module_of(&source.path);
        if (1..=module.len()).any(|depth| for_tests.contains(&module[..depth].join("::"))) {
            continue;
        }
        let code = without_tests(&plain(&source.text));
        faults.extend(too_long(source, &code));
        faults.extend(impure(source, &code));
        faults.extend(misplaced_imports(source, &code));
        faults.extend(overfull_mod(source, &code));
    }
    faults
}

fn headless(source: &Source) -> Option<String> {
    let headed = source.text.starts_with("//! ");
    (!headed).then(|| format!("{}: does not begin with `//!` and what it owns and never does", source.path))
}

fn badly_named(source: &Source) -> Option<String> {
    let stem = source.path.trim_end_matches(".rs");
    let word = stem.split(['/', '_']).find(|word| EMPTY_NAMES.contains(word))?;
    Some(format!("{}: `{word}` says nothing; name it after what it owns", source.path))
}

fn too_long(source: &Source, code: &str) -> Option<String> {
    let dropped = code.chars().filter(|c| *c == DROPPED).count();
    let lines = source.text.lines().count() - dropped;
    (lines > LINES_MAX).then(|| format!("{}: {lines} lines without tests; {LINES_MAX} at most", source.path))
}

fn impure(source: &Source, code: &str) -> Vec<String> {
    let room = &module_of(&source.path)[0];
    if !PURE.contains(&room.as_str()) {
        return Vec::new();
    }
    let std_paths = paths(code, "std")
        .into_iter()
        .filter(|path| path.first().is_some_and(|first| IMPURE_STD.contains(&first.as_str()) || first == "*"));
    let mut found: Vec<_> = std_paths.map(|path| format!("std::{}", path.join("::"))).collect();
    let words: BTreeSet<_> = words(code).collect();
    found.extend(IMPURE_WORDS.iter().filter(|word| words.contains(**word)).map(|word| (*word).to_owned()));
    if code.contains("::now(") {
        found.push("::now()".to_owned());
    }
    found.into_iter().map(|what| format!("{}: `{what}` in a pure room", source.path)).collect()
}

fn misplaced_imports(source: &Source, code: &str) -> Vec<String> {
    let own = module_of(&source.path);
    let Some(floor) = floor_of(&own[0]) else {
        if own[0] == "lib" {
            return Vec::new();
        }
        return vec![format!("{}: `{}` is no room of the house", source.path, own[0])];
    };
    let mut targets = paths(code, "crate");
    for path in paths(code, "super") {
        let climbs = path.iter().take_while(|step| *step == "super").count();
        let base = own.len().saturating_sub(1 + climbs);
        targets.push(own[..base].iter().chain(&path[climbs..]).cloned().collect());
    }
    let told = |target: Vec<String>| {
        let why = misplaced(&own, floor, &target)?;
        Some(format!("{}: imports crate::{}: {why}", source.path, target.join("::")))
    };
    targets.into_iter().filter_map(told).collect()
}

fn misplaced(own: &[String], floor: u8, target: &[String]) -> Option<&'static str> {
    let Some(room) = target.first().filter(|room| !["*", "self"].contains(&room.as_str())) else {
        return Some("name the room");
    };
    let theirs = floor_of(room)?;
    if theirs > floor {
        return Some("upward");
    }
    if *room != own[0] {
        return (theirs == floor).then_some("sideways");
    }
    if room != "io" || own.len() < 2 {
        return None;
    }
    let place = |module: Option<&String>| module.and_then(|name| IO_BASICS.iter().position(|basic| basic == name));
    match (place(own.get(1)), place(target.get(1))) {
        _ if own.get(1) == target.get(1) => None,
        (None, Some(_)) => None,
        (Some(mine), Some(theirs)) if theirs < mine => None,
        (Some(_), Some(_)) => Some("sideways: a basic uses only those before it"),
        (Some(_), None) => Some("upward: a basic knows no room"),
        (None, None) if target.get(1).is_some_and(|name| IO_ROOMS.contains(&name.as_str())) => {
            Some("sideways: rooms of io do not know each other")
        }
        (None, None) => Some("name the room inside io"),
    }
}

fn overfull_mod(source: &Source, code: &str) -> Vec<String> {
    let steps: Vec<_> = source.path.split('/').collect();
    if steps.last() != Some(&"mod.rs") {
        return Vec::new();
    }
    let traits_too = steps.len() == 3 && steps[0] == "io";
    let allowed = |item: &str| {
        let head: Vec<_> = words(item).filter(|word| !["pub", "crate", "super", "in"].contains(word)).collect();
        match head.first() {
            None => true,
            Some(&"mod") => item.ends_with(';'),
            Some(&"use") => true,
            Some(&"trait") => traits_too,
            Some(_) => false,
        }
    };
    let told = |item: String| {
        let head = item.split_whitespace().take(4).collect::<Vec<_>>().join(" ");
        format!("{}: holds `{head} …`; a mod.rs holds docs, mod lines and re-exports", source.path)
    };
    items(code).into_iter().filter(|item| !allowed(item)).map(told).collect()
}

/// Splits code into its outermost items, without their attributes; an item ends with `;` or with its block.
fn items(code: &str) -> Vec<String> {
    let (mut items, mut item, mut depth, mut attribute) = (Vec::new(), String::new(), 0_i32, false);
    for c in code.chars().filter(|c| *c != DROPPED) {
        depth += i32::from("([{".contains(c)) - i32::from(")]}".contains(c));
        attribute |= c == '#' && item.trim().is_empty();
        item.push(c);
        if attribute && depth == 0 && c == ']' {
            (attribute, item) = (false, String::new());
        } else if depth == 0 && (c == ';' || c == '}') {
            items.push(std::mem::take(&mut item).trim().to_owned());
        }
    }
    items
}

fn floor_of(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

/// Names the module that a file holds: `io/journal/mod.rs` holds `io::journal`.
fn module_of(path: &str) -> Vec<String> {
    path.trim_end_matches(".rs").trim_end_matches("/mod").split('/').map(str::to_owned).collect()
}

/// Names the modules that a file declares for tests only and keeps in files of their own.
fn test_modules(source: &Source) -> Vec<String> {
    let code = plain(&source.text);
    let own = module_of(&source.path);
    let base = if own == ["lib"] { Vec::new() } else { own };
    code.match_indices(TEST_MARK)
        .filter_map(|(at, mark)| {
            let item = code[at + mark.len()..].split([';', '{']).next()?;
            let name = item.split_whitespace().skip_while(|word| *word != "mod").nth(1)?;
            Some(base.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join("::"))
        })
        .collect()
}

const TEST_MARK: &str = "#[cfg(test)]";
/// Stands for a line that was dropped with a test.
const DROPPED: char = '\u{1}';

/// Drops the items that are for tests only, and leaves [`DROPPED`] for each of their lines.
fn without_tests(code: &str) -> String {
    let (mut kept, mut rest) = (String::new(), code);
    while let Some(at) = rest.find(TEST_MARK) {
        kept.push_str(&rest[..at]);
        let tail = &rest[at..];
        let mut depth = 0_i32;
        let end = tail.char_indices().skip(TEST_MARK.len()).find(|(_, c)| {
            depth += i32::from(*c == '{') - i32::from(*c == '}');
            depth == 0 && (*c == ';' || *c == '}')
        });
        let end = end.map_or(tail.len(), |(at, c)| at + c.len_utf8());
        kept.extend(std::iter::repeat_n(DROPPED, tail[..end].lines().count()));
        rest = &tail[end..];
    }
    kept + rest
}

/// Blanks comments and the insides of literals, so that what is left is code; keeps every line.
fn plain(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(c) = rest.chars().next() {
        let after_word = out.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let blank = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = (!after_word).then(|| raw_string(rest)).flatten() {
            length
        } else if c == '"' {
            quoted(rest, '"')
        } else if c == '\'' && is_char(rest) {
            quoted(rest, '\'')
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        out.extend(rest[..blank].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &rest[blank..];
    }
    out
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let step = &text.as_bytes()[at..];
        depth += i32::from(step.starts_with(b"/*")) - i32::from(step.starts_with(b"*/"));
        at += if step.starts_with(b"/*") || step.starts_with(b"*/") { 2 } else { 1 };
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn raw_string(text: &str) -> Option<usize> {
    let body = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = body.len() - body.trim_start_matches('#').len();
    let inner = body[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = inner.find(&close).map_or(inner.len(), |at| at + close.len());
    Some(text.len() - inner.len() + end)
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

/// Tells a character from a lifetime.
fn is_char(text: &str) -> bool {
    let mut next = text.chars().skip(1);
    next.next() == Some('\\') || next.next() == Some('\'')
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// Finds each path that begins with `root::`, groups taken apart, without the root.
fn paths(code: &str, root: &str) -> Vec<Vec<String>> {
    let start = format!("{root}::");
    let mut found = Vec::new();
    for (at, _) in code.match_indices(&start) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        tree(&code[at + start.len()..], &mut Vec::new(), &mut found);
    }
    found.extend(whole_root(code, root));
    found
}

/// Finds a root that gets another name, under which [`paths`] would not know it; answers with the empty path.
fn whole_root(code: &str, root: &str) -> Option<Vec<String>> {
    let mut words = words(code).peekable();
    while let Some(word) = words.next() {
        if word == "use" && words.next_if(|next| *next == root).is_some() && words.peek() == Some(&"as") {
            return Some(Vec::new());
        }
    }
    None
}

/// Reads one path or group and returns what follows it.
fn tree<'code>(code: &'code str, base: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'code str {
    let mut rest = code.trim_start();
    let depth = base.len();
    loop {
        if let Some(group) = rest.strip_prefix('{') {
            rest = group.trim_start();
            while !rest.is_empty() && !rest.starts_with('}') {
                let after = tree(rest, base, found).trim_start();
                let after_alias = after.strip_prefix("as ").map_or(after, |alias| {
                    alias.trim_start().trim_start_matches(|c: char| c.is_alphanumeric() || c == '_').trim_start()
                });
                rest = after_alias.strip_prefix(',').unwrap_or(after_alias).trim_start();
                if rest.len() == after.len() && !rest.starts_with('}') {
                    break;
                }
            }
            base.truncate(depth);
            return rest.strip_prefix('}').unwrap_or(rest);
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '*').unwrap_or(rest.len());
        if end > 0 {
            base.push(rest[..end].to_owned());
        }
        rest = &rest[end..];
        match rest.trim_start().strip_prefix("::") {
            Some(more) if end > 0 => rest = more.trim_start(),
            _ => break,
        }
    }
    found.push(base.clone());
    base.truncate(depth);
    rest
}

/// Judges one file, as if it were the only one.
fn faults_of(path: &str, text: &str) -> Vec<String> {
    faults(&[Source { path: path.to_owned(), text: format!("//! Owns.\n{text}") }])
}

fn clean(path: &str, text: &str) {
    assert_eq!(faults_of(path, text), Vec::<String>::new(), "{path}: {text}");
}

/// Expects one fault for each text, and that it names `why`.
fn faulty(path: &str, texts: &[&str], why: &str) {
    for text in texts {
        let faults = faults_of(path, text);
        assert!(!faults.is_empty() && faults.iter().all(|fault| fault.contains(why)), "{path}: {text}: {faults:?}");
    }
}

#[test]
fn an_upward_import_is_a_fault() {
    let spellings = [
        "use crate::machine::Event;",
        "use crate::{model::ids, machine::{self, x}};",
        "use crate::{\n    // why\n    model::{ids::{RunId, TaskId}, goal},\n    io,\n};",
        "fn f() -> crate::io::git::Repo {}",
        "pub(crate) use crate::io;",
        "use super::super::ui::cli;",
        "use super::{ids, super::app};",
    ];
    faulty("model/task.rs", &spellings, "upward");
    faulty("io/journal/mod.rs", &["use crate::actors::Coordinator;", "use super::super::actors;"], "upward");
    faulty("actors/worker.rs", &["use crate::app::App;"], "upward");
    faulty("app.rs", &["use crate::ui::cli;"], "upward");
}

#[test]
fn a_sideways_import_is_a_fault() {
    faulty("views/board.rs", &["use crate::io::clock::Clock;"], "sideways");
    faulty("io/git/repo.rs", &["use crate::views::board;", "use crate::io::journal::Entry;"], "sideways");
    faulty(
        "io/hands/local.rs",
        &["use super::super::git::Repo;", "use crate::io::{clock, agents::codemod};"],
        "sideways",
    );
    faulty("io/clock.rs", &["use crate::io::files;", "use super::process::kill;"], "sideways");
    faulty("io/files.rs", &["use crate::io::journal::Entry;"], "upward");
}

#[test]
fn a_whole_crate_or_floor_may_not_be_imported_to_hide_a_room() {
    faulty("model/task.rs", &["use crate::*;", "use crate::{self};", "use crate as c;"], "name the room");
    faulty("io/git/repo.rs", &["use crate::io;", "use crate::io::*;", "use crate::io::{self};"], "name the room");
}

#[test]
fn a_downward_import_is_none() {
    clean("machine/decide.rs", "use crate::model::{ids::RunId, task};\nuse super::state::State;");
    clean("io/git/repo.rs", "use crate::io::{clock::Clock, files};\nuse super::refs;\nuse crate::io::git::merge;");
    clean("io/files.rs", "use crate::io::clock::Clock;\nuse super::process;");
    clean("actors/worker.rs", "use crate::{io::{git, hands}, machine::Event};\nuse super::judge;");
    clean("ui/cli/run.rs", "use crate::app;");
    clean("main.rs", "use artel::ui::cli;");
}

#[test]
fn texts_comments_and_tests_import_nothing() {
    let text = r####"
// use crate::ui;
/* use crate::ui; /* nested */ use crate::ui; */
const A: &str = "use crate::ui; \" crate::io";
const B: &str = r##"crate::ui "# crate::ui"##;
const C: char = '"';
fn f<'a>(x: &'a str) {}
#[cfg(test)]
mod tests { use crate::ui; fn g() { let _ = std::fs::read("}"); } }
"####;
    clean("model/task.rs", text);
    faulty("model/task.rs", &[&format!("{text}\nuse crate::ui;")], "upward");
}

#[test]
fn a_module_for_tests_in_its_own_file_is_free() {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: format!("//! Owns.\n{text}") };
    let impure = source("machine/laws.rs", "use std::fs;");
    let parent = |mark: &str| source("machine/mod.rs", &format!("{mark}\nmod laws;"));
    assert!(faults(&[parent("#[cfg(test)]"), source("machine/laws.rs", "use std::fs;")]).is_empty());
    assert_eq!(faults(&[parent(""), impure]).len(), 1);
}

#[test]
fn a_room_that_is_not_in_the_house_is_a_fault() {
    faulty("engine/mod.rs", &[""], "no room");
}

#[test]
fn input_and_output_in_a_pure_room_is_a_fault() {
    let spellings = [
        "use std::fs;",
        "use std::{collections::BTreeMap, net::TcpStream};",
        "fn f() { std::process::exit(1) }",
        "fn f() { std::env::var(\"A\"); }",
        "use std::time::{Duration, Instant};",
        "use std::time::SystemTime;",
        "use tokio::sync::mpsc;",
        "async fn f() {}",
        "fn f() { x.await }",
        "fn f() { tracing::info!(1) }",
        "fn f() { fastrand::u32(..) }",
        "use rand::Rng;",
        "use std::collections::HashMap;",
        "use std::collections::{BTreeMap, HashSet};",
        "fn f() { jiff::Timestamp::now() }",
        "use std::*;",
    ];
    for room in ["model/task.rs", "machine/decide.rs", "views/board.rs"] {
        faulty(room, &spellings, "pure room");
    }
    clean("views/board.rs", "use std::{collections::BTreeMap, time::Duration};\nfn operand(env: u8, fs: u8) {}");
    clean("io/files.rs", "use std::fs;");
}

#[test]
fn a_long_file_is_a_fault_but_its_tests_are_not_counted() {
    let lines = |count: usize| "const A: u8 = 1;\n".repeat(count);
    faulty("model/task.rs", &[&lines(500)], "501 lines");
    clean("model/task.rs", &lines(499));
    clean("model/task.rs", &format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", lines(499), lines(300)));
    faulty("model/task.rs", &[&format!("{}#[cfg(test)]\nmod tests {{}}\n{}", lines(300), lines(300))], "lines");
}

#[test]
fn a_mod_file_that_holds_more_than_its_map_is_a_fault() {
    let more =
        ["pub struct A;", "fn f() {}", "pub mod a { fn f() {} }", "const A: u8 = 1;", "pub use a::{B, C};\nimpl A {}"];
    faulty("model/mod.rs", &more, "a mod.rs holds");
    faulty("model/mod.rs", &["pub trait A { fn f(); }"], "a mod.rs holds");
    faulty("io/journal/mod.rs", &["#[derive(Debug)]\npub struct A { a: u8 }"], "a mod.rs holds");
    clean(
        "model/mod.rs",
        "/// Docs.\npub mod a;\nmod b;\n#[cfg(test)]\nmod laws;\npub use a::{B, C};\npub(crate) use b::D;",
    );
    clean("io/journal/mod.rs", "pub mod a;\npub use a::{B};\n/// Docs.\npub trait A: Send { fn f(&self) { x() } }");
}

#[test]
fn a_file_named_after_nothing_is_a_fault() {
    for path in ["model/util.rs", "model/helpers/a.rs", "machine/task_manager.rs", "views/data.rs", "views/info.rs"] {
        faulty(path, &[""], "says nothing");
    }
    clean("model/database.rs", "");
}

#[test]
fn a_file_without_a_word_on_what_it_owns_is_a_fault() {
    let source = |text: &str| Source { path: "model/task.rs".to_owned(), text: text.to_owned() };
    for text in ["", "use std::fmt;\n//! Late.", "// Owns.", "/// Owns."] {
        assert!(faults(&[source(text)]).iter().any(|fault| fault.contains("does not begin")), "{text}");
    }
    assert!(faults(&[source("//! Owns tasks.")]).is_empty());
}
