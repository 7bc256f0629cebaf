//! The digest: what a run, or a stretch of it, came to, on one page. Every claim carries the number of the event that it
//! rests on. Text of agents and repositories stays as it was written but in the story, which is inert already.

pub mod page;
pub mod lay;
mod teller;
mod hot;
mod story;
#[cfg(test)]
mod tests;

pub use page::Digest;
pub use teller::{Teller, Window};
