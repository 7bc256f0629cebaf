//! Tells two real migrations from end to end: published packages, their own tests green before and after, and the same
//! files, byte for byte, as the ast-grep command line alone makes of them.

use std::fs;
use std::path::Path;

use artel::ui::cli::demo;

use crate::ast_grep::{Tree, assert_same, read, update_to_fixed_point, write};
use crate::common::{House, said};
use crate::packages::{python, python_package, rust_crate};

/// Makes a repository of a package and what belongs to its migration.
fn house(package: &Tree, beside: &[(&str, String)]) -> House {
    let house = House::with(&[]);
    write(&house.repo(), package);
    for (path, text) in beside {
        house.write(path, text);
    }
    // What a package ships is its source, whatever its own ignore file says.
    house.git(&["add", "--all", "--force"]);
    house.commit("as it was published");
    house
}

/// Gives what the ast-grep command line makes of the files below a folder, with the rules one after the other.
fn by_ast_grep(package: &Tree, below: &str, rules: &[&str]) -> Tree {
    let folder = tempfile::tempdir().unwrap();
    let ours = package.iter().filter(|(path, _)| path.starts_with(below));
    write(folder.path(), &ours.map(|(path, bytes)| (path.clone(), bytes.clone())).collect());
    for yaml in rules {
        fs::write(folder.path().join("rule.yml"), yaml).unwrap();
        update_to_fixed_point(folder.path(), "rule.yml");
    }
    fs::remove_file(folder.path().join("rule.yml")).unwrap();
    read(folder.path())
}

/// Gives the files below a folder as they stand on the newest run's branch.
fn landed(house: &House, below: &str) -> Tree {
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("landed");
    house.git(&["worktree", "add", "--quiet", "--detach", into.to_str().unwrap(), &house.head()]);
    let tree = read(&into);
    house.git(&["worktree", "remove", "--force", into.to_str().unwrap()]);
    tree.into_iter().filter(|(path, _)| path.starts_with(below)).collect()
}

/// Asserts that the package's own tests were run on the base and on what landed, with this many executed and green.
fn assert_green(house: &House, executed: u64) {
    let events = house.events();
    let told = |kind: &str| {
        let event = events.iter().rev().find(|event| event["kind"] == kind);
        event.unwrap_or_else(|| panic!("no {kind}"))["event"][kind]["results"].clone()
    };
    for kind in ["BaselineTaken", "ConditionsChecked"] {
        let results = told(kind);
        let tests = results.as_array().unwrap().iter().find(|result| result["name"] == "tests").unwrap().clone();
        assert_eq!((&tests["answer"], &tests["executed"]), (&"green".into(), &executed.into()), "{kind}: {tests}");
    }
}

#[test]
fn a_published_rust_crate_is_migrated_end_to_end_as_ast_grep_alone_would() {
    let package = rust_crate();
    let goal = demo::GOAL.replace("files_per_task: 4", "files_per_task: 15").replace("by: folder", "by: count");
    let goal = goal.replace("  sample: 1\n", "");
    let config = "[set]\nCARGO_TARGET_DIR = \"{cache}/build\"\n".to_owned();
    let rules = demo::RULES.map(|(path, text)| (path, text.to_owned()));
    let house = house(&package, &[&rules[..], &[("goal.md", goal), ("artel.toml", config)]].concat());
    let base = house.git(&["rev-parse", "main"]);
    house.artel(&["run", "goal.md", "--workers", "2"]).exits(0);
    let oracle = by_ast_grep(&package, "src/", &demo::RULES.map(|(_, text)| text));
    let ours = landed(&house, "src/");
    assert_same(demo::CRATE, &ours, &oracle);
    assert_eq!(ours.iter().filter(|(path, bytes)| package[*path] != **bytes).count(), 29);
    let changed = house.git(&["diff", "--name-only", &base, &house.head()]);
    assert!(changed.lines().all(|path| path.starts_with("src/")), "{changed}");
    assert_eq!(changed.lines().count(), 29);
    assert_green(&house, 274);
    assert_eq!(house.board()["places"].as_array().unwrap().len(), 3, "what no rule could rewrite is named");
    assert_eq!(house.git(&["rev-parse", "main"]), base);
}

#[test]
fn a_published_python_package_is_migrated_end_to_end_as_ast_grep_alone_would() {
    let package = python_package();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/migrations/markdown");
    let text = |path: &str| fs::read_to_string(folder.join(path)).unwrap();
    let rules = ["rules/python3.yml", "rules/future.yml", "rules/left.yml"].map(|path| (path, text(path)));
    let goal = text("goal.md").replace("files_per_task: 5", "files_per_task: 20");
    let house = house(&package, &[&rules[..], &[("goal.md", goal)]].concat());
    let base = house.git(&["rev-parse", "main"]);
    let mut artel = house.command(&["run", "goal.md", "--workers", "2"]);
    let python = python();
    let path = format!("{}:{}", python.parent().unwrap().display(), std::env::var("PATH").unwrap());
    said(&artel.env("PATH", path).output().unwrap()).exits(0);
    let oracle = by_ast_grep(&package, "markdown/", &rules.each_ref().map(|(_, text)| text.as_str()));
    let ours = landed(&house, "markdown/");
    assert_same("markdown", &ours, &oracle);
    let changed = house.git(&["diff", "--name-only", &base, &house.head()]);
    let expected: Vec<&str> = package
        .keys()
        .filter(|path| oracle.get(*path).is_some_and(|now| *now != package[*path]))
        .map(String::as_str)
        .collect();
    assert_eq!(changed.lines().collect::<Vec<_>>(), expected);
    assert!(expected.len() > 20, "{expected:?}");
    assert_green(&house, 482);
    assert_eq!(house.git(&["rev-parse", "main"]), base);
}
