//! Owns what a group is and which way of splitting makes it. Never reads a file but through the function it is given.

use std::collections::BTreeSet;

use super::{ShardError, chunks, folders, owners, packages};
use crate::model::goal::Split;

/// Holds files that belong together, and what they wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Names the group among all groups of the same files, at every depth of splitting.
    pub key: String,
    /// One line for people.
    pub title: String,
    /// Its files, in the order in which they are worked on: folder by folder.
    pub files: Vec<String>,
    /// Keys of the groups that come first; only packages have any.
    pub after: Vec<String>,
}

/// Holds the groups of a set of files: disjoint, complete, none empty, and in the order in which to begin them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups {
    /// The groups.
    pub groups: Vec<Group>,
    /// What was passed over on the way, for people: one line each.
    pub notes: Vec<String>,
}

/// Splits files into groups. `read` gives the text of a file of the base commit's tree, where there is such a file.
///
/// The answer depends on the set of files and on what `read` says, and on nothing else.
///
/// # Errors
/// Fails where a split by owner finds no CODEOWNERS file, or one that is too large.
pub fn split(by: Split, files: &[String], read: &dyn Fn(&str) -> Option<String>) -> Result<Groups, ShardError> {
    let files: Vec<&str> = files.iter().map(String::as_str).collect::<BTreeSet<_>>().into_iter().collect();
    match by {
        Split::Owner => owners::split(&files, read),
        Split::Folder => Ok(folders::split(&files)),
        Split::Package => Ok(packages::split(&files, read)),
        Split::Count if files.is_empty() => Ok(Groups::default()),
        Split::Count => Ok(Groups { groups: vec![group("all", "all files", &files)], notes: Vec::new() }),
    }
}

pub(super) fn group(key: &str, title: &str, files: &[&str]) -> Group {
    let mut files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
    chunks::in_work_order(&mut files);
    Group { key: key.to_owned(), title: line(title), files, after: Vec::new() }
}

/// Makes one line of any text: control characters visible, at most 200 characters.
pub(super) fn line(text: &str) -> String {
    const CHARS_MAX: usize = 200;
    let visible = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    let whole: String = text.chars().map(visible).collect();
    match whole.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{}…", &whole[..at]),
        None => whole,
    }
}

/// Gives the folder of a path, without its last `/`; empty at the root.
pub(super) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
