//! Owns the passing of an answer: each chunk read by the meter and handed on as it comes. Never holds one back.

use std::time::Duration;

use hyper::body::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::body::Broken;
use super::session::Inner;
use super::usage::Meter;

/// How long the last count is waited for when the model has said all and its client has left.
const LAST_COUNT: Duration = Duration::from_secs(5);

/// Says how the passing of an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The provider's answer is whole.
    Whole,
    /// The provider broke off.
    Broken,
    /// Nobody wants the rest.
    Unwanted,
}

/// Passes an answer on until it ends; gives its bytes too.
pub(super) async fn relay(
    session: &Inner,
    mut from: reqwest::Response,
    to: mpsc::Sender<Result<Bytes, Broken>>,
    meter: &mut Meter,
) -> (End, u64) {
    // A place is kept for the word that the answer broke off: without it the client takes what it has for all.
    let last = to.clone().try_reserve_owned().ok();
    let (mut end, mut passed) = chunks(session, &mut from, &to, meter).await;
    // Who has the whole answer often leaves before the count that follows it; nothing more is written for that.
    if end == End::Unwanted && meter.told().stopped {
        let (whole, more) = rest(&mut from, meter).await;
        passed += more;
        end = if whole { End::Whole } else { end };
    }
    if end != End::Whole
        && let Some(last) = last
    {
        last.send(Err(Broken));
    }
    (end, passed)
}

async fn chunks(
    session: &Inner,
    from: &mut reqwest::Response,
    to: &mpsc::Sender<Result<Bytes, Broken>>,
    meter: &mut Meter,
) -> (End, u64) {
    let mut passed = 0;
    let mut closing = std::pin::pin!(session.closing());
    loop {
        let chunk = tokio::select! {
            chunk = from.chunk() => chunk,
            () = to.closed() => return (End::Unwanted, passed),
            () = &mut closing => return (End::Unwanted, passed),
        };
        let chunk = match chunk {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return (End::Whole, passed),
            Err(_) => return (End::Broken, passed),
        };
        passed += chunk.len() as u64;
        meter.feed(&chunk);
        tokio::select! {
            sent = to.send(Ok(chunk)) => if sent.is_err() {
                return (End::Unwanted, passed);
            },
            () = &mut closing => return (End::Unwanted, passed),
        }
    }
}

/// Reads what follows an answer that nobody waits for; tells whether all of it came, and how many bytes.
async fn rest(from: &mut reqwest::Response, meter: &mut Meter) -> (bool, u64) {
    let mut passed = 0;
    let read = async {
        loop {
            match from.chunk().await {
                Ok(Some(chunk)) => {
                    passed += chunk.len() as u64;
                    meter.feed(&chunk);
                }
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    };
    let whole = timeout(LAST_COUNT, read).await.unwrap_or(false);
    (whole, passed)
}

/// Reads an error's body, as far as it is short enough; nothing where nobody wants it any longer.
pub(super) async fn error_body(session: &Inner, mut from: reqwest::Response) -> Option<Vec<u8>> {
    const ERROR_BYTES: usize = 1 << 20;
    let mut bytes = Vec::new();
    let mut closing = std::pin::pin!(session.closing());
    loop {
        let chunk = tokio::select! {
            chunk = from.chunk() => chunk,
            () = &mut closing => return None,
        };
        match chunk {
            Ok(Some(chunk)) => {
                let room = ERROR_BYTES - bytes.len();
                bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if bytes.len() == ERROR_BYTES {
                    return Some(bytes);
                }
            }
            Ok(None) | Err(_) => return Some(bytes),
        }
    }
}
