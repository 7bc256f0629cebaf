//! Owns the port to the files that tools look through. Never says whether they are a tree's of git or a folder's.

use crate::model::ids::Oid;

/// Names one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its path from the root, with `/`.
    pub path: String,
    /// What it holds, where that has a name.
    pub blob: Option<Oid>,
}

/// Lets tools look through files. All of it may take long: callers use a blocking thread.
pub trait Files {
    /// Lists all files, sorted by path.
    ///
    /// # Errors
    /// Says why there is nothing to look through.
    fn list(&self) -> Result<Vec<Listed>, String>;

    /// Reads a file of at most as many bytes; nothing where there is none, or none that can be read.
    fn read(&self, file: &Listed, most: u64) -> Option<Vec<u8>>;
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// Holds files in memory.
    pub(in crate::io::tools) struct Few(pub(in crate::io::tools) Vec<(&'static str, &'static [u8])>);

    impl Files for Few {
        fn list(&self) -> Result<Vec<Listed>, String> {
            Ok(self.0.iter().map(|(path, _)| Listed { path: (*path).to_owned(), blob: None }).collect())
        }

        fn read(&self, file: &Listed, most: u64) -> Option<Vec<u8>> {
            let (_, bytes) = self.0.iter().find(|(path, _)| *path == file.path)?;
            (bytes.len() as u64 <= most).then(|| bytes.to_vec())
        }
    }
}
