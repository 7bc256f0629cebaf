//! Tests artel's own loop over models: the scripted model on loopback, and everything else real.

pub mod scene;
mod tasks;
mod faults;
mod crowd;
mod parts;
mod steering;
mod resolver;
mod keyring;

pub use scene::{AGENTS, Scene, keyed};
