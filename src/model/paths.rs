//! Owns what "these paths" means: sets of files and folders of a repository, and when two overlap.
//! Never touches a file system; a path here is relative to the repository's root, with `/`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

/// Holds the files and folders that one scope or task owns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct PathSet {
    /// Folders that are owned whole, each ending in `/`; the empty text is the whole repository.
    #[serde(default)]
    pub folders: BTreeSet<String>,
    /// Single files.
    #[serde(default)]
    pub files: BTreeSet<String>,
}

impl Serialize for PathSet {
    /// Leaves out what is empty where a reader sees names; where it sees places only, nothing can be left out.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let parts = [("folders", &self.folders), ("files", &self.files)];
        let is_told = |part: &BTreeSet<String>| !to.is_human_readable() || !part.is_empty();
        let told = parts.map(|(name, part)| (name, is_told(part).then_some(part)));
        let mut fields = to.serialize_struct("PathSet", told.iter().filter(|(_, part)| part.is_some()).count())?;
        for (name, part) in told {
            match part {
                Some(part) => fields.serialize_field(name, part)?,
                None => fields.skip_field(name)?,
            }
        }
        fields.end()
    }
}

impl PathSet {
    /// Owns the whole repository.
    pub fn everything() -> Self {
        Self { folders: [String::new()].into(), files: BTreeSet::new() }
    }

    /// Owns just these files.
    pub fn of_files(files: impl IntoIterator<Item = String>) -> Self {
        Self { folders: BTreeSet::new(), files: files.into_iter().collect() }
    }

    /// Reads paths as people write them: what ends in `/` is a folder, `.` is everything, the rest are files.
    pub fn parse(paths: impl IntoIterator<Item = String>) -> Self {
        let mut set = Self::default();
        for path in paths {
            let path = path.strip_prefix("./").map(str::to_owned).unwrap_or(path);
            if path.is_empty() || path == "." {
                set.folders.insert(String::new());
            } else if path.ends_with('/') {
                set.folders.insert(path);
            } else {
                set.files.insert(path);
            }
        }
        set
    }

    /// Reads paths as an agent writes them; gives one that is no plain path from the repository's root.
    ///
    /// # Errors
    /// The first that is not.
    pub fn written(paths: &[String]) -> Result<Self, &str> {
        let mut set = Self::default();
        for path in paths {
            let plain = path.strip_prefix("./").unwrap_or(path);
            let is_plain = !plain.starts_with('/')
                && !plain.chars().any(|c| c.is_control() || "*?[\\".contains(c))
                && plain.trim_end_matches('/').split('/').all(|part| !matches!(part, "" | "." | ".."));
            if !is_plain {
                return Err(path);
            }
            let own = if plain.ends_with('/') { &mut set.folders } else { &mut set.files };
            own.insert(plain.to_owned());
        }
        Ok(set)
    }

    /// Adds all paths of another set.
    pub fn extend(&mut self, more: &Self) {
        self.folders.extend(more.folders.iter().cloned());
        self.files.extend(more.files.iter().cloned());
    }

    /// Tells whether nothing is owned.
    pub fn is_empty(&self) -> bool {
        self.folders.is_empty() && self.files.is_empty()
    }

    /// Tells whether a file lies in the set.
    pub fn holds(&self, path: &str) -> bool {
        self.files.contains(path) || self.holds_by_folder(path)
    }

    /// Tells whether every path of `inner` lies in this set.
    pub fn covers(&self, inner: &Self) -> bool {
        inner.folders.iter().all(|folder| self.holds_by_folder(folder))
            && inner.files.iter().all(|file| self.holds(file))
    }

    /// Tells whether some file could lie in both sets.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.files.iter().any(|file| other.holds(file))
            || other.files.iter().any(|file| self.holds_by_folder(file))
            || self.folders.iter().any(|folder| other.holds_by_folder(folder))
            || other.folders.iter().any(|folder| self.holds_by_folder(folder))
    }

    /// Lists the paths as people write them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let name = |folder: &'_ String| -> bool { folder.is_empty() };
        self.folders
            .iter()
            .map(move |folder| if name(folder) { "." } else { folder.as_str() })
            .chain(self.files.iter().map(String::as_str))
    }

    fn holds_by_folder(&self, path: &str) -> bool {
        if self.folders.contains("") {
            return true;
        }
        path.match_indices('/').any(|(at, _)| self.folders.contains(&path[..=at]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(paths: &[&str]) -> PathSet {
        PathSet::parse(paths.iter().map(|path| (*path).to_owned()))
    }

    #[test]
    fn a_folder_holds_what_lies_below_it_and_nothing_beside_it() {
        assert!(set(&["src/"]).holds("src/a/b.rs"));
        assert!(!set(&["src/"]).holds("src2/a.rs"));
        assert!(!set(&["src/"]).holds("src"));
        assert!(set(&["."]).holds("anything"));
    }

    #[test]
    fn overlap_is_symmetric_and_sees_nesting() {
        for (a, b, overlap) in [
            (&["src/"][..], &["src/a.rs"][..], true),
            (&["src/"], &["src/deep/"], true),
            (&["src/a/"], &["src/b/"], false),
            (&["a.rs"], &["a.rs"], true),
            (&["a.rs"], &["b.rs"], false),
            (&["."], &["x/y"], true),
            (&[], &["x"], false),
        ] {
            assert_eq!(set(a).overlaps(&set(b)), overlap, "{a:?} {b:?}");
            assert_eq!(set(b).overlaps(&set(a)), overlap, "{b:?} {a:?}");
        }
    }

    #[test]
    fn covering_needs_every_path_inside() {
        assert!(set(&["src/"]).covers(&set(&["src/a/", "src/b.rs"])));
        assert!(!set(&["src/"]).covers(&set(&["src/a/", "c.rs"])));
        assert!(!set(&["src/a.rs"]).covers(&set(&["src/"])));
    }
}
