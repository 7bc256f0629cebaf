//! Owns the ast-grep command line as an oracle, and trees of files to compare by.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version whose crates are built in.
const VERSION: &str = "0.51.1";
/// How often the command line is run before it is said to have no fixed point.
const RUNS_MAX: usize = 40;

/// Files by path.
pub type Tree = BTreeMap<String, Vec<u8>>;

/// Finds the ast-grep command line, of exactly the version that is built in.
pub fn program() -> PathBuf {
    let local = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/node_modules/.bin/ast-grep");
    let program = std::env::var_os("ARTEL_AST_GREP").map_or(local, PathBuf::from);
    let told = Command::new(&program).arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    let told = String::from_utf8_lossy(&told).trim().to_owned();
    assert_eq!(
        told,
        format!("ast-grep {VERSION}"),
        "`{}` is not the oracle; run: npm install --no-audit --no-fund --prefix target/tools @ast-grep/cli@{VERSION}",
        program.display()
    );
    program
}

/// Runs `ast-grep scan --update-all` once over a folder with a rule file that lies at the folder's root.
pub fn update_all(folder: &Path, rule: &str) {
    let output = Command::new(program())
        .args(["scan", "--update-all", "--rule", rule])
        .args(["hidden", "dot", "exclude", "global", "parent", "vcs"].map(|kind| format!("--no-ignore={kind}")))
        .arg(".")
        .current_dir(folder)
        .output()
        .expect("ast-grep starts");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || !words.contains("Cannot"), "{rule}: {words}");
}

/// Runs it until it changes nothing.
pub fn update_to_fixed_point(folder: &Path, rule: &str) -> usize {
    let mut before = read(folder);
    for runs in 0..RUNS_MAX {
        update_all(folder, rule);
        let after = read(folder);
        if after == before {
            return runs;
        }
        before = after;
    }
    panic!("`{rule}` has no fixed point after {RUNS_MAX} runs of ast-grep");
}

/// Reads all files below a folder but git's and cargo's own.
pub fn read(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("the folder is readable") {
            let path = entry.expect("the entry is readable").path();
            if path.ends_with(".git") || path.ends_with("target") || path.ends_with("__pycache__") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("it lies below").to_string_lossy().into_owned();
                tree.insert(name, fs::read(&path).expect("the file is readable"));
            }
        }
    }
    tree
}

/// Writes files below a folder.
pub fn write(folder: &Path, tree: &Tree) {
    for (path, bytes) in tree {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("it lies below")).expect("the folder can be made");
        fs::write(path, bytes).expect("the file can be written");
    }
}

/// Tells, path by path, where two trees differ.
pub fn assert_same(what: &str, ours: &Tree, theirs: &Tree) {
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{what}");
    for (path, bytes) in ours {
        assert_eq!(
            String::from_utf8_lossy(bytes),
            String::from_utf8_lossy(&theirs[path]),
            "{what}: {path}: artel (left) and ast-grep (right) differ"
        );
        assert_eq!(bytes, &theirs[path], "{what}: {path}");
    }
}
