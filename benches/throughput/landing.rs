//! Owns the measuring of merges: chains in memory against git's own plumbing, on the same prepared candidates.

use std::collections::BTreeMap;

use artel::io::git::{Author, Edit, Member, Merge, Repo, Swap};
use artel::model::ids::Oid;

use super::Size;
use super::figure::{Goal, cost, figure, note};
use super::ground::Lab;

/// Candidates that land by one write, as the queue's largest batch.
const BATCH: usize = 64;

/// Measures merges against git's plumbing.
pub fn landings(size: Size) {
    let (count, by_git) = if size == Size::Quick { (40, 10) } else { (1000, 100) };
    let (ours, theirs) = merges(count, by_git);
    figure("merges", ours, "1/s", Goal::None);
    figure("merges_by_plumbing", theirs, "1/s", Goal::None);
    figure("merges_to_plumbing", ours / theirs, "x", Goal::Least(8.0));
}

/// Merges so many candidates by chains, and a share of them by git's plumbing; gives merges a second of both.
fn merges(count: usize, by_git: usize) -> (f64, f64) {
    let lab = Lab::new(300);
    let repo = Repo::discover(&lab.repo()).expect("the repository");
    let base = repo.base(None).expect("its head").commit;
    let author = Author { name: "bench".to_owned(), email: "bench@artel.invalid".to_owned() };
    let member = |n: usize| {
        let file = |k: usize| (format!("src/m{}/c{n}-{k}.rs", n % 20), write(&format!("// {n} {k}\n")));
        let edits: BTreeMap<String, Edit> = (0..=n % 5).map(file).collect();
        let made = repo.commit_edits(base, &edits, "candidate", &author, 0).expect("a candidate");
        let message = format!("merge {n}\n");
        Member { candidate: made.commit, base, message, author: author.clone(), when_ms: 0 }
    };
    let members: Vec<Member> = (0..count).map(member).collect();

    let branch = "refs/heads/bench/main";
    let (head, ours) = cost(|| {
        let mut head = base;
        repo.compare_and_swap(branch, None, base, "open").expect("a branch");
        for batch in members.chunks(BATCH) {
            let before = head;
            for merge in repo.merge_chain(head, batch).expect("a chain") {
                let Merge::Clean { commit, .. } = merge else { panic!("candidates of different files conflict") };
                head = commit;
            }
            assert!(repo.compare_and_swap(branch, Some(before), head, "land").expect("a move") == Swap::Done);
        }
        head
    });
    let (theirs_head, theirs) = cost(|| plumbing(&lab, base, &members[..by_git]));
    note(&format!("{count} merges end at {head}, {by_git} by git's plumbing at {theirs_head}"));
    (count as f64 / ours.wall_s, by_git as f64 / theirs.wall_s)
}

fn write(text: &str) -> Edit {
    Edit::Write { bytes: text.as_bytes().to_vec(), executable: false }
}

/// Merges candidates by three git programs each.
fn plumbing(lab: &Lab, base: Oid, members: &[Member]) -> String {
    let mut head = base.to_string();
    for member in members {
        let candidate = member.candidate.to_string();
        let tree = lab.git(&["merge-tree", "--write-tree", &head, &candidate]);
        let next = lab.git(&["commit-tree", &tree, "-p", &head, "-p", &candidate, "-m", "merge"]);
        lab.git(&["update-ref", "refs/heads/bench/plumbing", &next]);
        head = next;
    }
    head
}
