//! Owns which files of a tree a goal's planner may look at. Never looks into one.

use std::collections::BTreeSet;

use globset::GlobSet;

use super::ShardError;
use crate::model::globs;

/// Says which files are wanted; `never`, `exclude` and the stop list win over `owns`.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Globs of files that may be changed; empty is every file.
    pub owns: &'a [String],
    /// Globs of files that must not be changed.
    pub never: &'a [String],
    /// Globs of files that this plan leaves out.
    pub exclude: &'a [String],
    /// Files whose task once failed.
    pub stop_list: &'a BTreeSet<String>,
}

/// Chooses the wanted files, sorted and each once. Globs are read as everywhere in artel: `*` stays in a
/// folder, `**` crosses folders.
///
/// # Errors
/// Says which glob of which list cannot be read.
pub fn candidates<'a>(
    files: impl IntoIterator<Item = &'a str>,
    wanted: &Wanted<'_>,
) -> Result<Vec<String>, ShardError> {
    let owns = globs("owns", wanted.owns)?;
    let never = globs("never", wanted.never)?;
    let exclude = globs("exclude", wanted.exclude)?;
    let is_wanted = |file: &&str| {
        (owns.is_empty() || owns.is_match(file))
            && !never.is_match(file)
            && !exclude.is_match(file)
            && !wanted.stop_list.contains(*file)
    };
    let chosen: BTreeSet<&str> = files.into_iter().filter(is_wanted).collect();
    Ok(chosen.into_iter().map(str::to_owned).collect())
}

fn globs(list: &'static str, texts: &[String]) -> Result<GlobSet, ShardError> {
    globs::globs(texts).map_err(|source| {
        let glob = source.glob().map_or_else(|| texts.join(" "), str::to_owned);
        ShardError::Glob { list, glob, source: Box::new(source) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(owns: &[&str], never: &[&str], exclude: &[&str], stop: &[&str]) -> Result<Vec<String>, ShardError> {
        let texts = |list: &[&str]| -> Vec<String> { list.iter().map(|text| (*text).to_owned()).collect() };
        let (owns, never, exclude) = (texts(owns), texts(never), texts(exclude));
        let stop_list = texts(stop).into_iter().collect();
        let wanted = Wanted { owns: &owns, never: &never, exclude: &exclude, stop_list: &stop_list };
        candidates(["src/b.rs", "src/a.rs", "src/gen/x.rs", "docs/a.md", "src/a.rs"], &wanted)
    }

    #[test]
    fn owning_nothing_by_name_owns_every_file_once_and_sorted() {
        assert_eq!(chosen(&[], &[], &[], &[]).unwrap(), ["docs/a.md", "src/a.rs", "src/b.rs", "src/gen/x.rs"]);
    }

    #[test]
    fn never_exclude_and_the_stop_list_win_over_owns() {
        assert_eq!(chosen(&["src/**"], &["src/gen/**"], &[], &[]).unwrap(), ["src/a.rs", "src/b.rs"]);
        assert_eq!(chosen(&["src/**"], &[], &["**/b.rs"], &["src/a.rs"]).unwrap(), ["src/gen/x.rs"]);
        assert_eq!(chosen(&["src/**"], &["**"], &[], &[]).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_glob_that_cannot_be_read_is_named_with_its_list() {
        let error = chosen(&[], &["src/**"], &["src/[a"], &[]).unwrap_err();
        assert_eq!(error.to_string(), "read the glob `src/[a` of `exclude`");
        assert!(std::error::Error::source(&error).is_some());
    }
}
