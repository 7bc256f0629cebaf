//! The ledger.

pub mod book;
pub mod entry;
pub mod total;
