//! Owns the shape of a law: it holds, or says what would be untrue and where it stands in the source.

use std::panic::Location;

/// Holds, or says which law is broken.
pub type Law = Result<(), Broken>;

/// States that a law is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} ({at})")]
pub struct Broken {
    /// Where the law stands; it is what tells one law from another.
    pub at: &'static Location<'static>,
    /// What would be untrue.
    pub what: String,
}

/// Holds a law.
///
/// # Errors
/// Fails where the law does not hold.
#[track_caller]
pub fn law(holds: bool, what: impl FnOnce() -> String) -> Law {
    if holds { Ok(()) } else { Err(broken(what())) }
}

/// Says that a law is broken where this is called.
#[track_caller]
pub fn broken(what: impl Into<String>) -> Broken {
    Broken { at: Location::caller(), what: what.into() }
}
