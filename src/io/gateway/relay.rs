//! Owns the passing of an answer: each chunk is read by the meter when its client takes it, in the client's own task, and
//! the exchange has the count back whatever becomes of the client. Never holds a chunk back.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hyper::body::{Body, Bytes};
use tokio::sync::Notify;
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

/// Holds what is left of an answer, and what was told of it until here.
#[derive(Debug)]
pub(super) struct Flow {
    from: reqwest::Body,
    pub(super) meter: Meter,
    /// Bytes that were read.
    pub(super) passed: u64,
}

impl Flow {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, End>> {
        loop {
            let chunk = match std::task::ready!(Pin::new(&mut self.from).poll_frame(context)) {
                Some(Ok(frame)) => frame.into_data(),
                Some(Err(_)) => return Poll::Ready(Err(End::Broken)),
                None => return Poll::Ready(Err(End::Whole)),
            };
            // Trailers are of the hop.
            let Ok(chunk) = chunk else { continue };
            self.passed += chunk.len() as u64;
            self.meter.feed(&chunk);
            return Poll::Ready(Ok(chunk));
        }
    }

    /// Reads what follows an answer that nobody waits for; tells whether all of it came.
    async fn rest(&mut self) -> bool {
        let read = async {
            loop {
                if let Err(end) = std::future::poll_fn(|context| self.poll(context)).await {
                    return end == End::Whole;
                }
            }
        };
        timeout(LAST_COUNT, read).await.unwrap_or(false)
    }
}

/// Joins the one who passes an answer on with the client who takes it.
#[derive(Debug)]
pub(super) struct Relay {
    stage: Mutex<Stage>,
    ended: Notify,
}

#[derive(Debug)]
struct Stage {
    /// None where it was taken back.
    flow: Option<Flow>,
    end: Option<End>,
    /// Wakes the client that waits for a chunk.
    client: Option<Waker>,
}

impl Relay {
    pub(super) fn new(from: reqwest::Body, meter: Meter) -> Arc<Self> {
        let stage = Stage { flow: Some(Flow { from, meter, passed: 0 }), end: None, client: None };
        Arc::new(Self { stage: Mutex::new(stage), ended: Notify::new() })
    }

    /// Gives the end of the client.
    pub(super) fn passage(self: &Arc<Self>) -> Passage {
        Passage(Arc::clone(self))
    }

    /// Waits until the answer has ended, or breaks it off with its session; gives what it came to.
    pub(super) async fn ended(&self, session: &Inner) -> Option<(End, Flow)> {
        tokio::select! {
            () = self.ended.notified() => {}
            () = session.closing() => self.end(End::Unwanted),
        }
        let (end, flow) = {
            let mut stage = self.stage();
            (stage.end?, stage.flow.take())
        };
        let mut flow = flow?;
        // Who has the whole answer often leaves before the count that follows it; nothing more is written for that.
        let is_whole = end == End::Unwanted && flow.meter.told().stopped && flow.rest().await;
        Some((if is_whole { End::Whole } else { end }, flow))
    }

    /// Ends the passing, unless it has ended already.
    fn end(&self, end: End) {
        let mut stage = self.stage();
        if stage.end.is_some() {
            return;
        }
        stage.end = Some(end);
        self.ended.notify_one();
        // It may wait for a chunk, and is to see that there is none.
        if let Some(client) = stage.client.take() {
            client.wake();
        }
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        // The stage is whole after each statement that changes it.
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives an answer to its client; what was not taken when it is dropped is not wanted.
#[derive(Debug)]
pub(super) struct Passage(Arc<Relay>);

impl Passage {
    /// Takes the next chunk: nothing after the last, and an error where the answer broke off.
    pub(super) fn poll_chunk(&self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let mut stage = self.0.stage();
        let Stage { flow: Some(flow), end: None, client } = &mut *stage else {
            return Poll::Ready((stage.end != Some(End::Whole)).then_some(Err(Broken)));
        };
        match flow.poll(context) {
            Poll::Pending => {
                if !client.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                    *client = Some(context.waker().clone());
                }
                Poll::Pending
            }
            Poll::Ready(Ok(chunk)) => Poll::Ready(Some(Ok(chunk))),
            Poll::Ready(Err(end)) => {
                stage.end = Some(end);
                self.0.ended.notify_one();
                Poll::Ready((end != End::Whole).then_some(Err(Broken)))
            }
        }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.0.end(End::Unwanted);
    }
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
