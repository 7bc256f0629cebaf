//! Owns the moment at which an answer begins: a test holds requests before a gate and opens it when it has seen enough.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// How long a test waits for what must come, before it says that it did not.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Holds the requests whose turns stand behind it. Copies are the same gate.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
struct State {
    is_open: bool,
    came: usize,
}

impl Gate {
    /// Lets all pass who wait and who come later.
    pub fn open(&self) {
        self.0.0.lock().unwrap().is_open = true;
        self.0.1.notify_all();
    }

    /// Waits until as many requests as this have come to the gate.
    #[track_caller]
    pub fn is_reached_by(&self, requests: usize) {
        let state = self.0.0.lock().unwrap();
        let (state, late) = self.0.1.wait_timeout_while(state, PATIENCE, |it| it.came < requests).unwrap();
        assert!(!late.timed_out(), "{} requests came to the gate, not {requests}", state.came);
    }

    pub(super) fn pass(&self) {
        let mut state = self.0.0.lock().unwrap();
        state.came += 1;
        self.0.1.notify_all();
        drop(self.0.1.wait_while(state, |it| !it.is_open).unwrap());
    }
}
