//! The faces: what a person or a program touches. Holds no truth and decides nothing.

pub mod web;
pub mod cli;
pub mod tui;
