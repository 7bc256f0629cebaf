//! Owns how found files become tasks: a few files each, folder by folder, under keys that mean the same files for ever.
//! Never looks for a match.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::folders::common_folder;
use super::scopes::count;
use super::split::{Group, folder_of, line};
use crate::model::paths::PathSet;
use crate::model::task::TaskDraft;

/// Says what all tasks of one planning have in common.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Files in one task; 0 is read as 1.
    pub files_per_task: u32,
    /// Which planning of the run this is, from 0.
    pub iteration: u32,
    /// Rule files in order, by the name under which the run holds their text.
    pub rules: &'a [String],
    /// The role that does the tasks.
    pub role: &'a str,
    /// Keys of tasks that come first.
    pub after: &'a BTreeSet<String>,
}

/// Sorts paths into the order in which they are worked on: folder by folder, so that the files of one folder stay
/// together though some lie in folders below it.
pub fn in_work_order(files: &mut [String]) {
    files.sort_unstable_by(|a, b| (folder_of(a), a.as_str()).cmp(&(folder_of(b), b.as_str())));
}

/// Makes the tasks of one group from the files that hold matches; the order of `found` does not matter, and matches of a
/// file that is found twice are added.
pub fn tasks(group: &Group, found: &[(String, u32)], terms: &Terms<'_>) -> Vec<TaskDraft> {
    let mut matches: BTreeMap<&str, u32> = BTreeMap::new();
    for (file, count) in found {
        let sum = matches.entry(file).or_default();
        *sum = sum.saturating_add(*count);
    }
    let mut files: Vec<String> = matches.keys().map(|file| (*file).to_owned()).collect();
    in_work_order(&mut files);
    let mut chunker = Chunker::new(&group.key, *terms);
    let mut drafts: Vec<TaskDraft> =
        files.iter().filter_map(|file| chunker.push(file, matches[file.as_str()])).collect();
    drafts.extend(chunker.finish());
    drafts
}

/// Gathers found files and gives a task as soon as one is full.
///
/// Files are to be pushed in work order, each once. The key of a task is made of its files: a planner that is asked again
/// after a crash emits the same keys, though tasks that have landed since are no longer among what it finds.
#[derive(Debug)]
pub struct Chunker<'a> {
    group_key: &'a str,
    terms: Terms<'a>,
    files: Vec<String>,
    matches: u64,
}

impl<'a> Chunker<'a> {
    /// Begins the tasks of one group.
    pub fn new(group_key: &'a str, terms: Terms<'a>) -> Self {
        Self { group_key, terms, files: Vec::new(), matches: 0 }
    }

    /// Takes one more found file; gives a task where that one fills it.
    pub fn push(&mut self, file: &str, matches: u32) -> Option<TaskDraft> {
        self.files.push(file.to_owned());
        self.matches += u64::from(matches);
        if self.files.len() < self.terms.files_per_task.max(1) as usize { None } else { self.take() }
    }

    /// Gives the task of the files that are left over, where there are any.
    pub fn finish(mut self) -> Option<TaskDraft> {
        self.take()
    }

    fn take(&mut self) -> Option<TaskDraft> {
        let files = std::mem::take(&mut self.files);
        let matches = std::mem::take(&mut self.matches);
        if files.is_empty() {
            return None;
        }
        Some(TaskDraft {
            key: format!("i{}/{}#{}", self.terms.iteration, self.group_key, fingerprint(&files)),
            title: title(&files, matches),
            brief: brief(files.len(), matches, self.terms.rules),
            paths: PathSet::of_files(files),
            after: self.terms.after.clone(),
            checks: Vec::new(),
            role: self.terms.role.to_owned(),
            rules: self.terms.rules.to_vec(),
            weight: matches.max(1),
            splits: PathSet::default(),
        })
    }
}

/// Names a list of texts without zero bytes, such as paths, by 16 hexadecimal digits.
pub(super) fn fingerprint<T: AsRef<str>>(texts: &[T]) -> String {
    let mut hash = Sha256::new();
    texts.iter().for_each(|text| hash.update([text.as_ref().as_bytes(), b"\0"].concat()));
    let digest = hash.finalize();
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn title(files: &[String], matches: u64) -> String {
    let matches = format!("{matches} {}", if matches == 1 { "match" } else { "matches" });
    if let [file] = files {
        return line(&format!("{file}: {matches}"));
    }
    let paths: Vec<&str> = files.iter().map(String::as_str).collect();
    let folder = Some(common_folder(&paths)).filter(|folder| !folder.is_empty()).unwrap_or(".");
    line(&format!("{folder}: {} files, {matches}", files.len()))
}

fn brief(files: usize, matches: u64, rules: &[String]) -> String {
    let files = count(files, "file", "files");
    let matches = if matches == 1 { "1 match".to_owned() } else { format!("{matches} matches") };
    match rules {
        [] => format!("Do what the goal asks in the {files} of this task ({matches}), and change no other file."),
        [rule] => format!("Apply the rule {rule} to the {files} of this task ({matches}), and change no other file."),
        _ => {
            let rules = rules.join(", ");
            format!(
                "Apply the rules {rules}, in this order, to the {files} of this task ({matches}), and change no other file."
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::agents::shard::split::group;

    fn terms<'a>(files_per_task: u32, rules: &'a [String], after: &'a BTreeSet<String>) -> Terms<'a> {
        Terms { files_per_task, iteration: 3, rules, role: "worker", after }
    }

    fn found(files: &[(&str, u32)]) -> Vec<(String, u32)> {
        files.iter().map(|(file, matches)| ((*file).to_owned(), *matches)).collect()
    }

    #[test]
    fn a_task_says_what_is_done_where_and_how_much() {
        let rules = ["a.yml".to_owned(), "b.yml".to_owned()];
        let after = BTreeSet::from(["i3/base#1".to_owned()]);
        let files = found(&[("src/net/a.rs", 4), ("src/net/b.rs", 13), ("src/net/tls/c.rs", 0), ("x.rs", 1)]);
        let drafts = tasks(&group("src", "src", &[]), &files, &terms(3, &rules, &after));
        // The root's files come first.
        assert_eq!(drafts[0].title, ".: 3 files, 18 matches");
        let drafts = tasks(&group("src", "src", &[]), &files[..3], &terms(3, &rules, &after));
        assert_eq!(drafts.len(), 1);
        assert_eq!(drafts[0].title, "src/net: 3 files, 17 matches");
        assert_eq!(
            drafts[0].brief,
            "Apply the rules a.yml, b.yml, in this order, to the 3 files of this task (17 matches), and change no other file."
        );
        assert_eq!((drafts[0].weight, drafts[0].role.as_str()), (17, "worker"));
        assert_eq!((&drafts[0].rules[..], &drafts[0].after), (&rules[..], &after));
        let one = tasks(&group("src", "src", &[]), &files[3..], &terms(3, &[], &after));
        assert_eq!(one[0].title, "x.rs: 1 match");
    }

    #[test]
    fn the_files_of_one_folder_stay_together() {
        let mut files = ["a/b/c", "a/b/d/e", "a/b/f", "a/g", "a/b/d/h"].map(str::to_owned);
        in_work_order(&mut files);
        assert_eq!(files, ["a/g", "a/b/c", "a/b/f", "a/b/d/e", "a/b/d/h"]);
    }

    #[test]
    fn a_task_is_given_as_soon_as_it_is_full() {
        let after = BTreeSet::new();
        let mut chunker = Chunker::new("src", terms(2, &[], &after));
        assert_eq!(chunker.push("a", 1), None);
        let full = chunker.push("b", 2).unwrap();
        assert_eq!((full.weight, full.paths.files.len()), (3, 2));
        assert_eq!(chunker.push("c", 1), None);
        assert_eq!(chunker.finish().unwrap().paths, PathSet::of_files(["c".to_owned()]));
        assert_eq!(Chunker::new("src", terms(2, &[], &after)).finish(), None);
    }

    #[test]
    fn a_key_never_means_other_files() {
        let after = BTreeSet::new();
        let key = |files: &[(&str, u32)]| {
            let drafts = tasks(&group("src", "src", &[]), &found(files), &terms(2, &[], &after));
            drafts.into_iter().map(|draft| draft.key).collect::<Vec<_>>()
        };
        let all = key(&[("a", 1), ("b", 1), ("c", 1), ("d", 1)]);
        assert!(all[0].starts_with("i3/src#"), "{}", all[0]);
        // `a` and `b` have landed: what is left keeps its key.
        assert_eq!(key(&[("c", 1), ("d", 7)]), all[1..]);
        assert_ne!(key(&[("b", 1), ("c", 1)])[0], all[0]);
        // Where one file ends and the next begins is part of the key.
        assert_ne!(fingerprint(&["ab", "c"]), fingerprint(&["a", "bc"]));
    }

    #[test]
    fn a_hostile_file_name_stays_one_line_in_the_title() {
        let after = BTreeSet::new();
        let name = format!("x\n\u{1b}[31m{}", "y".repeat(4000));
        let drafts = tasks(&group("g", "g", &[]), &found(&[(&name, 2)]), &terms(1, &[], &after));
        assert!(drafts[0].title.chars().all(|c| !c.is_control()));
        assert!(drafts[0].title.chars().count() <= 201);
        assert!(drafts[0].paths.files.contains(&name));
    }
}
