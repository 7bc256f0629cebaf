//! Owns how globs are read, everywhere alike: `*` stays within a folder, `**` crosses folders, `{a,b}` and `[ab]` as
//! in a shell. Never touches a file system.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Compiles globs into one matcher; no globs match nothing.
///
/// # Errors
/// Fails on the first glob that cannot be read, and names it.
pub fn globs<'a>(patterns: impl IntoIterator<Item = &'a String>) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(GlobBuilder::new(pattern).literal_separator(true).build()?);
    }
    set.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_star_stays_in_its_folder_and_two_cross_folders() {
        let set = |glob: &str| globs(&[glob.to_owned()]).unwrap();
        assert!(set("src/*.rs").is_match("src/a.rs"));
        assert!(!set("src/*.rs").is_match("src/deep/a.rs"));
        assert!(set("src/**/*.rs").is_match("src/deep/a.rs"));
        assert!(set("**/tests/**").is_match("a/tests/b/c.rs"));
        assert!(!globs(&[]).unwrap().is_match("anything"));
        assert!(globs(&["[".to_owned()]).is_err());
    }
}
