//! Tools: what artel lets a model call while its session runs, whoever leads the session. Knows no attempt, and does
//! nothing that a toolbox does not do.

mod toolbox;
mod arguments;
mod files;
mod search;
mod links;
mod map;
mod server;

pub use arguments::{arguments, schema_of};
pub use files::{Files, Listed};
pub use map::{MapQuery, Outlines, repo_map};
pub use search::{Query, search};
pub use server::{REQUEST_BYTES_MAX, Server, TooMany};
pub use toolbox::{Joined, Pending, Tool, Toolbox};
