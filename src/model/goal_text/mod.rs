//! The written form of a goal: Markdown with YAML front matter, read into a [`Goal`](super::goal::Goal) or into the
//! list of all its faults. Never opens a file.

mod read;
mod front;
mod conditions;
mod parts;
mod gates;
mod written;
mod draft;

pub(super) use conditions::checks;
pub(super) use draft::quoted;
pub use draft::{Draft, draft};
pub use front::split;
pub(super) use parts::{BOUNDS, BUDGET, budget};
pub use read::{known_fields, read, rule_files};
pub use written::{WrittenBudget, WrittenGoal};

pub use super::written::Fault;
