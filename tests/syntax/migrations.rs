//! Real migrations of published packages: their own tests green before and after, and the same files, byte for byte,
//! as the ast-grep command line writes. Packages are fetched once, through cargo and pip, into `target/trees`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use artel::io::agents::codemod::Codemod;
use artel::io::syntax::{Rules, literals, parse_errors, scan};
use artel::ui::cli::demo;

use super::ast_grep::{Tree, assert_same, read, rules, update_to_fixed_point, write};

/// Held while something is fetched: packages are shared by the tests of this process.
static FETCH: Mutex<()> = Mutex::new(());

fn target(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target").join(name)
}

/// Makes a folder in one step, so that a run that was stopped half-way leaves nothing that looks whole.
fn once(folder: &Path, make: impl FnOnce(&Path)) {
    let _held = FETCH.lock().unwrap();
    if folder.exists() {
        return;
    }
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    let making = tempfile::tempdir_in(folder.parent().unwrap()).unwrap();
    let whole = making.path().join("whole");
    make(&whole);
    // Another process may have been faster; its folder is as good.
    if fs::rename(&whole, folder).is_err() {
        assert!(folder.exists());
    }
}

/// Gives the published Rust crate of the demo, ready for `cargo test --offline`.
pub fn rust_crate() -> Tree {
    let folder = target("trees").join(format!("{}-{}", demo::CRATE, demo::VERSION));
    once(&folder, |into| {
        demo::fetch_crate(demo::CRATE, demo::VERSION, into).unwrap_or_else(|error| panic!("{error}"));
    });
    read(&folder)
}

/// Gives the published Python package, with its tests.
pub fn python_package() -> Tree {
    let folder = target("trees/Markdown-3.1.1");
    once(&folder, |into| {
        fs::create_dir_all(into).unwrap();
        let sdist = into.with_extension("sdist");
        run(
            Path::new("."),
            "python3",
            &[
                "-m",
                "pip",
                "download",
                "-q",
                "--no-deps",
                "--no-binary",
                ":all:",
                "-d",
                sdist.to_str().unwrap(),
                "markdown==3.1.1",
            ],
        );
        let archive = fs::read_dir(&sdist).unwrap().next().unwrap().unwrap().path();
        run(into, "tar", &["--no-same-owner", "--strip-components=1", "-xzf", archive.to_str().unwrap()]);
    });
    read(&folder)
}

/// Gives a Python that has what the package's tests need and nothing else.
pub fn python() -> PathBuf {
    let folder = target("tools/python");
    once(&folder, |into| {
        run(Path::new("."), "python3", &["-m", "venv", into.to_str().unwrap()]);
        let python = into.join("bin/python");
        run(
            Path::new("."),
            python.to_str().unwrap(),
            &["-m", "pip", "install", "-q", "setuptools==65.5.0", "PyYAML==6.0.3"],
        );
    });
    folder.join("bin/python")
}

/// Runs a program that must do well and gives what it said.
fn run(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env("CARGO_TARGET_DIR", target("trees/build"));
    command.env("RUSTFLAGS", "--cap-lints allow").env("PYTHONDONTWRITEBYTECODE", "1");
    let output = command.output().unwrap_or_else(|error| panic!("{program} starts: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    said
}

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
