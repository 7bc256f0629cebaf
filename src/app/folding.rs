//! Owns how a run's events are read back and folded: two threads read and decode pages of them, and the one whose turn it
//! is folds. Never changes what an event means.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::place::decode_events;
use super::{AppError, Loaded, Place};
use crate::io::journal::format::FormatError;
use crate::machine::event::Recorded;
use crate::machine::evolve::evolve;
use crate::model::ids::RunId;

/// Events of a page.
pub(super) const PAGE: u64 = 2048;

/// How many pages may lie ahead of the one that is folded: some tens of megabytes.
const AHEAD: u64 = 8;

impl Place {
    /// Folds the events after those that are in.
    pub(super) fn fold_after(&self, run: &RunId, loaded: Loaded) -> Result<Loaded, AppError> {
        self.fold_to(run, loaded, self.journal.last_seq(run)?)
    }

    /// Folds the events after those that are in, up to that of a number.
    pub(super) fn fold_to(&self, run: &RunId, mut loaded: Loaded, last: u64) -> Result<Loaded, AppError> {
        let from = loaded.state.seq + 1;
        let pages = Pages::of(from, last);
        loaded.replayed = 0;
        let read = |number| self.page(run, from + number * PAGE);
        std::thread::scope(|scope| {
            let _over = Over(&pages);
            if pages.count > 1 {
                let pages = &pages;
                scope.spawn(move || {
                    while let Some((claim, spent)) = pages.claim() {
                        drop(spent);
                        claim.fill(Reader::Beside, read(claim.number));
                    }
                });
            }
            for number in 0..pages.count {
                let page = pages.take(number, &read)?;
                // Others append to a live run meanwhile.
                for recorded in page.events.iter().filter(|recorded| recorded.seq <= last) {
                    loaded.pace.learn(recorded);
                    loaded.state = evolve(std::mem::take(&mut loaded.state), recorded);
                    loaded.replayed += 1;
                }
                pages.spend(page);
            }
            match loaded.state.opening {
                Some(_) => Ok(loaded),
                None => Err(AppError::Unopened { run: run.to_string() }),
            }
        })
    }

    /// Reads a page of a run's events from a number on; the last page is shorter than [`PAGE`].
    pub(super) fn page(&self, run: &RunId, from: u64) -> Result<Vec<Recorded>, AppError> {
        let mut decoded: Result<Vec<Recorded>, FormatError> = Ok(Vec::with_capacity(PAGE as usize));
        self.journal.for_some(run, from, PAGE, &mut |entry| {
            if let Ok(events) = &mut decoded {
                match decode_events(entry) {
                    Ok(recorded) => events.push(recorded),
                    Err(error) => decoded = Err(error),
                }
            }
        })?;
        Ok(decoded?)
    }
}

/// Holds the pages of a journal between those who read and the one who folds.
struct Pages {
    count: u64,
    held: Mutex<Held>,
    changed: Condvar,
}

#[derive(Default)]
struct Held {
    /// The next page that nobody reads yet.
    next: u64,
    /// How many were taken.
    taken: u64,
    /// Pages that were read; none where their reader broke.
    read: BTreeMap<u64, Option<Result<Page, AppError>>>,
    /// Pages that were folded, for the thread beside to give back: memory that one thread takes and the other gives back has
    /// both wait for each other.
    spent: Vec<Page>,
    is_over: bool,
}

#[derive(Default)]
struct Page {
    events: Vec<Recorded>,
    by: Reader,
}

/// Says which thread read a page.
#[derive(Default, PartialEq, Eq)]
enum Reader {
    #[default]
    Folding,
    Beside,
}

impl Pages {
    fn of(from: u64, last: u64) -> Self {
        let count = (last + 1).saturating_sub(from).div_ceil(PAGE);
        // A run without events is told as such by whoever reads none.
        Self { count, held: Mutex::default(), changed: Condvar::new() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing that panics is done under the lock.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims the next page once it is near enough to the one that is folded, and gives those back that are spent; nothing
    /// where there is none.
    fn claim(&self) -> Option<(Claim<'_>, Vec<Page>)> {
        let mut held = self.held();
        loop {
            if held.is_over || held.next == self.count {
                return None;
            }
            if held.next < held.taken + AHEAD {
                held.next += 1;
                let claim = Claim { pages: self, number: held.next - 1 };
                return Some((claim, std::mem::take(&mut held.spent)));
            }
            held = self.changed.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes a page in its turn; until it is there, others are read.
    fn take(&self, number: u64, read: &impl Fn(u64) -> Result<Vec<Recorded>, AppError>) -> Result<Page, AppError> {
        loop {
            let mut held = self.held();
            if let Some(page) = held.read.remove(&number) {
                held.taken = number + 1;
                self.changed.notify_all();
                // Where its reader broke, the panic goes on when that is waited for.
                return page.unwrap_or_else(|| Ok(Page::default()));
            }
            if held.next < self.count && held.next < number + AHEAD {
                held.next += 1;
                let claim = Claim { pages: self, number: held.next - 1 };
                drop(held);
                claim.fill(Reader::Folding, read(claim.number));
            } else {
                drop(self.changed.wait(held).unwrap_or_else(PoisonError::into_inner));
            }
        }
    }

    /// Has a page given back by the thread that read it.
    fn spend(&self, page: Page) {
        if page.by == Reader::Beside {
            self.held().spent.push(page);
        }
    }
}

/// Says who reads a page.
struct Claim<'a> {
    pages: &'a Pages,
    number: u64,
}

impl Claim<'_> {
    fn fill(&self, by: Reader, events: Result<Vec<Recorded>, AppError>) {
        let page = events.map(|events| Page { events, by });
        self.pages.held().read.insert(self.number, Some(page));
        self.pages.changed.notify_all();
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.pages.held().read.entry(self.number).or_insert(None);
            self.pages.changed.notify_all();
        }
    }
}

/// Has the readers end when nobody folds any longer.
struct Over<'a>(&'a Pages);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.held().is_over = true;
        self.0.changed.notify_all();
    }
}
