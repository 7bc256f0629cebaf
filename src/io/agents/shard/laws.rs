//! Owns the laws of the whole room, over random trees: nothing is lost, nothing is there twice, nothing depends on chance.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

use super::*;
use crate::model::goal::Split;

fn paths() -> impl Strategy<Value = BTreeSet<String>> {
    let part = prop::sample::select(vec!["a", "b", "c", "src", "@o", "all", "unowned", "x.rs", "y.js"]);
    btree_set(vec(part, 1..5).prop_map(|parts| parts.join("/")), 0..60)
}

/// A tree with owners and with manifests that need each other at random, some of them broken.
fn trees() -> impl Strategy<Value = BTreeMap<String, String>> {
    let folder = prop::sample::select(vec!["a", "b", "c", "src", "a/b", "src/c", "b/a/c"]);
    let needs = vec(prop::sample::select(vec!["a", "b", "c", "src", "a/b", "src/c"]), 0..4);
    let manifests = btree_map(folder, (0..4_u8, needs), 0..7);
    let lines = vec("(/?(a|b|src|\\*|\\*\\*|x.rs)/?){1,3} (@o|@o/a|@p @o|bad|)", 0..8);
    (manifests, lines).prop_map(|(manifests, lines)| {
        let mut tree = BTreeMap::from([("CODEOWNERS".to_owned(), lines.join("\n"))]);
        for (folder, (kind, needs)) in manifests {
            let up = "../".repeat(folder.split('/').count());
            let (name, text) = match kind {
                0 => {
                    let needs: BTreeSet<String> =
                        needs.iter().map(|need| format!("'{need}' = {{ path = '{up}{need}' }}\n")).collect();
                    let needs: String = needs.into_iter().collect();
                    ("Cargo.toml", format!("[package]\nname = '{folder}'\n[dependencies]\n{needs}"))
                }
                1 => {
                    let needs: BTreeMap<&str, &str> = needs.iter().map(|need| (*need, "*")).collect();
                    ("package.json", serde_json::json!({ "name": folder, "dependencies": needs }).to_string())
                }
                2 => ("setup.py", format!("setup(name='{folder}', install_requires={needs:?})")),
                _ => ("Cargo.toml", "[broken".to_owned()),
            };
            tree.insert(format!("{folder}/{name}"), text);
        }
        tree
    })
}

const ALL: [Split; 4] = [Split::Owner, Split::Folder, Split::Package, Split::Count];

fn all_groups(by: Split, files: &[String], tree: &BTreeMap<String, String>) -> Vec<Group> {
    split(by, files, &|path| tree.get(path).cloned()).unwrap().groups
}

fn is_partition(groups: &[Group], files: &BTreeSet<String>) -> bool {
    let all: Vec<&String> = groups.iter().flat_map(|group| &group.files).collect();
    let once: BTreeSet<&String> = all.iter().copied().collect();
    once.len() == all.len() && once == files.iter().collect() && groups.iter().all(|group| !group.files.is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn groups_are_a_partition_under_unlike_keys(files in paths(), tree in trees()) {
        let list: Vec<String> = files.iter().cloned().collect();
        for by in ALL {
            let groups = all_groups(by, &list, &tree);
            prop_assert!(is_partition(&groups, &files), "{by:?} {groups:?}");
            let keys: BTreeSet<&str> = groups.iter().map(|group| group.key.as_str()).collect();
            prop_assert_eq!(keys.len(), groups.len());
        }
    }

    #[test]
    fn groups_come_after_all_that_they_wait_for(files in paths(), tree in trees()) {
        let list: Vec<String> = files.into_iter().collect();
        let mut seen = BTreeSet::new();
        for group in all_groups(Split::Package, &list, &tree) {
            prop_assert!(group.after.iter().all(|before| seen.contains(before)), "{group:?}");
            seen.insert(group.key);
        }
    }

    #[test]
    fn the_order_of_the_input_does_not_matter(files in paths(), tree in trees()) {
        let list: Vec<String> = files.into_iter().collect();
        let backwards: Vec<String> = list.iter().rev().chain(list.first()).cloned().collect();
        for by in ALL {
            prop_assert_eq!(all_groups(by, &list, &tree), all_groups(by, &backwards, &tree));
        }
    }

    #[test]
    fn splitting_further_keeps_the_partition_and_unlike_keys_at_every_depth(files in paths(), tree in trees()) {
        // Many files a folder, so that groups are large.
        let files: BTreeSet<String> =
            files.iter().flat_map(|file| (0..30).map(move |n| format!("{file}/{n}"))).collect();
        let list: Vec<String> = files.iter().cloned().collect();
        for by in ALL {
            let mut keys = BTreeSet::new();
            let mut level = all_groups(by, &list, &tree);
            for _ in 0..5 {
                prop_assert!(is_partition(&level, &files));
                let parted = |group: &Group| { let parts = split_further(group); (parts.len() > 1).then_some(parts) };
                keys.extend(level.iter().map(|group| group.key.clone()));
                let before = keys.len();
                let next: Vec<Vec<Group>> = level.iter().filter_map(parted).collect();
                let fresh: Vec<Group> = next.into_iter().flatten().collect();
                keys.extend(fresh.iter().map(|group| group.key.clone()));
                prop_assert_eq!(keys.len(), before + fresh.len(), "{:?} {:?}", by, fresh);
                level = level.iter().flat_map(split_further).collect();
            }
        }
    }

    #[test]
    fn tasks_are_a_partition_of_the_found_files_under_unlike_keys(
        files in paths(), size in 0..7_u32, matches in vec(0..9_u32, 60)
    ) {
        let found: Vec<(String, u32)> = files.iter().cloned().zip(matches).collect();
        let group = Group { key: "g".into(), title: "g".into(), files: Vec::new(), after: Vec::new() };
        let after = BTreeSet::from(["first".to_owned()]);
        let terms = Terms { files_per_task: size, iteration: 1, rules: &[], role: "worker", after: &after };
        let drafts = tasks(&group, &found, &terms);
        let all: Vec<&String> = drafts.iter().flat_map(|draft| &draft.paths.files).collect();
        prop_assert_eq!(all.len(), files.len());
        prop_assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), files.iter().collect());
        prop_assert_eq!(drafts.len(), files.len().div_ceil(size.max(1) as usize));
        let keys: BTreeSet<&str> = drafts.iter().map(|draft| draft.key.as_str()).collect();
        prop_assert_eq!(keys.len(), drafts.len());
        prop_assert!(drafts.iter().all(|draft| draft.weight >= 1 && draft.after == after));
        let backwards: Vec<(String, u32)> = found.into_iter().rev().collect();
        prop_assert_eq!(tasks(&group, &backwards, &terms), drafts);
    }
}
