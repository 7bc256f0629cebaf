//! Owns the states of runs that need a person, kept from one look at the inbox to the next: there may be more of them than
//! folds are followed. Never older than the journal, and never more of them than fit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::{AppError, Place};
use crate::machine::state::State;
use crate::model::ids::RunId;

/// Tasks that the kept states may have together: some hundred megabytes at most.
const TASKS: usize = 50_000;

/// Keeps states.
#[derive(Default)]
pub struct States {
    kept: Mutex<BTreeMap<RunId, Arc<State>>>,
}

impl States {
    /// Gives the state of a run, with all that its journal holds taken in. Blocks on the disk.
    ///
    /// # Errors
    /// As reading the journal.
    pub fn of(&self, place: &Place, run: &RunId) -> Result<Arc<State>, AppError> {
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let last = place.journal.last_seq(run)?;
        if let Some(state) = kept().get(run).filter(|state| state.seq == last) {
            return Ok(Arc::clone(state));
        }
        let state = Arc::new(place.load(run)?);
        let mut kept = kept();
        kept.remove(run);
        let tasks: usize = kept.values().map(|state| 1 + state.tasks.len()).sum();
        if tasks + state.tasks.len() < TASKS {
            kept.insert(run.clone(), Arc::clone(&state));
        }
        Ok(state)
    }

    /// Lets all go but those of these runs.
    pub fn keep_only(&self, runs: &BTreeSet<&RunId>) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).retain(|run, _| runs.contains(run));
    }
}

#[cfg(test)]
mod tests {
    use super::super::place::testing::{opened, store};
    use super::*;
    use crate::machine::event::Event;

    #[test]
    fn a_state_is_read_once_until_its_run_moves_on_or_nobody_asks_for_it() {
        let temp = tempfile::tempdir().unwrap();
        let (place, run) = opened(temp.path());
        let states = States::default();
        let read = || states.of(&place, &run).unwrap();
        let first = read();
        assert!(Arc::ptr_eq(&first, &read()) && *first == place.load(&run).unwrap());
        store(&place, &run, &[Event::Steered { task: None, message: "on".into() }]);
        let second = read();
        assert!(second.seq == first.seq + 1 && *second == place.load(&run).unwrap());
        states.keep_only(&BTreeSet::from([&run]));
        assert!(Arc::ptr_eq(&second, &read()));
        states.keep_only(&BTreeSet::new());
        assert!(!Arc::ptr_eq(&second, &read()));
    }
}
