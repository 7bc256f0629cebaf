//! Owns the measuring of worktrees: what an attempt waits for its tree, against `git worktree add`.

use std::collections::BTreeMap;
use std::io::Write;

use artel::io::git::{Author, Edit, Limits, Pool, Repo};
use artel::model::ids::Oid;

use super::Size;
use super::figure::{Cost, Goal, cost, figure, quantile};
use super::ground::Lab;

/// Attempts that are given a tree, one after the other.
const ATTEMPTS: usize = 9;

/// Measures trees of small and large repositories.
pub fn provisions(size: Size) {
    let sizes: &[(usize, f64)] = match size {
        Size::Quick => &[(300, 0.5)],
        Size::Full => &[(300, 0.5), (5_000, 0.1), (50_000, 0.01)],
    };
    for (files, goal) in sizes.iter().copied() {
        provision(files, goal);
    }
}

fn provision(files: usize, goal: f64) {
    let lab = Lab::new(files);
    let by_git: Vec<Cost> = (0..3).map(|number| worktree_add(&lab, number)).collect();
    let repo = Repo::discover(&lab.repo()).expect("the repository");
    let pool = Pool::open(&repo, lab.beside("pool"), &[]).expect("a pool");
    let mut at = repo.base(None).expect("its head").commit;
    let (tree, first) = cost(|| pool.take(at).expect("a tree"));
    let mut held = Some(tree);
    let mut ours = Vec::new();
    for number in 0..ATTEMPTS {
        // What a run does between two attempts: the one changes a file, and something else has landed.
        let tree = held.take().expect("one is held");
        let mut file = std::fs::File::options().append(true).open(tree.path().join("src/m0/f1.rs")).expect("a file");
        writeln!(file, "// attempt {number}").expect("a line");
        assert!(tree.snapshot(Limits::default()).expect("a snapshot").edits.len() == 1, "one file was changed");
        at = commit(&repo, at, number);
        let (tree, spent) = cost(|| {
            pool.give_back_as_read(tree);
            pool.take(at).expect("a tree")
        });
        ours.push(spent);
        held = Some(tree);
    }
    let median = |costs: &[Cost]| quantile(&mut costs.iter().map(|cost| cost.wall_s).collect::<Vec<_>>(), 0.5);
    let name = |what: &str| format!("{what}_files{files}");
    let by_git = median(&by_git);
    figure(&name("worktree_add"), by_git * 1000.0, "ms", Goal::None);
    figure(&name("provision"), median(&ours) * 1000.0, "ms", Goal::None);
    figure(&name("provision_to_worktree_add"), median(&ours) / by_git, "x", Goal::Most(goal));
    figure(&name("first_tree_to_worktree_add"), first.wall_s / by_git, "x", Goal::None);
}

fn worktree_add(lab: &Lab, number: usize) -> Cost {
    let place = lab.beside("plain").join(number.to_string());
    let (_, cost) = cost(|| lab.git(&["worktree", "add", "-q", "--detach", &place.to_string_lossy(), "main"]));
    cost
}

fn commit(repo: &Repo, on: Oid, number: usize) -> Oid {
    let bytes = format!("// landed {number}\n").into_bytes();
    let edits = BTreeMap::from([("src/m1/f1.rs".to_owned(), Edit::Write { bytes, executable: false })]);
    let author = Author { name: "bench".to_owned(), email: "bench@artel.invalid".to_owned() };
    repo.commit_edits(on, &edits, "landed", &author, 0).expect("a commit").commit
}
