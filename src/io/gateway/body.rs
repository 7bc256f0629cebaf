//! Owns the bodies on the client's side: those of requests, which are read whole and bounded, and those of answers,
//! which pass chunk by chunk. Never reads what is in them.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal::Refusal;
use super::relay::Passage;

/// Counts memory for bodies in KiB.
const KIB: usize = 1 << 10;
/// Least memory that a body takes, unless no body may be so large.
const STEP: usize = 64 * KIB;

/// Says that an answer broke off, so that its client does not take it for whole.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off")]
pub(super) struct Broken;

/// Holds an answer's body.
#[derive(Debug)]
pub(super) enum Answer {
    /// All of it.
    Whole(Option<Bytes>),
    /// What comes of it.
    Passing(Passage),
}

impl Answer {
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Some(bytes.into()).filter(|bytes| !bytes.is_empty()))
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Passing(passage) => {
                passage.poll_chunk(context).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Passing(_) => SizeHint::default(),
        }
    }
}

/// Holds a request's body and the memory that is counted for it.
#[derive(Debug)]
pub(super) struct Collected {
    pub(super) bytes: Bytes,
    _memory: Vec<OwnedSemaphorePermit>,
}

/// Makes the count of the memory that the bodies of a session may take together.
pub(super) fn memory(bytes: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(bytes.div_ceil(KIB)))
}

/// Reads a request's body.
///
/// # Errors
/// Refuses one that is larger than may be, also beside the others that are being read, or that breaks off.
pub(super) async fn collect(mut body: Incoming, most: usize, memory: &Arc<Semaphore>) -> Result<Collected, Refusal> {
    let too_large = || Refusal::Stray { status: 413, what: format!("the body is larger than {most} bytes") };
    let told = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if told > most {
        return Err(too_large());
    }
    let mut permits = Vec::new();
    let mut counted = 0;
    let mut bytes = Vec::new();
    while let Some(frame) = next(&mut body).await {
        let Ok(frame) = frame else { return Err(Refusal::bad("the body broke off")) };
        let Ok(chunk) = frame.into_data() else { continue };
        if bytes.len() + chunk.len() > most {
            return Err(too_large());
        }
        if bytes.len() + chunk.len() > counted {
            let needed = bytes.len() + chunk.len() - counted;
            let more = needed.max(told.saturating_sub(counted)).max(counted).max(STEP).min(most - counted);
            let permit =
                Arc::clone(memory).try_acquire_many_owned(u32::try_from(more.div_ceil(KIB)).unwrap_or(u32::MAX));
            let full = || Refusal::Stray { status: 503, what: "too many large requests at one time".to_owned() };
            permits.push(permit.map_err(|_| full())?);
            counted += more;
            bytes.reserve_exact(counted - bytes.len());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Collected { bytes: bytes.into(), _memory: permits })
}

async fn next(body: &mut Incoming) -> Option<Result<Frame<Bytes>, hyper::Error>> {
    std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await
}

/// Is what a service that always answers fails with.
pub(super) type Never = Infallible;
