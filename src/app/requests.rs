//! Owns how a person's request reaches a run: stored first, so that it counts whether or not a coordinator lives.

use std::str::FromStr;

use super::{AppError, Place, tell_server};
use crate::actors::feed;
use crate::io::journal::Sent;
use crate::machine::command::{Ask, Command};
use crate::machine::decide::decide;
use crate::machine::event::Event;
use crate::machine::state::State;
use crate::model::ids::{RequestId, RunId};

/// Says what became of a request whose name its sender chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It was stored.
    New,
    /// The same had been stored before.
    Again,
    /// Another one of that name had been stored before, and stands.
    Other,
}

/// Stores a request and nudges the run's coordinator, where one lives, or the server, where one could host the run.
///
/// # Errors
/// Fails where the journal cannot be written or holds no such run.
pub fn ask(place: &Place, run: &RunId, ask: &Ask) -> Result<RequestId, AppError> {
    let id = match RequestId::from_str(&format!("q-{:016x}", fastrand::u64(..))) {
        Ok(id) => id,
        Err(error) => panic!("bug: {error}"),
    };
    ask_as(place, run, &id, ask)?;
    Ok(id)
}

/// Does as [`ask()`] for a request whose name its sender chose, so that it may be sent any number of times.
///
/// # Errors
/// As [`ask()`].
pub fn ask_as(place: &Place, run: &RunId, id: &RequestId, ask: &Ask) -> Result<Put, AppError> {
    let body = match serde_json::to_string(ask) {
        Ok(body) => body,
        Err(error) => panic!("bug: a request could not be written as JSON: {error}"),
    };
    let put = match place.journal.send_request(run, id, place.clock.now_ms(), &body)? {
        Sent::New => Put::New,
        Sent::Already => {
            let stored = place.journal.requests(run, 0)?.into_iter().find(|row| row.id == *id);
            if stored.is_some_and(|row| row.body == body) { Put::Again } else { Put::Other }
        }
    };
    if let Ok(socket) = place.dir.socket(run) {
        feed::nudge(&socket);
    }
    tell_server(place, run);
    Ok(put)
}

/// Tells why the law would refuse a request as the run stands.
pub fn refusal(state: &State, ask: &Ask) -> Option<String> {
    let id: RequestId = "dry".parse().ok()?;
    let events = decide(state, &Command::Request { id, ask: ask.clone() }, state.last_ms);
    match events {
        Err(rejection) => Some(rejection.to_string()),
        Ok(events) => events
            .into_iter()
            .find_map(|event| if let Event::RequestRefused { why, .. } = event { Some(why) } else { None }),
    }
}
