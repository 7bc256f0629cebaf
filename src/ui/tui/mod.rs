//! The live view on a terminal: the board as it moves, and keys by which a person has a say. Reads boards and gives back
//! what was wished for; never reads a journal and never asks anything itself.

mod subject;
mod sheet;
mod view;
mod draw;
mod input;
mod screen;
mod face;

pub use face::Face;
pub use input::{Heard, Input};
pub use screen::{can_take, give_back};
pub use view::{Stance, Wish};
#[cfg(test)]
pub(crate) mod tests;
