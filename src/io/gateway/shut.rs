//! Owns which keys a provider has refused of late, so that none is shown to it over and over. Never reads a key.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::io::keys::Key;

/// Time after which a refused key is shown to its provider once more.
const REST: Duration = Duration::from_secs(60);
/// Refusals that are remembered; of more, the oldest are forgotten.
const REMEMBERED: usize = 64;

/// Remembers refused keys.
#[derive(Debug, Default)]
pub(super) struct Shut {
    refused: Mutex<Vec<Refused>>,
}

#[derive(Debug)]
struct Refused {
    key: Key,
    /// The model that it may not ask; none where it may ask nothing.
    model: Option<String>,
    until: Instant,
}

impl Shut {
    /// Notes that a key was refused, for one model or for all.
    pub(super) fn note(&self, key: &Key, model: Option<&str>) {
        let mut refused = self.refused();
        let model = model.map(str::to_owned);
        refused.retain(|it| (&it.key, &it.model) != (key, &model));
        if refused.len() >= REMEMBERED {
            refused.remove(0);
        }
        refused.push(Refused { key: key.clone(), model, until: Instant::now() + REST });
    }

    /// Tells whether a key was refused of late where it would ask this model; within, whether for this model alone.
    pub(super) fn is_refused(&self, key: &Key, model: &str) -> Option<bool> {
        let mut refused = self.refused();
        let now = Instant::now();
        refused.retain(|it| it.until > now);
        let of_key = refused.iter().filter(|it| it.key == *key);
        of_key.filter(|it| it.model.as_deref().is_none_or(|it| it == model)).map(|it| it.model.is_some()).min()
    }

    fn refused(&self) -> MutexGuard<'_, Vec<Refused>> {
        // The list is whole after each statement that changes it.
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
