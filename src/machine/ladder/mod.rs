//! The mechanical judge's ladder: pure rules over evidence that the judge gathered. Each rule can only veto, and
//! says on what a worker can act.

mod evidence;
mod scope;
mod ratchet;
mod form;

pub use evidence::{Changed, Evidence, Explained, Facts, Kind, Mode, Refused};
pub use form::{Author, form};
pub use ratchet::{Protection, ratchet};
pub use scope::{Bounds, scope};
