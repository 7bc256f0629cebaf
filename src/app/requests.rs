//! Owns how a person's request reaches a run: stored first, so that it counts whether or not a coordinator lives.

use std::str::FromStr;

use super::{AppError, Place};
use crate::actors::feed;
use crate::machine::command::Ask;
use crate::model::ids::{RequestId, RunId};

/// Stores a request and nudges the run's coordinator, where one lives.
///
/// # Errors
/// Fails where the journal cannot be written or holds no such run.
pub fn ask(place: &Place, run: &RunId, ask: &Ask) -> Result<RequestId, AppError> {
    let body = match serde_json::to_string(ask) {
        Ok(body) => body,
        Err(error) => panic!("bug: a request could not be written as JSON: {error}"),
    };
    let id = match RequestId::from_str(&format!("q-{:016x}", fastrand::u64(..))) {
        Ok(id) => id,
        Err(error) => panic!("bug: {error}"),
    };
    place.journal.send_request(run, &id, place.clock.now_ms(), &body)?;
    if let Ok(socket) = place.dir.socket(run) {
        feed::nudge(&socket);
    }
    Ok(id)
}
