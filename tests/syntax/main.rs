//! The codemod engine against the ast-grep command line, on written cases and on real trees.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod ast_grep;
mod engine;
mod packages;
mod fixtures;
mod hazards;
mod migrations;
