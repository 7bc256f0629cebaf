//! The faces: what a person or a program touches. Holds no truth and decides nothing.
//! The faces: what a person touches. Holds no truth, decides nothing.

pub mod cli;
