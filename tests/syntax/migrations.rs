//! Real migrations of published packages: their own tests green before and after, and the same files, byte for byte,
//! as the ast-grep command line writes.

use std::fs;
use std::path::Path;

use artel::io::agents::codemod::Codemod;
use artel::io::syntax::{Rules, literals, parse_errors, scan};
use artel::ui::cli::demo;

use super::ast_grep::{Tree, assert_same, read, update_to_fixed_point, write};
use super::engine::rules;
use super::packages::{python, python_package, run, rust_crate};

/// What a migration came to.
struct Migrated {
    tree: Tree,
    edits: u32,
    files: usize,
    left: Vec<String>,
}

/// Rewrites a tree, and holds that it is what ast-grep writes, that it parses as before, and that no literal changed.
fn migrate(name: &str, tree: &Tree, rule_files: &[(&str, &str)]) -> Migrated {
    let read_rules = || rule_files.iter().map(|(name, yaml)| Rules::parse(name, yaml).unwrap()).collect::<Vec<_>>();
    let codemod = Codemod::new(read_rules());
    let mut migrated = Migrated { tree: Tree::new(), edits: 0, files: 0, left: Vec::new() };
    for (path, bytes) in tree {
        let rewritten = codemod.rewrite(path, bytes);
        assert!(!rewritten.broke_parse, "{path}");
        assert!(parse_errors(path, &rewritten.bytes) <= parse_errors(path, bytes), "{path}");
        assert_eq!(literals(path, &rewritten.bytes), literals(path, bytes), "{path}");
        migrated.edits += rewritten.applied.values().sum::<u32>();
        migrated.files += usize::from(rewritten.changed);
        migrated.left.extend(rewritten.leftovers.iter().map(|left| format!("{}:{}", left.path, left.line)));
        migrated.tree.insert(path.clone(), rewritten.bytes);
    }
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), tree);
    for (_, yaml) in rule_files {
        fs::write(folder.path().join("rule.yml"), yaml).unwrap();
        update_to_fixed_point(folder.path(), "rule.yml");
    }
    fs::remove_file(folder.path().join("rule.yml")).unwrap();
    assert_same(name, &migrated.tree, &read(folder.path()));
    migrated
}

fn count_matches(rules: &Rules, tree: &Tree) -> usize {
    tree.iter().map(|(path, bytes)| scan(rules, path, bytes).map_or(0, |found| found.len())).sum()
}

/// Runs a crate's tests in a fresh folder and gives how many passed.
fn cargo_tests(tree: &Tree, arguments: &[&str]) -> u32 {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), tree);
    let said = run(folder.path(), "cargo", arguments);
    said.lines().filter_map(|line| line.strip_prefix("test result: ok. ")?.split(' ').next()?.parse::<u32>().ok()).sum()
}

#[test]
fn a_published_rust_crate_is_migrated_and_stays_green() {
    let before = rust_crate();
    let migrated = migrate(demo::CRATE, &before, &demo::RULES);
    assert_eq!((migrated.edits, migrated.files), (139, 29));
    assert_eq!(migrated.left, ["src/http/h1.rs:652", "src/net.rs:429", "src/net.rs:430"]);
    let done = Rules::parse(demo::RULES[0].0, demo::RULES[0].1).unwrap();
    assert!(count_matches(&done, &before) >= 139);
    assert_eq!(count_matches(&done, &migrated.tree), 0);
    let tests = ["test", "--offline", "--lib", "--", "--skip", "early_eof"];
    assert_eq!(cargo_tests(&before, &tests), 274);
    assert_eq!(cargo_tests(&migrated.tree, &tests), 274);
}

#[test]
fn the_built_in_sample_is_migrated_and_stays_green() {
    let before: Tree = demo::SAMPLE.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
    let migrated = migrate("sample", &before, &demo::RULES);
    assert_eq!((migrated.edits, migrated.files, migrated.left.len()), (34, 10, 2));
    assert_eq!(cargo_tests(&before, &["test", "--offline"]), 13);
    assert_eq!(cargo_tests(&migrated.tree, &["test", "--offline"]), 13);
}

#[test]
fn a_published_python_package_is_migrated_and_stays_green() {
    let before = python_package();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/migrations/markdown/rules");
    let texts =
        ["python3.yml", "future.yml", "left.yml"].map(|name| (name, fs::read_to_string(folder.join(name)).unwrap()));
    let files: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let migrated = migrate("markdown", &before, &files);
    assert_eq!((migrated.edits, migrated.files), (97, 36));
    assert_eq!(migrated.left, ["markdown/util.py:38"]);
    assert_eq!(count_matches(&rules(&folder.join("python3.yml")), &migrated.tree), 0);
    for tree in [&before, &migrated.tree] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), tree);
        let said = run(folder.path(), python().to_str().unwrap(), &["-m", "unittest", "discover", "tests"]);
        assert!(said.contains("Ran 482 tests") && said.contains("OK (skipped=3)"), "{said}");
    }
}

/// Rules that match nearly everywhere, nest, overlap and re-indent, over whole trees.
#[test]
fn rules_that_match_nearly_everywhere_come_out_as_ast_grep_writes_them() {
    for (name, before, edits_min) in [("rust.yml", rust_crate(), 800), ("python.yml", python_package(), 300)] {
        let rule = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/trees").join(name);
        let codemod = Codemod::new(vec![rules(&rule)]);
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &before);
        fs::copy(&rule, folder.path().join("rule.yml")).unwrap();
        update_to_fixed_point(folder.path(), "rule.yml");
        fs::remove_file(folder.path().join("rule.yml")).unwrap();
        let (mut ours, mut edits) = (Tree::new(), 0);
        for (path, bytes) in &before {
            let rewritten = codemod.rewrite(path, bytes);
            edits += rewritten.applied.values().sum::<u32>();
            ours.insert(path.clone(), rewritten.bytes);
        }
        assert_same(name, &ours, &read(folder.path()));
        assert!(edits >= edits_min, "{name}: {edits} edits");
    }
}
