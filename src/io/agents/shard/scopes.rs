//! Owns how groups become scopes of sub-planners. Never opens one.

use super::split::{Group, group, line};
use crate::model::paths::PathSet;
use crate::model::task::ScopeDraft;

/// Drafts a scope for each group: its files and nothing else.
///
/// `parent_key` is the key of the scope that is split, `""` where it is the root's. Scopes under a scope that this
/// planner made keep its line of keys; under another planner's scope that one's key goes before.
pub fn scopes(groups: &[Group], parent_key: &str, iteration: u32, role: &str) -> Vec<ScopeDraft> {
    let line_of_keys = lineage(parent_key, iteration);
    let draft = |group: &Group| ScopeDraft {
        key: format!("{line_of_keys}i{iteration}/{}", group.key),
        title: line(&format!("{}: {}", group.title, count(group.files.len(), "file", "files"))),
        paths: PathSet::of_files(group.files.iter().cloned()),
        decisions: std::collections::BTreeSet::new(),
        role: role.to_owned(),
        brief: format!("Plan the work on these {}.", count(group.files.len(), "file", "files")),
    };
    groups.iter().map(draft).collect()
}

/// Gives the group that a sub-planner works on: `files` of its scope, under the key that the scope was made from. So keys of
/// what it splits and emits are the same whoever wakes it.
pub fn group_of_scope(scope: &ScopeDraft, iteration: u32, files: &[String]) -> Group {
    let above = lineage(&scope.key, iteration).len();
    let mark = format!("i{iteration}/");
    let key = scope.key.get(above..).and_then(|rest| rest.strip_prefix(&mark)).unwrap_or(&scope.key);
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    group(key, &scope.title, &files)
}

/// Gives what goes before `i{iteration}/` in the keys of scopes below `parent_key`.
fn lineage(parent_key: &str, iteration: u32) -> String {
    let mark = format!("i{iteration}/");
    if parent_key.is_empty() || parent_key.starts_with(&mark) {
        return String::new();
    }
    match parent_key.find(&format!("/{mark}")) {
        Some(at) => parent_key[..=at].to_owned(),
        None => format!("{parent_key}/"),
    }
}

pub(super) fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_owns_its_groups_files_and_nothing_else() {
        let drafts = scopes(&[group("src", "src", &["src/a", "src/b"]), group(".", ".", &["c"])], "", 2, "planner");
        assert_eq!(drafts.iter().map(|draft| draft.key.as_str()).collect::<Vec<_>>(), ["i2/src", "i2/."]);
        assert_eq!(drafts[0].paths, PathSet::of_files(["src/a".to_owned(), "src/b".to_owned()]));
        assert_eq!(drafts[0].title, "src: 2 files");
        assert_eq!(drafts[1].title, ".: 1 file");
    }

    #[test]
    fn keys_nest_once_under_another_planners_scope() {
        let key = |parent: &str| scopes(&[group("src/a", "src/a", &["src/a/x"])], parent, 0, "planner")[0].key.clone();
        assert_eq!(key("i0/src"), "i0/src/a");
        assert_eq!(key("backend"), "backend/i0/src/a");
        assert_eq!(key("backend/i0/src"), "backend/i0/src/a");
    }

    #[test]
    fn a_sub_planner_finds_its_group_again_from_its_scope() {
        let whole = group("@a//src", "src", &["src/x", "src/y/z"]);
        for parent in ["", "i7/@a", "backend"] {
            let scope = &scopes(std::slice::from_ref(&whole), parent, 7, "planner")[0];
            let again = group_of_scope(scope, 7, &whole.files);
            assert_eq!((&again.key, &again.files), (&whole.key, &whole.files), "{parent}");
        }
        let foreign = ScopeDraft { key: "backend".into(), ..scopes(&[whole], "", 7, "planner").remove(0) };
        assert_eq!(group_of_scope(&foreign, 7, &[]).key, "backend");
    }
}
