//! Owns how a run's events reach who follows it: from any number on, each once, however often the connection drops. A
//! reader takes what it can; nothing piles up for one who takes nothing.

use std::fmt::Write as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use hyper::body::{Body as Stream, Bytes, Frame};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::extract::{Path, Query};
use super::refused::Refused;
use super::site::Site;
use crate::actors::world::blocking;
use crate::app::{Cursor, Follower, Told};

/// Events that are sent in one piece.
const PIECE: usize = 256;
/// Pieces that wait for a reader.
const PIECES: usize = 2;
/// After how long without an event a reader is told that the connection stands.
const SIGN_EVERY: Duration = Duration::from_secs(15);
/// How long who asks without a stream may wait.
const WAIT_AT_MOST_S: u64 = 30;
/// Events that are given at once to who asks without a stream.
const LINES: usize = 4096;

/// Says from where on events are wanted.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    /// The number of the last event that is known.
    #[serde(default)]
    after: u64,
    /// How long to wait for news, without a stream.
    #[serde(default)]
    wait_s: u64,
    /// How many at most, without a stream.
    limit: Option<usize>,
}

/// Gives events, as a stream or as lines.
///
/// # Errors
/// Where there is no such run, or the number is none.
pub async fn events(
    State(site): State<Arc<Site>>,
    Path(run): Path<String>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let follower = site.see(&run, |site, run, _| Ok(site.followers.follow(run)?)).await?;
    let after = match headers.get("last-event-id") {
        None => wanted.after,
        Some(id) => id.to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(|| {
            let tried = format!("stream the events of {run}");
            Refused::new(axum::http::StatusCode::BAD_REQUEST, tried, "`Last-Event-ID` is no number of an event")
        })?,
    };
    let is_stream = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    if is_stream.is_some_and(|accepted| accepted.contains("text/event-stream")) {
        let (pieces, read) = mpsc::channel(PIECES);
        tokio::spawn(stream(follower, after, pieces));
        let kind = [(CONTENT_TYPE, "text/event-stream")];
        return Ok((kind, Body::new(Pieces { read })).into_response());
    }
    lines(follower, after, &wanted).await
}

async fn lines(follower: Arc<Follower>, after: u64, wanted: &Wanted) -> Result<Response, Refused> {
    let until = Instant::now() + Duration::from_secs(wanted.wait_s.min(WAIT_AT_MOST_S));
    let limit = wanted.limit.unwrap_or(LINES).clamp(1, LINES);
    let (mut cursor, mut news) = (Cursor::default(), (wanted.wait_s > 0).then(|| follower.news()));
    loop {
        let told;
        (told, cursor) = next(&follower, after, limit, cursor).await?;
        let is_waited_for = match &mut news {
            Some(news) if told.is_empty() => timeout_at(until, news.changed()).await.is_ok(),
            Some(_) | None => false,
        };
        if !is_waited_for {
            let text: String = told.iter().flat_map(|told| [&*told.json, "\n"]).collect();
            return Ok(([(CONTENT_TYPE, "application/x-ndjson")], text).into_response());
        }
    }
}

async fn next(
    follower: &Arc<Follower>,
    after: u64,
    limit: usize,
    mut cursor: Cursor,
) -> Result<(Vec<Told>, Cursor), crate::app::AppError> {
    let follower = Arc::clone(follower);
    blocking(move || follower.after(after, limit, &mut cursor).map(|told| (told, cursor))).await
}

/// Sends pieces until the reader is gone; one who takes none for too long loses the connection, and this ends with it.
async fn stream(follower: Arc<Follower>, mut after: u64, pieces: mpsc::Sender<io::Result<Bytes>>) {
    let (mut cursor, mut news) = (Cursor::default(), follower.news());
    // Said at once, so that a reader knows that it is connected.
    if pieces.send(Ok(Bytes::from_static(b"retry: 1000\n\n"))).await.is_err() {
        return;
    }
    loop {
        // Seen before what is kept is looked at, so that nothing which comes between the two is missed.
        if news.borrow_and_update().is_none() {
            // The reader comes back and is told why.
            return;
        }
        let told = match follower.kept(after, PIECE) {
            Some(told) => told,
            None => match next(&follower, after, PIECE, std::mem::take(&mut cursor)).await {
                Ok((told, at)) => {
                    cursor = at;
                    told
                }
                Err(_) => return,
            },
        };
        let piece = match told.last() {
            Some(last) => {
                after = last.seq;
                piece(&told)
            }
            None => tokio::select! {
                _ = news.changed() => continue,
                () = pieces.closed() => return,
                () = tokio::time::sleep(SIGN_EVERY) => Bytes::from_static(b": nothing new\n\n"),
            },
        };
        if pieces.send(Ok(piece)).await.is_err() {
            return;
        }
    }
}

/// Writes events down, one after the other; JSON has no line's end in it.
fn piece(told: &[Told]) -> Bytes {
    let mut text = String::with_capacity(told.iter().map(|told| told.json.len() + 32).sum());
    for Told { seq, json } in told {
        // Nothing fails in memory.
        let _ = write!(text, "id: {seq}\ndata: {json}\n\n");
    }
    text.into()
}

/// Hands pieces to a connection, until there are no more or one could not be read.
pub struct Pieces {
    /// Where they come from.
    pub read: mpsc::Receiver<io::Result<Bytes>>,
}

impl Stream for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.read.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
