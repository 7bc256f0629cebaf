//! The world: all that can fail for outside reasons. Rooms here choose nothing and know no actors.

pub mod syntax;
pub mod agents;
