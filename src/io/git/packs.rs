//! Owns the packs that this process has written, of which a long run has thousands: many small ones are made into one,
//! since whoever opens the repository, the user's git too, opens each of them. Never touches another's pack.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::PoisonError;

use git2::Repository;

use super::error::{Doing, GitError, OnFile};
use super::repo::Repo;

/// How many small packs there are at most.
const SMALL_AT_MOST: usize = 64;

/// Names a pack and what is in it.
#[derive(Debug)]
pub(super) struct Pack {
    name: String,
    oids: Vec<git2::Oid>,
}

impl Repo {
    /// Writes objects as a pack, synced, with those of all small packs where these are many.
    ///
    /// # Errors
    /// Fails where an object is missing or the pack cannot be written.
    pub(super) fn write_pack(&self, handle: &Repository, oids: Vec<git2::Oid>) -> Result<(), GitError> {
        let folder = self.identity().join("objects/pack");
        fs::create_dir_all(&folder).on("make the folder", &folder)?;
        let pack = write(handle, &folder, oids)?;
        let mut small = self.small_packs().lock().unwrap_or_else(PoisonError::into_inner);
        small.push(pack);
        if small.len() >= SMALL_AT_MOST {
            let small = std::mem::take(&mut *small);
            // All is on disk already: what goes wrong here costs only that they stay many.
            if let Err(error) = make_one(handle, &folder, small) {
                tracing::warn!("small packs stay as they are: {error}");
            }
        }
        Ok(())
    }
}

fn write(handle: &Repository, folder: &Path, oids: Vec<git2::Oid>) -> Result<Pack, GitError> {
    let doing = || "write a pack of new objects".to_owned();
    let mut pack = handle.packbuilder().doing(doing)?;
    for oid in &oids {
        pack.insert_object(*oid, None).doing(doing)?;
    }
    pack.write(folder, 0o444).doing(doing)?;
    let name = pack.name().ok().flatten().unwrap_or_default().to_owned();
    Ok(Pack { name, oids })
}

/// Writes the objects of packs as one, and then removes those.
fn make_one(handle: &Repository, folder: &Path, packs: Vec<Pack>) -> Result<(), GitError> {
    let all = packs.iter().flat_map(|pack| pack.oids.iter().copied()).collect();
    let one = write(handle, folder, all)?;
    for Pack { name, .. } in packs.iter().filter(|pack| !pack.name.is_empty() && pack.name != one.name) {
        // As git does: without its index a pack is not looked at.
        for ending in ["idx", "pack"] {
            let file = folder.join(format!("pack-{name}.{ending}"));
            match fs::remove_file(&file) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).on("remove the pack", &file),
                Ok(()) | Err(_) => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::merge::Merge;
    use super::super::testing::{Lab, member};
    use super::*;

    fn packs(lab: &Lab) -> BTreeSet<String> {
        let entries = fs::read_dir(lab.path().join(".git/objects/pack")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".pack")).collect()
    }

    #[test]
    fn many_small_packs_become_one_which_holds_all_and_anothers_is_left_alone() {
        let lab = Lab::new();
        lab.git(&["repack", "-a", "-d", "-q"]);
        let anothers = packs(&lab);
        let mut head = lab.head();
        let early = lab.repo.clone();
        for n in 0..=SMALL_AT_MOST {
            let one = member(lab.on(head, &[(&format!("n{n}"), Some("n\n"))]), head);
            let other = member(lab.on(head, &[(&format!("m{n}"), Some("m\n"))]), head);
            let Some(Merge::Clean { commit, .. }) = lab.repo.merge_chain(head, &[one, other]).unwrap().pop() else {
                panic!("it is clean")
            };
            head = commit;
            early.is_ancestor(lab.head(), head).unwrap();
        }
        let left = packs(&lab);
        assert!(anothers.is_subset(&left) && !anothers.is_empty());
        assert_eq!(left.len(), anothers.len() + 2, "the gathered one, and what came after it");
        assert!(Repo::discover(&lab.path()).unwrap().is_ancestor(lab.head(), head).unwrap());
        assert!(early.is_ancestor(lab.head(), head).unwrap(), "handles that were open before find all");
        lab.git(&["update-ref", "refs/heads/artel/r/main", &head.to_string()]);
        assert_eq!(lab.git(&["fsck", "--strict", "--no-dangling"]), "");
        assert_eq!(lab.git(&["show", &format!("{head}:n0")]), "n");
    }
}
