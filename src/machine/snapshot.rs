//! Owns the form in which a state is kept, so as not to fold all events again. It is no truth: other laws, or another
//! form of the state, make another snapshot.

use sha2::{Digest, Sha256};

use super::state::State;

/// Names the laws that make a state of events; what other laws made is no snapshot.
pub const FORM: &str = env!("ARTEL_LAWS");

/// Writes a state, or whatever holds one.
///
/// # Errors
/// Where a value cannot be written in this form.
pub fn write<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, postcard::Error> {
    write_after(Vec::new(), value)
}

/// Writes a value after what was written before.
///
/// # Errors
/// As [`write()`].
pub fn write_after<T: serde::Serialize>(bytes: Vec<u8>, value: &T) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_extend(value, bytes)
}

/// Reads what [`write()`] wrote; nothing where it is anything else.
pub fn read<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    let (value, rest) = read_first(bytes)?;
    rest.is_empty().then_some(value)
}

/// Reads what [`write()`] wrote first of these bytes, and gives those after it.
pub fn read_first<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Option<(T, &'a [u8])> {
    postcard::take_from_bytes(bytes).ok()
}

/// Stands for a state: one that differs in anything has another.
///
/// # Panics
/// Panics where the state cannot be written, which none of artel's may be.
pub fn digest(state: &State) -> [u8; 32] {
    match write(state) {
        Ok(bytes) => Sha256::digest(bytes).into(),
        Err(error) => panic!("bug: a state could not be written: {error}"),
    }
}

/// Writes and reads what is shared as if it were not.
pub(super) mod opening {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::machine::command::Opening;

    pub(in crate::machine) fn serialize<S: Serializer>(
        opening: &Option<Arc<Opening>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        opening.as_deref().serialize(to)
    }

    pub(in crate::machine) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Arc<Opening>>, D::Error> {
        Ok(Option::<Opening>::deserialize(from)?.map(Arc::new))
    }
}
