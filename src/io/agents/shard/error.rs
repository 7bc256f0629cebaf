//! Owns how splitting fails.

/// Says what the deterministic planner could not do.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// A split by owner finds no owners.
    #[error(
        "split the files by owner: the base commit has no CODEOWNERS file in .github/, its root, docs/ or .gitlab/ \
         (commit one, or plan `by: folder`, `by: package` or `by: count`)"
    )]
    NoOwners,
    /// A CODEOWNERS file is larger than anything that a person writes.
    #[error("split the files by owner: `{path}` has {bytes} bytes and at most {max} are read")]
    OwnersTooLarge {
        /// The file.
        path: &'static str,
        /// Its size.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// A glob of the goal cannot be read.
    #[error("read the glob `{}` of `{list}`", glob.escape_debug())]
    Glob {
        /// Which list holds it: `owns`, `never` or `exclude`.
        list: &'static str,
        /// The glob.
        glob: String,
        /// What is wrong with it.
        #[source]
        source: Box<globset::Error>,
    },
}
