//! Owns how a person's request reaches a run: stored first, so that it counts whether or not a coordinator lives.

use std::str::FromStr;
use std::time::Duration;

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

/// Waits until a live coordinator has answered a request; nothing where it does not within the time.
///
/// # Errors
/// As reading the journal.
pub async fn await_answer(
    place: &Place,
    run: &RunId,
    id: &RequestId,
    most: Duration,
) -> Result<Option<Result<(), String>>, AppError> {
    let deadline = tokio::time::Instant::now() + most;
    loop {
        let state = place.load(run)?;
        if let Some(answer) = state.answered.get(id) {
            return Ok(Some(answer.clone()));
        }
        if tokio::time::Instant::now() >= deadline {
            return Ok(None);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
