//! The command line: one file a verb, and what verbs share.

pub mod diagnostics;
pub mod init;
pub mod schema;
pub mod demo;
