//! Owns what must hold between a state and the event that is about to follow it, whatever `decide` thought. A law that
//! is broken is a bug in artel itself. Costs as much as the event is large, never as much as the run.

mod asked;
mod broken;
mod follows;
mod landing;
mod planning;
mod seats;
mod tasks;
mod words;

pub use broken::{Broken, Law, broken, law};
pub use follows::{follows, moves_or_rests};

#[cfg(test)]
mod tests;
