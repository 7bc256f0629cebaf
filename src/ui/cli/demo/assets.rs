//! Owns what the demo brings along: the rules, the goals and a small sample crate for a machine without a network.
//! Never fetches anything and never touches git.

use std::fs;
use std::io;
use std::path::Path;

/// The published crate that the demo migrates.
pub const CRATE: &str = "hyper";
/// Its version.
pub const VERSION: &str = "0.10.16";

/// The goal for the published crate.
pub const GOAL: &str = include_str!("goal.md");
/// The goal for the built-in sample.
pub const GOAL_SAMPLE: &str = include_str!("goal-sample.md");

/// The repository's configuration, which keeps what was built warm between attempts.
pub const CONFIG: &str = "warm = [\"target\"]\n";

/// The rule files that both goals name, by their paths in the repository.
pub const RULES: [(&str, &str); 2] =
    [("rules/try-macro.yml", include_str!("try-macro.yml")), ("rules/try-left.yml", include_str!("try-left.yml"))];

/// Names a file of the sample by its path in the crate.
macro_rules! sample {
    ($($path:literal),* $(,)?) => {
        [("Cargo.toml", include_str!("sample/Cargo.toml.in")), $(($path, include_str!(concat!("sample/", $path)))),*]
    };
}

/// The files of the built-in sample, by path.
pub const SAMPLE: [(&str, &str); 17] = sample![
    "src/lib.rs",
    "src/macros.rs",
    "src/error.rs",
    "src/text/mod.rs",
    "src/text/cursor.rs",
    "src/text/number.rs",
    "src/text/word.rs",
    "src/ledger/mod.rs",
    "src/ledger/entry.rs",
    "src/ledger/book.rs",
    "src/ledger/total.rs",
    "src/output/mod.rs",
    "src/output/csv.rs",
    "src/output/summary.rs",
    "src/output/table.rs",
    "tests/book.rs",
];

/// Writes the sample crate into a folder.
///
/// # Errors
/// Passes on what the file system says.
pub fn write_sample(into: &Path) -> io::Result<()> {
    SAMPLE.iter().try_for_each(|(path, text)| write(into, path, text))
}

/// Writes what makes a fetched crate or the sample ready to be a repository: the rules, the goal, the
/// configuration and what git ignores.
///
/// # Errors
/// Passes on what the file system says.
pub fn write_assets(into: &Path, goal: &str) -> io::Result<()> {
    RULES.iter().try_for_each(|(path, text)| write(into, path, text))?;
    write(into, "goal.md", goal)?;
    write(into, "artel.toml", CONFIG)?;
    write(into, ".gitignore", "/target\n")
}

fn write(into: &Path, path: &str, text: &str) -> io::Result<()> {
    let path = into.join(path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::agents::codemod::Codemod;
    use crate::io::syntax::Rules;

    #[test]
    fn the_sample_is_migrated_and_two_places_are_left_to_a_person() {
        let codemod = Codemod::new(RULES.iter().map(|(name, yaml)| Rules::parse(name, yaml).unwrap()).collect());
        let (mut edits, mut files, mut left) = (0, 0, Vec::new());
        for (path, text) in SAMPLE {
            let rewritten = codemod.rewrite(path, text.as_bytes());
            assert!(!rewritten.broke_parse, "{path}");
            edits += rewritten.applied.values().sum::<u32>();
            files += u32::from(rewritten.changed);
            left.extend(rewritten.leftovers);
        }
        assert_eq!((edits, files), (34, 10));
        let left: Vec<_> = left.iter().map(|left| (left.path.as_str(), left.line)).collect();
        assert_eq!(left, [("src/macros.rs", 6), ("src/ledger/entry.rs", 21)]);
    }

    #[test]
    fn every_file_of_the_sample_is_brought_along() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ui/cli/demo/sample");
        let mut folders = vec![folder];
        let mut files = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files += 1 }
            }
        }
        assert_eq!(files, SAMPLE.len());
    }
}
