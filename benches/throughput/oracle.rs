//! Owns the comparison of artel's merges with git's own, on random pairs of changes.

use std::collections::BTreeMap;
use std::process::Command;

use artel::io::git::{Author, Edit, Member, Merge, Repo};
use artel::model::ids::Oid;

use super::Size;
use super::figure::{Goal, figure};
use super::ground::Lab;

/// What a commit holds, by path.
type Files = BTreeMap<String, String>;

/// Merges random pairs, and tells how many come to what `git merge-tree` says: the same tree, or the same conflict.
pub fn oracles(size: Size) {
    let pairs = if size == Size::Quick { 50 } else { 1000 };
    let lab = Lab::new(0);
    let repo = Repo::discover(&lab.repo()).expect("the repository");
    let empty = repo.base(None).expect("its head").commit;
    let mut chance = fastrand::Rng::with_seed(7);
    let files: Files = (0..30).map(|n| (format!("d{}/e{}/f{n}", n % 3, n % 2), text(n))).collect();
    let base = commit(&repo, empty, &Files::new(), &files);
    let (mut same, mut conflicts) = (0_u32, 0_u32);
    for _ in 0..pairs {
        let mut side = || {
            let mut changed = files.clone();
            (0..chance.usize(1..4)).for_each(|_| change(&mut chance, &mut changed));
            commit(&repo, base, &files, &changed)
        };
        let (head, candidate) = (side(), side());
        let message = "land".to_owned();
        let ours = repo.merge(head, &Member { candidate, base, message, author: author(), when_ms: 0 });
        let (is_clean, said) = by_git(&lab, head, candidate);
        same += u32::from(match ours.expect("a merge") {
            Merge::Clean { tree, .. } => is_clean && said == [tree.to_string()],
            Merge::Conflict { paths } => {
                conflicts += 1;
                !is_clean && said[1..] == paths
            }
        });
    }
    figure("merges_as_git_merges", f64::from(same) * 100.0 / f64::from(pairs), "%", Goal::Least(100.0));
    figure("merges_that_conflict", f64::from(conflicts) * 100.0 / f64::from(pairs), "%", Goal::None);
}

/// Asks git; gives whether it merged, and what it names: the tree, then the paths in conflict.
fn by_git(lab: &Lab, ours: Oid, theirs: Oid) -> (bool, Vec<String>) {
    let mut git = Command::new("git");
    git.current_dir(lab.repo()).args(["merge-tree", "--write-tree", "--name-only", "--no-messages"]);
    let said = git.args([ours.to_string(), theirs.to_string()]).output().expect("git runs");
    let mut lines: Vec<String> = String::from_utf8_lossy(&said.stdout).lines().map(str::to_owned).collect();
    if let Some((_, paths)) = lines.split_first_mut() {
        paths.sort_unstable();
    }
    lines.dedup();
    (said.status.code() == Some(0), lines)
}

fn text(n: usize) -> String {
    (0..12).map(|line| format!("file {n} line {line}\n")).collect()
}

fn author() -> Author {
    Author { name: "bench".to_owned(), email: "bench@artel.invalid".to_owned() }
}

fn commit(repo: &Repo, on: Oid, before: &Files, after: &Files) -> Oid {
    let mut edits: BTreeMap<String, Edit> =
        before.keys().filter(|path| !after.contains_key(*path)).map(|path| (path.clone(), Edit::Delete)).collect();
    for (path, text) in after.iter().filter(|(path, text)| before.get(*path) != Some(*text)) {
        edits.insert(path.clone(), Edit::Write { bytes: text.clone().into_bytes(), executable: false });
    }
    repo.commit_edits(on, &edits, "change", &author(), 0).expect("a commit").commit
}

/// Changes a line, moves a file or a folder, adds or removes a file.
fn change(chance: &mut fastrand::Rng, files: &mut Files) {
    let Some(path) = chance.choice(files.keys().cloned().collect::<Vec<_>>()) else { return };
    match chance.u8(..6) {
        0..=2 => {
            let mut lines: Vec<String> = files[&path].lines().map(str::to_owned).collect();
            let at = chance.usize(..lines.len());
            lines[at] = format!("changed {}", chance.u8(..3));
            files.insert(path, lines.join("\n") + "\n");
        }
        3 => {
            let to = format!("moved{}/{}", chance.u8(..2), path.rsplit('/').next().unwrap_or("f"));
            let text = files.remove(&path).unwrap_or_default();
            files.insert(to, text);
        }
        4 => {
            let (from, to) = [("d0/", "m0/"), ("d1/e1/", "d1/n/"), ("d2/", "d1/")][chance.usize(..3)];
            let moved: Vec<String> = files.keys().filter(|path| path.starts_with(from)).cloned().collect();
            for path in moved {
                let text = files.remove(&path).unwrap_or_default();
                files.insert(path.replacen(from, to, 1), text);
            }
        }
        _ if chance.bool() => drop(files.remove(&path)),
        _ => drop(files.insert(format!("d{}/new{}", chance.u8(..3), chance.u8(..3)), text(chance.usize(..2)))),
    }
}
