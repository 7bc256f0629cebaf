//! All git: reading a repository, candidates, merges in memory, refs, pooled worktrees, delivery.
//! Never decides what lands, and never touches the user's checkout, index, config, hooks or branches but in `deliver`.
//!
//! Everything here is synchronous and may take long: callers use a blocking thread.

mod error;
mod repo;
mod base;
mod objects;
mod diff;
mod path_law;
mod tree_edit;
mod commit;
mod merge;
mod packs;
mod chain;
mod oracle;
mod revert;
mod durable;
mod refs;
mod anchor;
mod signature;
mod survey;
mod locks;
mod admin;
mod rules;
mod record;
mod clean;
mod checkout;
mod snapshot;
mod walk;
mod inside;
mod pool;
mod glance;
mod own_git;
mod programs;
mod deliver;
mod doctor;
#[cfg(test)]
mod testing;

pub use base::Base;
pub use commit::{Author, Edit, Made};
pub use deliver::{Delivered, DeliveredKind, Forward};
pub use diff::{Change, ChangeKind, Side};
pub use doctor::{Facts, git_version};
pub use error::GitError;
pub use glance::Glance;
pub use inside::Stands;
pub use locks::Lock;
pub use merge::{Member, Merge};
pub use objects::{FileEntry, Files, OddEntry};
pub use own_git::OwnGit;
pub use path_law::why_refused;
pub use pool::{Pool, Tree};
pub use refs::{RefNames, Swap};
pub use repo::Repo;
pub use signature::KeyNamed;
pub use snapshot::{Limits, Refused, Snapshot};
pub use survey::{Named, Survey};
pub use walk::remove_any;
