//! Owns what programs and pages are told of one attempt beside its task: what it printed, also while it prints, what its
//! candidate changes, and what sessions wrote, byte for byte. Changes nothing.

use std::io::{self, Read};
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::IntoResponse;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::events::Pieces;
use super::extract::{Path, Query};
use super::reads::{Told, named};
use super::refused::Refused;
use super::site::Site;
use crate::actors::world::blocking;
use crate::app::{Follower, agent_of};
use crate::machine::state::Attempt;
use crate::model::ids::{AttemptId, RunId};
use crate::model::inert::inert_lines;

/// Bytes at the end of what an attempt printed that are shown.
const PRINTED_BYTES: u64 = 256 << 10;
/// Bytes that are told at once of what an attempt prints.
const PIECE_BYTES: u64 = 64 << 10;
/// Transcripts that are read at one time.
pub const TRANSCRIPTS: usize = 32;
/// Names the header that says from where on there is more.
const NEXT: HeaderName = HeaderName::from_static("artel-next");

const TEXT: (HeaderName, &str) = (CONTENT_TYPE, "text/plain; charset=utf-8");

/// Says from where on a text is wanted.
#[derive(Debug, Deserialize)]
pub struct From {
    from: Option<u64>,
}

/// Shows the end of what an attempt printed, or what it printed from a place on; inert, and the stream of an agent as it is
/// told to people.
///
/// # Errors
/// Where there is no such run or attempt, or it has printed nothing.
pub async fn printed(
    State(site): State<Arc<Site>>,
    Path((run, attempt)): Path<(String, String)>,
    Query(From { from }): Query<From>,
) -> Result<impl IntoResponse, Refused> {
    let id: AttemptId = named(&attempt)?;
    let read = move |site: &Site, run: &RunId, follower: &Follower| {
        let of = (id, follower.see(|loaded, _| agent_of(&loaded.state, id)));
        let nothing = || Refused::missing(format!("show what {id} printed"), "nothing is kept of it");
        let (text, next) = match from {
            None => (site.place.printed(run, of, PRINTED_BYTES).ok_or_else(nothing)?.text, None),
            Some(from) => {
                let (text, next) = site.place.printed_from(run, of, from, PIECE_BYTES).ok_or_else(nothing)?;
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

/// Names the header that says up to which byte the journal tells what a transcript holds.
const NOTED: HeaderName = HeaderName::from_static("artel-noted");
/// Names the header that says what is wrong with a transcript, by the journal.
const FLAW: HeaderName = HeaderName::from_static("artel-flaw");

/// Lists what a run's sessions wrote, by name.
///
/// # Errors
/// Where there is no such run.
pub async fn transcripts(State(site): State<Arc<Site>>, Path(run): Path<String>) -> Told<Vec<String>> {
    let run = site.find(&run).await?;
    Ok(Json(blocking(move || site.place.transcripts(&run)).await))
}

/// Gives what a session wrote, byte for byte, and in its headers what the journal says of it.
///
/// # Errors
/// Where there is no such run or transcript, it cannot be read, or too many are being read.
pub async fn transcript(
    State(site): State<Arc<Site>>,
    Path((run, name)): Path<(String, String)>,
) -> Result<impl IntoResponse, Refused> {
    let tried = format!("read the transcript `{name}`");
    let turn = Arc::clone(&site.transcripts).try_acquire_owned().map_err(|_| {
        let why = format!("{TRANSCRIPTS} transcripts are being read; wait until one of them is");
        Refused::new(StatusCode::TOO_MANY_REQUESTS, tried, why)
    })?;
    let run = site.find(&run).await?;
    let missing =
        Refused::missing(format!("find the transcript `{name}`"), format!("run {run} has no such transcript"));
    let asked = name.clone();
    let found = blocking(move || site.place.transcript(&run, &asked)).await?.ok_or(missing)?;
    let (pieces, read) = mpsc::channel(1);
    tokio::spawn(async move {
        send(found.from, &pieces).await;
        drop(turn);
    });
    let flaw = found.flaw.map(|flaw| [(FLAW, plain(&flaw))]);
    // A browser keeps it as a file: nothing of it is shown, and nothing done.
    let heads = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.log\"")),
        (NOTED, found.noted.to_string()),
    ];
    Ok((heads, flaw.map(axum::response::AppendHeaders), Body::new(Pieces { read })))
}

/// Sends all that is read until the reader is gone; one that takes nothing for too long loses the connection. While a
/// piece waits for its reader, no thread does.
async fn send(mut from: Box<dyn Read + Send>, pieces: &mpsc::Sender<io::Result<Bytes>>) {
    loop {
        let piece;
        (piece, from) = blocking(move || (next(&mut from), from)).await;
        let Some(piece) = piece else { return };
        let is_last = piece.is_err();
        if pieces.send(piece).await.is_err() || is_last {
            return;
        }
    }
}

/// Reads a piece; nothing where there is no more.
fn next(from: &mut impl Read) -> Option<io::Result<Bytes>> {
    let mut piece = Vec::new();
    match from.take(PIECE_BYTES).read_to_end(&mut piece) {
        Ok(0) => None,
        Ok(_) => Some(Ok(piece.into())),
        Err(error) => Some(Err(error)),
    }
}

/// Writes a text in the characters that a header may hold.
fn plain(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_graphic() || c == ' ';
    text.chars().map(|c| if is_plain(c) { c.to_string() } else { c.escape_unicode().to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_that_nobody_takes_in_holds_up_no_thread() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.max_blocking_threads(1).build().unwrap().block_on(async {
            let (pieces, mut read) = mpsc::channel(1);
            let sent = tokio::spawn(async move { send(Box::new(io::repeat(7)), &pieces).await });
            let piece = read.recv().await.unwrap().unwrap();
            assert_eq!((piece.len() as u64, piece[0]), (PIECE_BYTES, 7));
            // The next one is in the channel and one more waits for it.
            while read.is_empty() {
                tokio::task::yield_now().await;
            }
            for number in 0..9 {
                assert_eq!(blocking(move || number).await, number);
            }
            drop(read);
            sent.await.unwrap();
        });
    }

    #[tokio::test]
    async fn a_transcript_is_sent_whole_and_what_cannot_be_read_ends_it() {
        struct Bad;
        impl Read for Bad {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::InvalidData.into())
            }
        }
        let whole = vec![1; PIECE_BYTES as usize + 1];
        let from = io::Cursor::new(whole.clone()).chain(Bad);
        let (pieces, mut read) = mpsc::channel(9);
        send(Box::new(from), &pieces).await;
        drop(pieces);
        let mut came = Vec::new();
        let mut fault = None;
        while let Some(piece) = read.recv().await {
            match piece {
                Ok(piece) => came.extend_from_slice(&piece),
                Err(error) => fault = Some(error.kind()),
            }
        }
        // Nothing of a piece is told that did not come to its end.
        assert_eq!((came.len() as u64, fault), (PIECE_BYTES, Some(io::ErrorKind::InvalidData)));
    }
}
