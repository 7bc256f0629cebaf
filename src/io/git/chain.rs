//! Owns merging many candidates in a row at the price of one write: new objects gather in memory and go to disk as
//! one pack, synced. Never moves a ref; what a chain that failed had written is unreachable, and harmless.

use git2::{Mempack, Repository};

use super::error::{Doing, GitError};
use super::merge::{Member, Merge, Written, merge_one};
use super::repo::{Repo, open};
use crate::model::ids::Oid;

impl Repo {
    /// Merges candidates into a head, one upon the other; one that conflicts is passed over.
    ///
    /// Gives one answer a member, in their order. The same input gives the same commits. Objects are on disk when it
    /// returns.
    ///
    /// # Errors
    /// Fails as [`Repo::merge`] does.
    pub fn merge_chain(&self, head: Oid, members: &[Member]) -> Result<Vec<Merge>, GitError> {
        let handle = open(self.identity())?;
        let odb = handle.odb().doing(|| "open the object database".to_owned())?;
        let mempack = odb.add_new_mempack_backend(1_000).doing(|| "gather objects in memory".to_owned())?;
        let mut memory = Memory { repo: self, handle: &handle, mempack, fresh: Vec::new() };
        let mut at = head;
        let mut answers = Vec::with_capacity(members.len());
        for member in members {
            let merge = merge_one(self, &handle, at, member, &mut memory)?;
            if let Merge::Clean { commit, .. } = merge {
                at = commit;
            }
            answers.push(merge);
        }
        memory.publish()?;
        Ok(answers)
    }
}

/// Holds objects in memory until they are written as one pack.
struct Memory<'a> {
    repo: &'a Repo,
    handle: &'a Repository,
    mempack: Mempack<'a>,
    fresh: Vec<git2::Oid>,
}

impl Written for Memory<'_> {
    fn add(&mut self, oids: &[git2::Oid]) {
        self.fresh.extend_from_slice(oids);
    }

    fn publish(&mut self) -> Result<(), GitError> {
        if self.fresh.is_empty() {
            return Ok(());
        }
        self.repo.write_pack(self.handle, std::mem::take(&mut self.fresh))?;
        self.mempack.reset().doing(|| "write a pack of new objects".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Lab, member};
    use super::*;

    #[test]
    fn a_chain_is_what_single_merges_are_and_is_whole_on_disk() {
        let lab = Lab::new();
        let base = lab.on(lab.head(), &[("a", Some("1\n2\n3\n4\n5\n6\n")), ("d/b", Some("b\n"))]);
        let mut members: Vec<_> =
            (0..30).map(|n| member(lab.on(base, &[(&format!("d/n{n}"), Some("n\n"))]), base)).collect();
        members.insert(5, member(lab.on(base, &[("a", Some("one\n2\n3\n4\n5\n6\n"))]), base));
        members.insert(9, member(lab.on(base, &[("a", Some("uno\n2\n3\n4\n5\n6\n"))]), base));
        members.insert(20, member(lab.on(base, &[("a", Some("1\n2\n3\n4\n5\nsix\n")), ("d/b", None)]), base));
        let chained = lab.repo.merge_chain(base, &members).unwrap();
        assert_eq!(chained[9], Merge::Conflict { paths: vec!["a".to_owned()] });
        let Some(Merge::Clean { commit: head, .. }) = chained.last().cloned() else { panic!() };
        // Another handle, and git itself, see every object before anything else is written.
        assert!(Repo::discover(&lab.path()).unwrap().is_ancestor(base, head).unwrap());
        lab.git(&["update-ref", "refs/heads/artel/r/main", &head.to_string()]);
        assert_eq!(lab.git(&["fsck", "--strict", "--no-dangling"]), "");
        assert_eq!(lab.git(&["show", &format!("{head}:a")]), "one\n2\n3\n4\n5\nsix");
        let mut at = base;
        for (member, merge) in members.iter().zip(&chained) {
            let single = lab.repo.merge(at, member).unwrap();
            assert_eq!(&single, merge);
            if let Merge::Clean { commit, .. } = single {
                at = commit;
            }
        }
    }
}
