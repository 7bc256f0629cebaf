//! Tools: what artel lets a model call while its session runs, whoever leads the session. Knows no attempt, and does
//! nothing that a toolbox does not do.

mod toolbox;

pub use toolbox::{Joined, Pending, Tool, Toolbox};
