//! Agents: the brains that do tasks and plans. Runs no process itself.

pub mod shard;
