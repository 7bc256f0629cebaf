//! The deterministic planner's brain: which files, split how, in which order, as which tasks. Pure: text in, values
//! out; it never reads a file, and never says when something is emitted.

mod candidates;
mod split;
mod owners;
mod folders;
mod packages;
mod manifest;
mod ordering;
mod scopes;
mod chunks;
mod error;

pub use candidates::{Wanted, candidates};
pub use chunks::{Chunker, Terms, in_work_order, tasks};
pub use error::ShardError;
pub use folders::split_further;
pub use ordering::waits;
pub use scopes::{group_of_scope, scopes};
pub use split::{Group, Groups, split};

#[cfg(test)]
mod laws;
