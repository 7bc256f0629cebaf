//! A ledger of a few lines: read from text, added up, written out.

#[macro_use]
mod macros;
pub mod error;
pub mod ledger;
pub mod output;
pub mod text;

pub use error::{Error, Result};
