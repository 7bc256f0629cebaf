//! Owns runs as they were: the fold up to any event, and the rows of the journal that lead there. Packed folds along the
//! way make each look short. Never believes anything but the journal.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::{AppError, Loaded, Place};
use crate::machine::evolve::evolve;
use crate::model::ids::RunId;
use crate::views::journal::Index;

/// Runs whose pasts are kept; the one that nobody looked at for longest goes first.
const RUNS: usize = 4;
/// Events between two packed folds, at first.
const STEP: u64 = 4096;
/// Packed folds that are kept of a run; from there on every second one is dropped.
const PACKED: usize = 24;
/// Bytes that they may have together.
const BYTES: usize = 64 << 20;

/// Holds the pasts of runs.
pub struct Pasts {
    place: Place,
    held: Mutex<BTreeMap<RunId, Used>>,
}

/// A past, and when somebody looked at it last.
type Used = (Instant, Arc<Mutex<Past>>);

impl Pasts {
    /// Holds none yet.
    pub fn new(place: Place) -> Self {
        Self { place, held: Mutex::default() }
    }

    /// Shows a run as it was when an event had happened; as it is where there is no such event yet. Blocks on the disk.
    ///
    /// # Errors
    /// As reading the journal.
    pub fn at<T>(&self, run: &RunId, seq: u64, see: impl FnOnce(&Loaded) -> T) -> Result<T, AppError> {
        let past = self.past(run);
        let mut past = lock(&past);
        past.go(&self.place, run, seq)?;
        Ok(see(&past.seen))
    }

    /// Shows the rows of a run's journal, all of them that it holds by now. Blocks on the disk.
    ///
    /// # Errors
    /// As reading the journal.
    pub fn index<T>(&self, run: &RunId, see: impl FnOnce(&Index) -> T) -> Result<T, AppError> {
        let past = self.past(run);
        let mut past = lock(&past);
        past.learn(&self.place, run)?;
        Ok(see(&past.index))
    }

    fn past(&self, run: &RunId) -> Arc<Mutex<Past>> {
        let mut held = lock(&self.held);
        let (used, past) = held.entry(run.clone()).or_insert_with(|| (Instant::now(), Arc::default()));
        *used = Instant::now();
        let past = Arc::clone(past);
        while held.len() > RUNS {
            let oldest = held.iter().min_by_key(|(_, (used, _))| *used).map(|(run, _)| run.clone());
            oldest.and_then(|run| held.remove(&run));
        }
        past
    }
}

struct Past {
    /// The fold that was shown last.
    seen: Loaded,
    /// The fold up to the last event that has a row.
    last: Loaded,
    index: Index,
    packed: BTreeMap<u64, Vec<u8>>,
    step: u64,
}

impl Default for Past {
    fn default() -> Self {
        Self {
            seen: Loaded::default(),
            last: Loaded::default(),
            index: Index::default(),
            packed: BTreeMap::new(),
            step: STEP,
        }
    }
}

impl Past {
    /// Takes the rows of all events in.
    fn learn(&mut self, place: &Place, run: &RunId) -> Result<(), AppError> {
        let until = place.journal.last_seq(run)?;
        let mut last = std::mem::take(&mut self.last);
        // Where a page cannot be read, what was learned before would be learned twice.
        let learned = self.fold(place, run, &mut last, until, true);
        match learned {
            Ok(()) => self.last = last,
            Err(_) => *self = Self::default(),
        }
        learned
    }

    /// Brings what is seen to an event.
    fn go(&mut self, place: &Place, run: &RunId, seq: u64) -> Result<(), AppError> {
        let until = place.journal.last_seq(run)?.min(seq);
        let near = self.packed.range(..=until).next_back().filter(|(at, _)| {
            let is_behind = self.seen.state.seq > until;
            is_behind || **at > self.seen.state.seq
        });
        let mut seen = match near.and_then(|(_, bytes)| Loaded::from_snapshot(bytes)) {
            Some(loaded) => loaded,
            None if self.seen.state.seq <= until => std::mem::take(&mut self.seen),
            None => Loaded::default(),
        };
        self.seen = Loaded::default();
        self.fold(place, run, &mut seen, until, false)?;
        self.seen = seen;
        Ok(())
    }

    /// Folds events in up to one of them, and leaves packed folds along the way.
    fn fold(
        &mut self,
        place: &Place,
        run: &RunId,
        loaded: &mut Loaded,
        until: u64,
        learns: bool,
    ) -> Result<(), AppError> {
        while loaded.state.seq < until {
            let page = place.page(run, loaded.state.seq + 1)?;
            if page.is_empty() {
                break;
            }
            for recorded in page.into_iter().take_while(|recorded| recorded.seq <= until) {
                loaded.pace.learn(&recorded);
                loaded.state = evolve(std::mem::take(&mut loaded.state), &recorded);
                if learns {
                    self.index.learn(&loaded.state, &recorded);
                }
                if recorded.seq.is_multiple_of(self.step) {
                    self.pack(loaded);
                }
            }
        }
        Ok(())
    }

    fn pack(&mut self, loaded: &Loaded) {
        let seq = loaded.state.seq;
        if self.packed.contains_key(&seq) {
            return;
        }
        self.packed.extend(loaded.to_snapshot().map(|bytes| (seq, bytes)));
        while self.packed.len() > PACKED || self.packed.values().map(Vec::len).sum::<usize>() > BYTES {
            self.step *= 2;
            let step = self.step;
            self.packed.retain(|seq, _| seq.is_multiple_of(step));
        }
    }
}

fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    // A fold that a panic left half made has been taken out before: what is held is whole or empty.
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::place::testing::{store, stored};
    use super::*;
    use crate::machine::event::Event;
    use crate::machine::state::State;
    use crate::views::journal::Sieve;
    use crate::views::story::Story;

    #[test]
    fn a_run_is_seen_as_it_was_at_any_event_in_any_order() {
        let temp = tempfile::tempdir().unwrap();
        let story = Story::incomplete("");
        let events: Vec<Event> = story.events.iter().map(|recorded| recorded.event.clone()).collect();
        let (place, run) = stored(temp.path(), &story, &events);
        let told = events.len() as u64;
        let steered = |number: u64| Event::Steered { task: None, message: number.to_string() };
        let many: Vec<Event> = (0..3 * STEP).map(steered).collect();
        store(&place, &run, &many);
        let last = told + 3 * STEP;
        let mut states = BTreeMap::new();
        let mut state = State::default();
        let wanted = [last, 7, told, 1, last - 1, STEP, STEP + 1, 2 * STEP - 1, last, STEP, 3];
        for recorded in place.events(&run, 1).unwrap() {
            state = evolve(state, &recorded);
            if wanted.contains(&state.seq) {
                states.insert(state.seq, state.clone());
            }
        }
        let pasts = Pasts::new(place.clone());
        for seq in wanted {
            let seen = pasts.at(&run, seq, |loaded| loaded.state.clone()).unwrap();
            assert!(seen == states[&seq], "as it was at {seq}");
        }
        assert_eq!(pasts.at(&run, u64::MAX, |loaded| loaded.state.seq).unwrap(), last);
        assert_eq!(pasts.at(&run, 0, |loaded| loaded.state.seq).unwrap(), 0);
        let page = pasts.index(&run, |index| index.page(&run, &Sieve::default())).unwrap();
        assert_eq!((page.first_seq, page.last_seq, page.rows[0].seq), (1, last, last));
        store(&place, &run, &[Event::Draining]);
        let page = pasts.index(&run, |index| index.page(&run, &Sieve::default())).unwrap();
        assert_eq!(page.rows[0].seq, last + 1);
        let past = pasts.past(&run);
        assert_eq!(lock(&past).packed.len(), 3, "what lies on the way is kept once");
    }
}
