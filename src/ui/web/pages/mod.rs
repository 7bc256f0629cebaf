//! The pages: HTML made on the server from the same views as the command line's, which a script keeps up to date.

pub mod frame;
pub mod ways;
pub mod parts;
pub mod forms;
pub mod budgets;
pub mod runs;
pub mod run;
pub mod plan;
pub mod task;
pub mod diff;
pub mod inbox;
pub mod journal;
pub mod digest;

pub use ways::{router, told_as_page};
