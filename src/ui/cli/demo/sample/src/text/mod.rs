//! Reading text.

pub mod cursor;
pub mod number;
pub mod word;
