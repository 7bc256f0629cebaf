//! Transcripts: what sessions wrote, kept beside the journal, which holds their hashes. Never reads what they mean.

mod shelf;
mod seal;
mod audit;
mod times;

pub use audit::{Flaw, Noted, audit};
pub use seal::{Mark, Seal};
pub use shelf::{Shelf, is_record};
pub use times::{Stamps, Times};
