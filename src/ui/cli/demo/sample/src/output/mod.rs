//! Writing a book.

pub mod csv;
pub mod summary;
pub mod table;
