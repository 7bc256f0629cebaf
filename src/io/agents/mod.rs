//! Agents: the brains that do tasks, how each is given its brief and how it is read back. Runs no process itself.

mod brief;
mod agent;
mod handoff;
mod command;
pub mod script;
pub mod codemod;
pub mod shard;

pub use agent::{Agent, AgentError, Play, Report, Stance};
pub use brief::{Brief, Desk, NamedRule};
pub use command::Command;
pub use handoff::{HANDOFF_BYTES_MAX, HandoffFault, collect};
