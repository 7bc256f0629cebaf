//! Owns what whoever hosts a run is to be told that is no event of it. Never shows it.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// Notices that are kept until somebody takes them; of more, the oldest are forgotten.
const KEPT: usize = 32;

/// Collects notices.
#[derive(Debug, Default)]
pub struct Notices {
    held: Mutex<Vec<String>>,
    added: Notify,
}

impl Notices {
    /// Adds one.
    pub fn add(&self, notice: String) {
        let mut notices = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if notices.len() >= KEPT {
            notices.remove(0);
        }
        notices.push(notice);
        drop(notices);
        self.added.notify_one();
    }

    /// Waits until one is added; for one who waits.
    pub async fn added(&self) {
        self.added.notified().await;
    }

    /// Takes all that were added since.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
