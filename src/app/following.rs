//! Owns the folds of runs that a server shows: each is read from the journal once and followed from there, whoever looks
//! and however many. Never believes anything but the journal.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::folding::PAGE;
use super::{AppError, Loaded, Place};
use crate::machine::evolve::evolve;
use crate::machine::state::State;
use crate::model::ids::RunId;
use crate::views::chronicle::Chronicle;
use crate::views::event_json::EventJson;

/// Events that are kept as they are told: some megabytes.
const KEPT: u64 = 2048;
/// Folds that are kept; the one that nobody looked at for longest goes first.
const FOLDS: usize = 64;
/// How often the journal is looked at for those who wait for news.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// An event as it is told to programs.
#[derive(Debug, Clone)]
pub struct Told {
    /// Its number.
    pub seq: u64,
    /// The event, as JSON.
    pub json: Arc<str>,
}

/// Holds the folds of runs.
pub struct Followers {
    place: Place,
    held: Mutex<BTreeMap<RunId, (Instant, Arc<Follower>)>>,
}

impl Followers {
    /// Holds none yet.
    pub fn new(place: Place) -> Self {
        Self { place, held: Mutex::default() }
    }

    /// Gives the fold of a run, with all that its journal holds taken in. Blocks on the disk.
    ///
    /// # Errors
    /// As reading the journal.
    pub fn follow(&self, run: &RunId) -> Result<Arc<Follower>, AppError> {
        let follower = {
            let mut held = lock(&self.held);
            let new = || Arc::new(Follower::new(self.place.clone(), run.clone()));
            let (used, follower) = held.entry(run.clone()).or_insert_with(|| (Instant::now(), new()));
            *used = Instant::now();
            let follower = Arc::clone(follower);
            while held.len() > FOLDS {
                let oldest = held.iter().min_by_key(|(_, (used, _))| *used).map(|(run, _)| run.clone());
                oldest.and_then(|run| held.remove(&run));
            }
            follower
        };
        let looked = follower.look();
        if looked.is_err() {
            lock(&self.held).remove(run);
        }
        looked.map(|_| follower)
    }
}

/// Follows one run.
pub struct Follower {
    place: Place,
    run: RunId,
    fold: Mutex<Fold>,
    /// The number of the last event; none where the journal could not be read.
    news: watch::Sender<Option<u64>>,
    is_looking: AtomicBool,
}

#[derive(Default)]
struct Fold {
    loaded: Loaded,
    chronicle: Chronicle,
    told: VecDeque<Told>,
}

impl Fold {
    fn take(&mut self, place: &Place, run: &RunId) -> Result<(), AppError> {
        let last = place.journal.last_seq(run)?;
        if self.loaded.state.seq == 0 {
            *self = Self::default();
        }
        while self.loaded.state.seq < last {
            let page = place.page(run, self.loaded.state.seq + 1)?;
            if page.is_empty() {
                break;
            }
            for recorded in page {
                self.loaded.pace.learn(&recorded);
                self.loaded.state = evolve(std::mem::take(&mut self.loaded.state), &recorded);
                self.chronicle.learn(&self.loaded.state, &recorded);
                if recorded.seq + KEPT > last {
                    self.told.push_back(tell(run, &self.loaded.state, &recorded)?);
                }
            }
            while self.told.len() > KEPT as usize {
                self.told.pop_front();
            }
        }
        Ok(())
    }
}

impl Follower {
    fn new(place: Place, run: RunId) -> Self {
        Self {
            place,
            run,
            fold: Mutex::default(),
            news: watch::Sender::new(Some(0)),
            is_looking: AtomicBool::new(false),
        }
    }

    /// Tells the number of the last event whenever there is another one, to all who ask by one look at the journal; none
    /// once it cannot be read.
    pub fn news(self: &Arc<Self>) -> watch::Receiver<Option<u64>> {
        if !self.is_looking.swap(true, Ordering::SeqCst) {
            // What was wrong when somebody last looked may be so no longer.
            self.news.send_if_modified(|told| told.replace(0).is_none());
            tokio::spawn(Arc::clone(self).look_for_news());
        }
        self.news.subscribe()
    }

    async fn look_for_news(self: Arc<Self>) {
        loop {
            let follower = Arc::clone(&self);
            let looked = tokio::task::spawn_blocking(move || follower.look()).await;
            // One that panics is one that cannot be made.
            let last = looked.ok().and_then(Result::ok);
            self.news.send_if_modified(|told| std::mem::replace(told, last) != last);
            tokio::time::sleep(LOOK_EVERY).await;
            if self.news.receiver_count() == 0 {
                self.is_looking.store(false, Ordering::SeqCst);
                // Somebody may have come just before, and saw that this still looks.
                if self.news.receiver_count() == 0 || self.is_looking.swap(true, Ordering::SeqCst) {
                    return;
                }
            }
        }
    }

    /// Takes in what the journal holds; gives the number of the last event. Blocks on the disk.
    ///
    /// # Errors
    /// As reading the journal.
    pub fn look(&self) -> Result<u64, AppError> {
        let mut fold = lock(&self.fold);
        fold.take(&self.place, &self.run)?;
        Ok(fold.loaded.state.seq)
    }

    /// Shows the fold.
    pub fn see<T>(&self, see: impl FnOnce(&Loaded, &Chronicle) -> T) -> T {
        let fold = lock(&self.fold);
        see(&fold.loaded, &fold.chronicle)
    }

    /// Gives at most `limit` events after a number as they are told. Blocks on the disk.
    ///
    /// # Errors
    /// As reading the journal.
    pub fn after(&self, seq: u64, limit: usize, cursor: &mut Cursor) -> Result<Vec<Told>, AppError> {
        self.look()?;
        if let Some(told) = self.kept(seq, limit) {
            *cursor = Cursor::default();
            return Ok(told);
        }
        cursor.after(&self.place, &self.run, seq, limit)
    }

    /// Gives at most `limit` events after a number, of those that were taken in last; none where more is wanted.
    pub fn kept(&self, seq: u64, limit: usize) -> Option<Vec<Told>> {
        let fold = lock(&self.fold);
        if fold.loaded.state.seq <= seq {
            return Some(Vec::new());
        }
        let first = fold.told.front().filter(|first| first.seq <= seq + 1)?;
        let skipped = usize::try_from(seq + 1 - first.seq).unwrap_or(usize::MAX);
        Some(fold.told.iter().skip(skipped).take(limit).cloned().collect())
    }
}

/// Folds a run as far as somebody has read who is far behind.
#[derive(Default)]
pub struct Cursor {
    state: State,
}

impl Cursor {
    fn after(&mut self, place: &Place, run: &RunId, seq: u64, limit: usize) -> Result<Vec<Told>, AppError> {
        let mut told = Vec::new();
        if self.state.seq > seq {
            self.state = State::default();
        }
        while told.len() < limit {
            let page = place.page(run, self.state.seq + 1)?;
            let is_last = (page.len() as u64) < PAGE;
            for recorded in page {
                if told.len() == limit {
                    break;
                }
                self.state = evolve(std::mem::take(&mut self.state), &recorded);
                if recorded.seq > seq {
                    told.push(tell(run, &self.state, &recorded)?);
                }
            }
            if is_last {
                break;
            }
        }
        Ok(told)
    }
}

fn tell(run: &RunId, state: &State, recorded: &crate::machine::event::Recorded) -> Result<Told, AppError> {
    let json = serde_json::to_string(&EventJson::of(run, state, recorded));
    let json = json.map_err(|error| AppError::Read {
        what: "an event of run",
        path: run.as_str().into(),
        source: error.into(),
    })?;
    Ok(Told { seq: recorded.seq, json: json.into() })
}

fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    // A fold that a panic left half made is left behind by whoever panicked: its number tells how far it is.
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::place::testing::{opened, store};
    use super::*;
    use crate::machine::event::Event;

    /// Reads all events after a number, in pieces of this size.
    fn read(follower: &Follower, mut seq: u64, piece: usize) -> Vec<Told> {
        let (mut all, mut cursor) = (Vec::new(), Cursor::default());
        loop {
            let told = follower.after(seq, piece, &mut cursor).unwrap();
            let Some(last) = told.last() else { return all };
            assert!(told.len() <= piece);
            seq = last.seq;
            all.extend(told);
        }
    }

    #[test]
    fn readers_at_any_offset_are_told_the_same_also_of_what_is_no_longer_kept() {
        let temp = tempfile::tempdir().unwrap();
        let (place, run) = opened(temp.path());
        let followers = Followers::new(place.clone());
        let follower = followers.follow(&run).unwrap();
        assert_eq!(read(&follower, 0, 7).len(), 1);
        let steered = |number: u64| Event::Steered { task: None, message: number.to_string() };
        let many: Vec<Event> = (0..2 * KEPT + PAGE).map(steered).collect();
        store(&place, &run, &many);
        follower.look().unwrap();
        let last = many.len() as u64 + 1;
        let all = read(&follower, 0, 1000);
        assert_eq!(all.iter().map(|told| told.seq).collect::<Vec<_>>(), (1..=last).collect::<Vec<_>>());
        assert_eq!(lock(&follower.fold).told.len() as u64, KEPT, "no more is kept");
        for (from, piece) in [(last - KEPT - 3, 5), (last - KEPT, 9000), (last - 1, 1), (last, 1)] {
            let tail: Vec<Arc<str>> = read(&follower, from, piece).into_iter().map(|told| told.json).collect();
            let want: Vec<Arc<str>> = all[from as usize..].iter().map(|told| Arc::clone(&told.json)).collect();
            assert_eq!(tail, want, "from {from} in pieces of {piece}");
        }
        assert_eq!(follower.see(|loaded, _| loaded.state.clone()), place.replay(&run).unwrap().state);
    }
}
