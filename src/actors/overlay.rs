//! Owns files that are worked on in memory, above those of a commit: no worktree, no process. Never writes to a disk.

use std::collections::{BTreeMap, BTreeSet};

use super::world::{Ground, told};
use crate::io::git::{Edit, FileEntry, GitError, why_refused};
use crate::io::llm::{Files, Found};
use crate::model::ids::Oid;

/// Bytes of a file that are read.
pub(super) const FILE_BYTES: u64 = 8 << 20;
/// Names that are listed.
pub(super) const PATHS: usize = 200_000;
/// The mode of a link.
const LINK: u32 = 0o120_000;

/// Holds a tree and what became of its files.
pub(super) struct Overlay<'a> {
    pub(super) ground: &'a Ground,
    /// The tree below.
    pub(super) tree: Oid,
    /// What differs from it.
    pub(super) edits: &'a mut BTreeMap<String, Edit>,
}

/// Words what went wrong for a model.
pub(super) fn words(error: &GitError) -> String {
    if let GitError::Path { path, why } = error {
        format!("{path}: {why}")
    } else {
        format!("failed to {}", told(error))
    }
}

impl Overlay<'_> {
    fn below(&self, path: &str) -> Result<Option<FileEntry>, String> {
        self.ground.repo.entry_at(self.tree, path).map_err(|error| words(&error))
    }

    /// Tells whether a file was made below a path.
    fn was_made_below(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        let mut edits = self.edits.range(folder.clone()..).take_while(|(name, _)| name.starts_with(&folder));
        edits.any(|(_, edit)| *edit != Edit::Delete)
    }

    /// Names the file or link above a path, if one is there.
    fn file_above(&self, path: &str) -> Result<Option<String>, String> {
        for (end, _) in path.match_indices('/') {
            if matches!(self.at(&path[..end])?, Found::File(_) | Found::Link(_)) {
                return Ok(Some(path[..end].to_owned()));
            }
        }
        Ok(None)
    }

    fn at(&self, path: &str) -> Result<Found, String> {
        let read = |oid| self.ground.repo.read(oid).map_err(|error| words(&error));
        match self.edits.get(path) {
            Some(Edit::Write { bytes, .. }) => return Ok(Found::File(bytes.clone())),
            Some(Edit::Blob { oid, .. }) => return Ok(Found::File(read(*oid)?)),
            Some(Edit::Link { target }) => return Ok(Found::Link(target.clone())),
            Some(Edit::Delete) if !self.was_made_below(path) => return Ok(Found::Nothing),
            Some(Edit::Delete) | None => {}
        }
        if self.was_made_below(path) {
            return Ok(Found::Folder);
        }
        let Some(entry) = self.below(path)? else { return Ok(Found::Nothing) };
        match entry.mode & 0o170_000 {
            0o100_000 | LINK => {}
            _ => return Ok(Found::Folder),
        }
        let size = self.ground.repo.size(entry.oid).map_err(|error| words(&error))?;
        if size > FILE_BYTES {
            return Err(format!("{path}: it holds more than {FILE_BYTES} bytes"));
        }
        let bytes = read(entry.oid)?;
        Ok(if entry.mode & 0o170_000 == LINK {
            Found::Link(String::from_utf8_lossy(&bytes).into_owned())
        } else {
            Found::File(bytes)
        })
    }
}

fn checked(path: &str) -> Result<(), String> {
    why_refused(path).map_or(Ok(()), |why| Err(format!("{}: {why}", crate::model::written::shown(path))))
}

impl Files for Overlay<'_> {
    fn paths(&mut self) -> Result<Vec<String>, String> {
        let files = self.ground.repo.files(self.tree).map_err(|error| words(&error))?.files;
        let mut paths: BTreeSet<String> = files.into_iter().map(|file| file.path).collect();
        for (path, edit) in self.edits.iter() {
            if *edit == Edit::Delete {
                paths.remove(path);
            } else {
                paths.insert(path.clone());
            }
        }
        Ok(paths.into_iter().collect())
    }

    fn look(&mut self, path: &str) -> Result<Found, String> {
        checked(path)?;
        self.at(path)
    }

    fn write(&mut self, path: &str, bytes: Vec<u8>) -> Result<(), String> {
        checked(path)?;
        match self.at(path)? {
            Found::Link(_) => return Err(format!("{path}: a link is there, and links are not followed")),
            Found::Folder => return Err(format!("{path}: a folder is there")),
            Found::File(_) | Found::Nothing => {}
        }
        if let Some(above) = self.file_above(path)? {
            return Err(format!("{path}: {above} is no folder"));
        }
        let executable = match self.edits.get(path) {
            Some(Edit::Write { executable, .. } | Edit::Blob { executable, .. }) => *executable,
            Some(Edit::Link { .. } | Edit::Delete) => false,
            None => self.below(path)?.is_some_and(|entry| entry.mode & 0o111 != 0),
        };
        self.edits.insert(path.to_owned(), Edit::Write { bytes, executable });
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<(), String> {
        checked(path)?;
        match self.at(path)? {
            Found::Nothing => return Err(format!("{path}: nothing is there")),
            Found::Folder => return Err(format!("{path}: a folder is there")),
            Found::File(_) | Found::Link(_) => {}
        }
        if self.below(path)?.is_some() {
            self.edits.insert(path.to_owned(), Edit::Delete);
        } else {
            self.edits.remove(path);
        }
        Ok(())
    }
}
