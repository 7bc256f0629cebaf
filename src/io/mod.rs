//! The world: all that can fail for reasons outside this program. Chooses nothing and knows no actors.

pub mod git;
//! The world: all that can fail for outside reasons. Chooses nothing and knows no actor.

pub mod clock;
pub mod files;
pub mod journal;
//! The world: all that can fail for outside reasons. Chooses nothing and knows no actors.

pub mod process;
pub mod hands;
//! The world: all that can fail for outside reasons. Rooms here choose nothing and know no actors.

pub mod syntax;
pub mod agents;
