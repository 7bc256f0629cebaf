//! Owns what programs and pages are told of one attempt beside its task: what it printed, also while it prints, and what
//! its candidate changes. Changes nothing.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::Deserialize;

use super::extract::{Path, Query};
use super::reads::named;
use super::refused::Refused;
use super::site::Site;
use crate::app::Follower;
use crate::machine::state::Attempt;
use crate::model::ids::{AttemptId, RunId};
use crate::model::inert::inert_lines;

/// Bytes at the end of what an attempt printed that are shown.
const PRINTED_BYTES: u64 = 256 << 10;
/// Bytes that are told at once of what an attempt prints.
const PIECE_BYTES: u64 = 64 << 10;
/// Names the header that says from where on there is more.
const NEXT: HeaderName = HeaderName::from_static("artel-next");

const TEXT: (HeaderName, &str) = (CONTENT_TYPE, "text/plain; charset=utf-8");

/// Says from where on a text is wanted.
#[derive(Debug, Deserialize)]
pub struct From {
    from: Option<u64>,
}

/// Shows the end of what an attempt printed, or what it printed from a place on; inert.
///
/// # Errors
/// Where there is no such run or attempt, or it has printed nothing.
pub async fn printed(
    State(site): State<Arc<Site>>,
    Path((run, attempt)): Path<(String, String)>,
    Query(From { from }): Query<From>,
) -> Result<impl IntoResponse, Refused> {
    let id: AttemptId = named(&attempt)?;
    let read = move |site: &Site, run: &RunId, _: &Follower| {
        let nothing = || Refused::missing(format!("show what {id} printed"), "nothing is kept of it");
        let (text, next) = match from {
            None => (site.place.printed(run, id, PRINTED_BYTES).ok_or_else(nothing)?.0, None),
            Some(from) => {
                let (text, next) = site.place.printed_from(run, id, from, PIECE_BYTES).ok_or_else(nothing)?;
                (text, Some(next))
            }
        };
        Ok((inert_lines(&text), next))
    };
    let (text, next) = site.see(&run, read).await?;
    let next = next.map(|next| [(NEXT, next.to_string())]);
    Ok((next.map(axum::response::AppendHeaders), [TEXT], text))
}

/// Gives what an attempt's candidate changes.
///
/// # Errors
/// Where there is no such attempt, or it left no candidate.
pub async fn patch(site: &Arc<Site>, run: &str, id: AttemptId) -> Result<String, Refused> {
    let patch = site.see(run, move |site, _, follower| {
        let state = follower.see(|loaded, _| loaded.state.clone());
        Ok(site.place.patch_of(&state, state.attempt(id).and_then(Attempt::candidate))?)
    });
    patch.await?.ok_or_else(|| Refused::missing(format!("show the diff of {id}"), "it has left no candidate"))
}

/// Shows what an attempt's candidate changes, as it is.
///
/// # Errors
/// As [`patch`].
pub async fn diff(
    State(site): State<Arc<Site>>,
    Path((run, attempt)): Path<(String, String)>,
) -> Result<impl IntoResponse, Refused> {
    let id = named(&attempt)?;
    Ok(([TEXT], patch(&site, &run, id).await?))
}
