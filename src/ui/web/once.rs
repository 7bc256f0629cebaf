//! Owns that what was asked under a key is done once: who asks the same again under it gets the first answer. Knows the
//! latest keys alone, and forgets them with the process; requests of runs are kept in the journal instead.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use tokio::sync::OnceCell;

use super::reads::{Any, Told};
use super::refused::Refused;
use super::writes::key;

/// Keys that are remembered; the oldest goes first.
const KEYS: usize = 256;

/// Remembers what was done under which key.
#[derive(Default)]
pub struct Once {
    held: Mutex<VecDeque<Asked>>,
}

/// What was asked under a key, and what came of it.
struct Asked {
    key: String,
    what: String,
    answer: Arc<OnceCell<Any>>,
}

impl Once {
    /// Does something, or tells what came of it when it was done under the same key; `what` says what is asked. What was
    /// refused is done when it is asked again.
    ///
    /// # Errors
    /// What the work itself fails with, and where the key stands for something else.
    pub async fn done<T: Serialize>(
        &self,
        headers: &HeaderMap,
        what: (&str, &impl Serialize),
        work: impl Future<Output = Result<T, Refused>>,
    ) -> Told<Any> {
        let written = async {
            let made = work.await?;
            serde_json::to_value(&made).map_err(|error| {
                Refused::new(StatusCode::INTERNAL_SERVER_ERROR, format!("answer {}", what.0), error.to_string())
            })
        };
        let Some(key) = key(headers)? else { return Ok(Json(written.await?)) };
        let asked = format!("{} {}", what.0, serde_json::to_string(what.1).unwrap_or_default());
        let answer = self.cell(key, &asked).ok_or_else(|| {
            let why = "another request of that `Idempotency-Key` was made before";
            Refused::new(StatusCode::UNPROCESSABLE_ENTITY, what.0, why)
        })?;
        Ok(Json(answer.get_or_try_init(|| written).await?.clone()))
    }

    /// Gives where the answer of a key is kept; nothing where the key stands for something else.
    fn cell(&self, key: String, what: &str) -> Option<Arc<OnceCell<Any>>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = held.iter().find(|known| known.key == key) {
            return (known.what == what).then(|| Arc::clone(&known.answer));
        }
        if held.len() >= KEYS {
            held.pop_front();
        }
        let answer = Arc::new(OnceCell::new());
        held.push_back(Asked { key, what: what.to_owned(), answer: Arc::clone(&answer) });
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn keyed(key: &str) -> HeaderMap {
        HeaderMap::from_iter([("idempotency-key".parse().unwrap(), key.parse().unwrap())])
    }

    #[tokio::test]
    async fn what_is_asked_under_a_key_is_done_once_and_refusals_are_tried_again() {
        let (once, count) = (Once::default(), AtomicU32::new(0));
        let ask = async |key: &str, what: &str, goes_well: bool| {
            let work = async {
                let number = count.fetch_add(1, Ordering::Relaxed) + 1;
                if goes_well { Ok(number) } else { Err(Refused::missing("look", "not now")) }
            };
            once.done(&keyed(key), ("clear", &what), work).await.map(|Json(told)| told).map_err(|it| it.status.as_u16())
        };
        assert_eq!(ask("a", "x", false).await, Err(404));
        assert_eq!(ask("a", "x", true).await, Ok(2.into()));
        assert_eq!(ask("a", "x", true).await, Ok(2.into()));
        assert_eq!(ask("a", "y", true).await, Err(422));
        assert_eq!(ask("b", "y", true).await, Ok(3.into()));
        for number in 0..KEYS {
            ask(&format!("k{number}"), "x", true).await.unwrap();
        }
        assert_eq!(ask("a", "y", true).await, Ok((KEYS as u32 + 4).into()), "the oldest is forgotten");
    }

    #[tokio::test]
    async fn without_a_key_each_is_done() {
        let once = Once::default();
        for number in 1..3 {
            let Json(told) = once.done(&HeaderMap::new(), ("clear", &""), async { Ok(number) }).await.unwrap();
            assert_eq!(told, number);
        }
        assert!(once.done(&keyed(&"x".repeat(999)), ("clear", &""), async { Ok(1) }).await.is_err());
    }
}
