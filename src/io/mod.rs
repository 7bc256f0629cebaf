//! The world: all that can fail for reasons outside this program. Chooses nothing and knows no actors.

pub mod git;
