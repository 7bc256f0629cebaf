//! Owns that what was asked under a key is done once, whether or not who asked for it still waits: who asks the same again
//! under it gets the first answer. Knows the latest keys alone, and forgets them with the process; requests of runs are kept
//! in the journal instead.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Mutex, PoisonError};

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use tokio::sync::watch;

use super::reads::{Any, Told};
use super::refused::Refused;
use super::writes::key;

/// Keys that are remembered; the oldest of which something came goes first.
const KEYS: usize = 256;

/// Remembers what was done under which key.
#[derive(Default)]
pub struct Once {
    held: Mutex<VecDeque<Asked>>,
}

/// What came of what was asked; nothing while it is done.
type Outcome = watch::Receiver<Option<Result<Any, Refused>>>;

/// What was asked under a key, and what came of it.
struct Asked {
    key: String,
    what: String,
    outcome: Outcome,
}

impl Asked {
    fn is_being_done(&self) -> bool {
        self.outcome.borrow().is_none() && self.outcome.has_changed().is_ok()
    }

    fn is_done(&self) -> bool {
        matches!(*self.outcome.borrow(), Some(Ok(_)))
    }
}

impl Once {
    /// Does something, or tells what came of it when it was done under the same key; `what` says what is asked. What was
    /// refused is done when it is asked again. What is done under a key goes on when whoever asked for it goes away.
    ///
    /// # Errors
    /// What the work itself fails with, and where the key stands for something else or too much is being done.
    pub async fn done<T: Serialize>(
        &self,
        headers: &HeaderMap,
        what: (&str, &impl Serialize),
        work: impl Future<Output = Result<T, Refused>> + Send + 'static,
    ) -> Told<Any> {
        let tried = what.0.to_owned();
        let broken = |tried: String, why: String| Refused::new(StatusCode::INTERNAL_SERVER_ERROR, tried, why);
        let written = {
            let tried = tried.clone();
            async move { serde_json::to_value(work.await?).map_err(|error| broken(tried, error.to_string())) }
        };
        let Some(key) = key(headers)? else { return Ok(Json(written.await?)) };
        let asked = format!("{tried} {}", serde_json::to_string(what.1).unwrap_or_default());
        let mut outcome = self.outcome(&tried, (key, asked), written)?;
        let told = outcome.wait_for(Option::is_some).await.ok().and_then(|told| told.clone());
        told.unwrap_or_else(|| Err(broken(tried, "it broke off".to_owned()))).map(Json)
    }

    /// Gives where it is told what comes of what is asked, which is begun unless it is being done or was done.
    fn outcome(
        &self,
        tried: &str,
        (key, what): (String, String),
        work: impl Future<Output = Result<Any, Refused>> + Send + 'static,
    ) -> Result<Outcome, Refused> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = held.iter().position(|known| known.key == key) {
            let is_held = held[at].is_being_done() || held[at].is_done();
            if is_held && held[at].what != what {
                let why = "another request of that `Idempotency-Key` was made before";
                return Err(Refused::new(StatusCode::UNPROCESSABLE_ENTITY, tried, why));
            }
            if is_held {
                return Ok(held[at].outcome.clone());
            }
            held.remove(at);
        }
        if held.len() >= KEYS {
            // What is being done is not forgotten: it would be done a second time beside the first.
            let Some(oldest) = held.iter().position(|known| !known.is_being_done()) else {
                let why = format!("{KEYS} requests are being carried out; wait until one of them is");
                return Err(Refused::new(StatusCode::TOO_MANY_REQUESTS, tried, why));
            };
            held.remove(oldest);
        }
        let (tell, outcome) = watch::channel(None);
        held.push_back(Asked { key, what, outcome: outcome.clone() });
        tokio::spawn(async move { tell.send_replace(Some(work.await)) });
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::FutureExt;
    use tokio::sync::Semaphore;

    use super::*;

    fn keyed(key: &str) -> HeaderMap {
        HeaderMap::from_iter([("idempotency-key".parse().unwrap(), key.parse().unwrap())])
    }

    #[tokio::test]
    async fn what_is_asked_under_a_key_is_done_once_and_refusals_are_tried_again() {
        let (once, count) = (Once::default(), Arc::new(AtomicU32::new(0)));
        let ask = async |key: &str, what: &str, goes_well: bool| {
            let count = Arc::clone(&count);
            let work = async move {
                let number = count.fetch_add(1, Ordering::Relaxed) + 1;
                if goes_well { Ok(number) } else { Err(Refused::missing("look", "not now")) }
            };
            once.done(&keyed(key), ("clear", &what), work).await.map(|Json(told)| told).map_err(|it| it.status.as_u16())
        };
        assert_eq!(ask("a", "z", false).await, Err(404), "what is refused holds no key");
        assert_eq!(ask("a", "x", true).await, Ok(2.into()));
        assert_eq!(ask("a", "x", true).await, Ok(2.into()));
        assert_eq!(ask("a", "y", true).await, Err(422));
        assert_eq!(ask("b", "y", true).await, Ok(3.into()));
        for number in 0..KEYS {
            ask(&format!("k{number}"), "x", true).await.unwrap();
        }
        assert_eq!(ask("a", "y", true).await, Ok((KEYS as u32 + 4).into()), "the oldest is forgotten");
    }

    /// Work that counts itself, and is over when it is let pass.
    fn held(count: &Arc<AtomicU32>, gate: &Arc<Semaphore>) -> impl Future<Output = Result<u32, Refused>> + use<> {
        let (count, gate) = (Arc::clone(count), Arc::clone(gate));
        async move {
            let number = count.fetch_add(1, Ordering::Relaxed) + 1;
            gate.acquire().await.unwrap().forget();
            Ok(number)
        }
    }

    #[tokio::test]
    async fn what_is_done_under_a_key_goes_on_when_who_asked_goes_away_and_is_not_begun_again() {
        let (once, count, gate) = (Once::default(), Arc::default(), Arc::new(Semaphore::new(0)));
        let ask = |key: &str| {
            let (once, headers, work) = (&once, keyed(key), held(&count, &gate));
            async move { once.done(&headers, ("clear", &"x"), work).await.map(|Json(told)| told).map_err(|it| it.status) }
        };
        let mut first = Box::pin(ask("a"));
        assert_eq!((&mut first).now_or_never(), None);
        drop(first);
        for number in 1..KEYS {
            assert_eq!(ask(&number.to_string()).now_or_never(), None);
        }
        assert_eq!(ask("too many").await, Err(StatusCode::TOO_MANY_REQUESTS));
        let mut again = Box::pin(ask("a"));
        assert_eq!((&mut again).now_or_never(), None, "it is still being done");
        gate.add_permits(KEYS);
        assert_eq!(again.await, Ok(1.into()));
        assert_eq!(ask("a").await, Ok(1.into()));
        for number in 1..KEYS {
            ask(&number.to_string()).await.unwrap();
        }
        assert_eq!(count.load(Ordering::Relaxed) as usize, KEYS);
    }

    #[tokio::test]
    async fn what_breaks_off_is_told_and_done_when_it_is_asked_again() {
        async fn breaks() -> Result<u32, Refused> {
            panic!("as a test wants it")
        }
        let once = Once::default();
        let refused = once.done(&keyed("a"), ("clear", &"x"), breaks()).await.unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.fault.why.as_str()), (500, "it broke off"));
        let Json(told) = once.done(&keyed("a"), ("clear", &"x"), async { Ok(1) }).await.unwrap();
        assert_eq!(told, 1);
    }

    #[tokio::test]
    async fn without_a_key_each_is_done() {
        let once = Once::default();
        for number in 1..3 {
            let Json(told) = once.done(&HeaderMap::new(), ("clear", &""), async move { Ok(number) }).await.unwrap();
            assert_eq!(told, number);
        }
        assert!(once.done(&keyed(&"x".repeat(999)), ("clear", &""), async { Ok(1) }).await.is_err());
    }
}
