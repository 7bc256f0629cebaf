//! Owns the proof at run time that replay equals live: what is stored is read back and folded beside the coordinator,
//! and held against the state that it acts on. Never mends either of them.

use super::progress::Lost;
use super::world::told;
use crate::io::journal::format::{FormatError, decode};
use crate::io::journal::{Journal, JournalError};
use crate::machine::event::Recorded;
use crate::machine::evolve::evolve;
use crate::machine::snapshot::digest;
use crate::machine::state::State;
use crate::model::ids::RunId;

/// After how many events at least the next look is due.
const EVERY: u64 = 16;

/// The part by which the journal grows from one look to the next, so that a state's size is paid for a bounded number
/// of times and not once for so many events.
const GROWTH: u64 = 8;

/// Holds what the journal gave when it was last folded.
pub struct Mirror {
    state: State,
}

/// Says why what is stored does not stand behind a state.
#[derive(Debug)]
pub enum Untrue {
    /// It gives another state, up to this event.
    Differs(u64),
    /// It cannot be read any more.
    Journal(JournalError),
    /// An event cannot be read any more.
    Format(FormatError),
}

impl From<Untrue> for Lost {
    fn from(untrue: Untrue) -> Self {
        match untrue {
            Untrue::Differs(seq) => Self::Untrue(seq),
            Untrue::Journal(error) => Self::Journal(told(&error)),
            Untrue::Format(error) => Self::Journal(told(&error)),
        }
    }
}

impl Mirror {
    /// Begins with what the journal gave when the run was taken up.
    pub fn new(state: State) -> Self {
        Self { state }
    }

    /// Tells whether the next look is due: when enough was stored since the last, and where a run has come to rest.
    pub fn is_due(&self, live: &State) -> bool {
        let behind = live.seq - self.state.seq;
        behind >= EVERY.max(self.state.seq / GROWTH) || (behind > 0 && !live.is_live())
    }

    /// Folds what was stored since the last look and holds it against the live state, of which its last event and its
    /// digest are given.
    ///
    /// # Errors
    /// Fails where it gives another state, and where it cannot be read.
    pub fn follow(&mut self, journal: &dyn Journal, run: &RunId, (seq, live): (u64, [u8; 32])) -> Result<(), Untrue> {
        let mut wrong = None;
        journal
            .for_each(run, self.state.seq + 1, &mut |entry| {
                // More may have been stored meanwhile.
                if entry.seq > seq || wrong.is_some() {
                    return;
                }
                match decode(entry) {
                    Ok(event) => {
                        let recorded = Recorded { seq: entry.seq, at_ms: entry.at_ms, event };
                        self.state = evolve(std::mem::take(&mut self.state), &recorded);
                    }
                    Err(error) => wrong = Some(error),
                }
            })
            .map_err(Untrue::Journal)?;
        match wrong {
            Some(error) => Err(Untrue::Format(error)),
            None if digest(&self.state) == live => Ok(()),
            None => Err(Untrue::Differs(seq)),
        }
    }
}
