//! Owns the model of a git repository: content-addressed trees, commits, three-way merges, and the run's branch as a
//! cell with compare-and-swap.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use artel::model::ids::Oid;

/// Holds what stands in one file, reduced to what checks and conditions can see of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Blob {
    /// Makes each edit another content.
    pub id: u32,
    /// The done-condition still finds something in it.
    pub is_old: bool,
    /// It makes `tests` red.
    pub breaks_tests: bool,
    /// It makes `lint` red.
    pub breaks_lint: bool,
    /// It makes the task's own check red.
    pub breaks_own: bool,
    /// It hides a test from the count of executed ones.
    pub hides_test: bool,
    /// It makes `tests` red together with the other side of its group.
    pub clash: Option<(u8, bool)>,
}

pub type Tree = BTreeMap<String, Blob>;

#[derive(Debug, Clone)]
struct Commit {
    tree: Oid,
    parents: Vec<Oid>,
}

/// Says how a compare-and-swap went.
pub enum Swap {
    Done,
    Found(Option<Oid>),
}

#[derive(Default)]
pub struct Repo {
    trees: BTreeMap<Oid, Tree>,
    commits: BTreeMap<Oid, Commit>,
    /// The run's branch.
    pub branch: Option<Oid>,
    /// What was delivered into the user's branch, in order.
    pub delivered: Vec<Oid>,
    /// Whether a person has deleted the user's branch.
    pub is_user_branch_gone: bool,
}

impl Repo {
    pub fn put(&mut self, tree: Tree) -> Oid {
        let id = oid(&("tree", &tree));
        self.trees.entry(id).or_insert(tree);
        id
    }

    /// Makes a commit; the same content and parents give the same commit.
    pub fn commit(&mut self, tree: Tree, parents: &[Oid]) -> (Oid, Oid) {
        let tree = self.put(tree);
        let id = oid(&("commit", tree, parents));
        self.commits.insert(id, Commit { tree, parents: parents.to_vec() });
        (id, tree)
    }

    /// Makes a commit of the same content that has nothing before it.
    pub fn rewritten(&mut self, commit: Oid) -> Oid {
        let tree = self.tree_of(commit).clone();
        self.commit(tree, &[]).0
    }

    pub fn tree_of(&self, commit: Oid) -> &Tree {
        &self.trees[&self.commits[&commit].tree]
    }

    pub fn tree_id(&self, commit: Oid) -> Oid {
        self.commits[&commit].tree
    }

    pub fn tree(&self, id: Oid) -> &Tree {
        &self.trees[&id]
    }

    pub fn first_parent(&self, commit: Oid) -> Oid {
        self.commits[&commit].parents[0]
    }

    pub fn is_ancestor(&self, old: Oid, young: Oid) -> bool {
        let (mut open, mut seen) = (vec![young], BTreeSet::new());
        while let Some(commit) = open.pop() {
            if commit == old {
                return true;
            }
            if seen.insert(commit) {
                open.extend(&self.commits[&commit].parents);
            }
        }
        false
    }

    /// Merges by path: what only one side changed is taken, what both changed differently conflicts.
    pub fn merge(base: &Tree, ours: &Tree, theirs: &Tree) -> Result<Tree, Vec<String>> {
        let paths: BTreeSet<&String> = base.keys().chain(ours.keys()).chain(theirs.keys()).collect();
        let (mut merged, mut conflicts) = (Tree::new(), Vec::new());
        for path in paths {
            let (base, ours, theirs) = (base.get(path), ours.get(path), theirs.get(path));
            let taken = match () {
                () if theirs == base || ours == theirs => ours,
                () if ours == base => theirs,
                () => {
                    conflicts.push(path.clone());
                    continue;
                }
            };
            if let Some(blob) = taken {
                merged.insert(path.clone(), *blob);
            }
        }
        if conflicts.is_empty() { Ok(merged) } else { Err(conflicts) }
    }

    /// Brings a commit into the user's branch; one that is in it already stays there once.
    pub fn deliver(&mut self, head: Oid) -> Result<Oid, String> {
        if self.is_user_branch_gone {
            return Err("it is gone".to_owned());
        }
        if !self.delivered.contains(&head) {
            self.delivered.push(head);
        }
        Ok(head)
    }

    pub fn swap(&mut self, from: Oid, to: Oid) -> Swap {
        if self.branch == Some(from) || self.branch == Some(to) {
            self.branch = Some(to);
            return Swap::Done;
        }
        Swap::Found(self.branch)
    }
}

fn oid(of: &impl Hash) -> Oid {
    let mut bytes = [0; 20];
    for (salt, part) in bytes.chunks_mut(8).enumerate() {
        let mut hasher = DefaultHasher::new();
        (salt, of).hash(&mut hasher);
        part.copy_from_slice(&hasher.finish().to_be_bytes()[..part.len()]);
    }
    Oid(bytes)
}
