//! Owns what whoever hosts a run is to be told that is no event of it. Never shows it.

use std::sync::{Mutex, PoisonError};

/// Notices that are kept until somebody takes them; of more, the oldest are forgotten.
const KEPT: usize = 32;

/// Collects notices.
#[derive(Debug, Default)]
pub struct Notices(Mutex<Vec<String>>);

impl Notices {
    /// Adds one.
    pub fn add(&self, notice: String) {
        let mut notices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notices.len() >= KEPT {
            notices.remove(0);
        }
        notices.push(notice);
    }

    /// Takes all that were added since.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
