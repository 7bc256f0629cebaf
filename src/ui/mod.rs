//! The faces: what a person touches. Holds no truth, decides nothing.

pub mod cli;
