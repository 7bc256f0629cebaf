//! Owns splitting by folder, and splitting any group deeper. Never looks at what a file holds.

use std::collections::BTreeMap;

use super::split::{Group, Groups, folder_of, group};

/// A group of at most this many files is not split deeper.
const SMALL: usize = 200;

/// Splits by top-level folder, two deep where one folder holds more than half of all files.
pub(super) fn split(files: &[&str]) -> Groups {
    let mut by_folder: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (top, inside) in by_part_below("", files) {
        if top != "." && inside.len() * 2 > files.len() {
            by_folder.extend(by_part_below(&top, &inside));
        } else {
            by_folder.insert(top, inside);
        }
    }
    let groups = by_folder.iter().map(|(key, inside)| group(key, &titled(key), inside)).collect();
    Groups { groups, notes: Vec::new() }
}

/// Splits a large group by the first folder in which its files part; gives the group itself where it is small or where
/// nothing is gained. The parts wait for what the group waited for.
///
/// The keys of the parts are unlike those of all other groups of the same `split`, at every depth.
pub fn split_further(whole: &Group) -> Vec<Group> {
    if whole.files.len() <= SMALL {
        return vec![whole.clone()];
    }
    let files: Vec<&str> = whole.files.iter().map(String::as_str).collect();
    let parts = by_part_below(common_folder(&files), &files);
    if parts.len() < 2 {
        return vec![whole.clone()];
    }
    parts
        .iter()
        .map(|(folder, inside)| Group {
            after: whole.after.clone(),
            ..group(&key_inside(&whole.key, folder, &files), &titled(folder), inside)
        })
        .collect()
}

/// Names a folder's part for people: the files that lie in the folder itself, beside its folders, are called so.
fn titled(part: &str) -> String {
    part.strip_suffix("/.").map_or_else(|| part.to_owned(), |folder| format!("{folder} itself"))
}

/// Names a part by its folder where the group is a folder itself; elsewhere several groups may have files in one folder,
/// and the group's name goes before. No part of a path is empty, so that `//` cannot be in one.
fn key_inside(key: &str, folder: &str, files: &[&str]) -> String {
    if let Some((group, _)) = key.rsplit_once("//") {
        return format!("{group}//{folder}");
    }
    let inside = |file: &&str| file.strip_prefix(key).is_some_and(|rest| rest.starts_with('/'));
    if key == "." || (!key.starts_with('@') && files.iter().all(inside)) {
        return folder.to_owned();
    }
    format!("{key}//{folder}")
}

/// Sorts files by the folder that they lie in right below `base`; those that lie in `base` itself by `base/.`.
fn by_part_below<'a>(base: &str, files: &[&'a str]) -> BTreeMap<String, Vec<&'a str>> {
    let skip = if base.is_empty() { 0 } else { base.len() + 1 };
    let mut parts: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for file in files {
        let part = match file[skip..].find('/') {
            Some(end) => file[..skip + end].to_owned(),
            None => format!("{}.", &file[..skip]),
        };
        parts.entry(part).or_default().push(file);
    }
    parts
}

/// Finds the deepest folder that holds all files; empty is the root.
pub(super) fn common_folder<'a>(files: &[&'a str]) -> &'a str {
    let Some(first) = files.first() else { return "" };
    let mut common = folder_of(first);
    for file in files {
        while !common.is_empty() && !file.strip_prefix(common).is_some_and(|rest| rest.starts_with('/')) {
            common = folder_of(common);
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(files: &[&str]) -> Vec<String> {
        split(files).groups.into_iter().map(|group| group.key).collect()
    }

    fn many(folder: &str, count: usize) -> Vec<String> {
        (0..count).map(|n| format!("{folder}/{n:03}.rs")).collect()
    }

    #[test]
    fn files_go_to_their_top_level_folder_and_those_at_the_root_to_a_dot() {
        assert_eq!(keys(&["a.rs", "b.rs", "docs/c.md", "src/d.rs", "src/deep/e.rs"]), [".", "docs", "src"]);
    }

    #[test]
    fn a_folder_with_more_than_half_of_all_is_split_two_deep() {
        let files = ["docs/a", "src/a/x", "src/b/c/y", "src/b/z", "src/main.rs"];
        assert_eq!(keys(&files), ["docs", "src/.", "src/a", "src/b"]);
        assert_eq!((titled("src/."), titled("src"), titled(".")), ("src itself".into(), "src".into(), ".".into()));
        assert_eq!(keys(&["docs/a", "docs/b", "src/a/x", "src/b/y"]), ["docs", "src"]);
    }

    #[test]
    fn the_root_is_never_split_though_most_files_lie_there() {
        assert_eq!(keys(&["a", "b", "c", "src/d"]), [".", "src"]);
    }

    #[test]
    fn a_folder_whose_name_another_begins_with_is_another_folder() {
        assert_eq!(common_folder(&["src/net/a", "src/network/b"]), "src");
        assert_eq!(common_folder(&["src/net/a", "src/net/b/c"]), "src/net");
        assert_eq!(common_folder(&["a", "src/b"]), "");
    }

    fn whole(key: &str, files: &[String]) -> Group {
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        Group { after: vec!["base".into()], ..group(key, key, &files) }
    }

    #[test]
    fn a_small_group_and_a_flat_one_stay_whole() {
        let small = whole("src", &many("src", 200));
        assert_eq!(split_further(&small), [small]);
        let flat = whole("src", &many("src", 201));
        assert_eq!(split_further(&flat), [flat]);
    }

    #[test]
    fn a_large_group_is_split_where_its_files_part() {
        let files = [many("src/main/java/a", 150), many("src/main/java/b", 150), many("src/main/java", 1)].concat();
        let parts = split_further(&whole("src", &files));
        let keys: Vec<&str> = parts.iter().map(|part| part.key.as_str()).collect();
        assert_eq!(keys, ["src/main/java/.", "src/main/java/a", "src/main/java/b"]);
        assert!(parts.iter().all(|part| part.after == ["base"]));
    }

    #[test]
    fn parts_of_an_owner_carry_the_owner_in_their_key_at_every_depth() {
        let files = [many("src/a/x", 150), many("src/a/y", 151), many("src/b", 150)].concat();
        let parts = split_further(&whole("@org/team", &files));
        let keys: Vec<&str> = parts.iter().map(|part| part.key.as_str()).collect();
        assert_eq!(keys, ["@org/team//src/a", "@org/team//src/b"]);
        let deeper = split_further(&parts[0]);
        assert_eq!(deeper[1].key, "@org/team//src/a/y");
    }

    #[test]
    fn an_owner_called_like_a_folder_does_not_share_keys_with_its_team() {
        let files = [many("@org/team", 150), many("@org/other", 150)].concat();
        assert_eq!(split_further(&whole("@org", &files))[1].key, "@org//@org/team");
    }
}
