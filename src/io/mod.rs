//! The world: all that can fail for outside reasons. Never chooses, knows no actors.

pub mod roles;
