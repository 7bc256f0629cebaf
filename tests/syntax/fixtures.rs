//! Every case below `tests/fixtures/oracle`: a `rule.yml` and files. One pass, and the fixed point, must come out as
//! the ast-grep command line writes them, byte for byte.

use std::fs;
use std::path::{Path, PathBuf};

use artel::io::agents::codemod::Codemod;
use artel::io::syntax::rewrite_once;

use super::ast_grep::{Tree, assert_same, read, update_all, update_to_fixed_point, write};
use super::engine::{rewrite, rules};

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/oracle");
    let mut cases: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 20, "{} cases", cases.len());
    cases
}

/// Holds a case in a folder of its own, so that the oracle cannot write into the repository.
fn copied(case: &Path) -> (tempfile::TempDir, Tree) {
    let folder = tempfile::tempdir().unwrap();
    let tree = read(case);
    write(folder.path(), &tree);
    (folder, tree)
}

#[test]
fn one_pass_is_what_ast_grep_writes() {
    for case in cases() {
        let (folder, tree) = copied(&case);
        let rules = rules(&folder.path().join("rule.yml"));
        update_all(folder.path(), "rule.yml");
        let once = |path: &String, bytes: &Vec<u8>| match std::str::from_utf8(bytes) {
            Ok(text) => rewrite_once(&rules, path, text).map_or_else(|_| bytes.clone(), |pass| pass.text.into_bytes()),
            Err(_) => bytes.clone(),
        };
        let ours = tree.iter().map(|(path, bytes)| (path.clone(), once(path, bytes))).collect();
        assert_same(&case.to_string_lossy(), &ours, &read(folder.path()));
    }
}

#[test]
fn the_fixed_point_is_what_ast_grep_reaches_when_it_is_repeated() {
    let mut changed = 0;
    for case in cases() {
        let (folder, tree) = copied(&case);
        let codemod = Codemod::new(vec![rules(&folder.path().join("rule.yml"))]);
        update_to_fixed_point(folder.path(), "rule.yml");
        let ours = rewrite(&codemod, &tree);
        assert_same(&case.to_string_lossy(), &ours, &read(folder.path()));
        assert_eq!(rewrite(&codemod, &ours), ours, "{}: running again changes nothing", case.display());
        changed += usize::from(ours != tree);
    }
    assert!(changed >= 20, "only {changed} cases change anything");
}
