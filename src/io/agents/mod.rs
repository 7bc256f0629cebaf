//! The brains: what does a task's work in a worktree. None of them moves a ref.

pub mod codemod;
