//! The world: all that can fail for outside reasons. Chooses nothing and knows no actors.

pub mod agents;
