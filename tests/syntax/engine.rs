//! Owns the codemod engine as the tests call it: rules from files, and trees rewritten in memory.

use std::fs;
use std::path::Path;

use artel::io::agents::codemod::Codemod;
use artel::io::syntax::Rules;

use super::ast_grep::Tree;

/// Reads a rule file.
pub fn rules(path: &Path) -> Rules {
    let yaml = fs::read_to_string(path).expect("the rule file is readable");
    Rules::parse(&path.to_string_lossy(), &yaml).unwrap_or_else(|error| panic!("{error}"))
}

/// Rewrites a tree by our engine.
pub fn rewrite(codemod: &Codemod, tree: &Tree) -> Tree {
    tree.iter().map(|(path, bytes)| (path.clone(), codemod.rewrite(path, bytes).bytes)).collect()
}
