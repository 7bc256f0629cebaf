//! Owns the look at a run's journal as evidence: whether its events are those that were appended, and where not. Never
//! mends anything and never stops at the first flaw.
//!
//! Whoever can write the file can make the chain anew, so the chain alone shows damage, not deceit. A checkpoint shows
//! that events were rewritten, as long as its key is not theirs; one that is kept elsewhere shows also that the end was
//! cut off.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::io::journal::chain::ChainHash;
use crate::io::journal::checkpoint::Checkpoint;
use crate::io::journal::record::EntryRef;
use crate::io::journal::{Journal, JournalError};
use crate::model::ids::RunId;

/// Says where a checkpoint was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// In the journal itself.
    Inside,
    /// In the anchor.
    Outside,
}

/// States one thing that is wrong with a journal, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// Events are not there.
    Missing { from: u64, to: u64 },
    /// Events are there that the run does not count.
    Added { from: u64, to: u64 },
    /// Events are not as they were appended.
    Changed { from: u64, to: u64 },
    /// A chain that is whole is not the one that was signed: something in this range was rewritten.
    Rewritten { from: u64, to: u64, by: Kept },
    /// Events that were signed are beyond the end; what comes after the last sound checkpoint is not proven.
    CutOff { from: u64, to: u64, by: Kept },
    /// A checkpoint's signature is not its key's.
    Forged { seq: u64, by: Kept },
    /// A checkpoint was signed with a key that is not this user's.
    Stranger { seq: u64, by: Kept },
}

impl Flaw {
    /// Gives the first and the last event between which the flaw lies.
    pub fn range(&self) -> (u64, u64) {
        match *self {
            Self::Missing { from, to }
            | Self::Added { from, to }
            | Self::Changed { from, to }
            | Self::Rewritten { from, to, .. }
            | Self::CutOff { from, to, .. } => (from, to),
            Self::Forged { seq, .. } | Self::Stranger { seq, .. } => (seq, seq),
        }
    }
}

impl Flaw {
    /// Tells whether it is the events themselves that are wrong, rather than what was signed of them.
    pub fn is_of_events(&self) -> bool {
        match self {
            Self::Missing { .. } | Self::Added { .. } | Self::Changed { .. } => true,
            Self::Rewritten { .. } | Self::CutOff { .. } | Self::Forged { .. } | Self::Stranger { .. } => false,
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = |by: &Kept| match by {
            Kept::Inside => "a checkpoint",
            Kept::Outside => "the anchor",
        };
        match self {
            Self::Missing { .. } => f.write_str("missing"),
            Self::Added { .. } => f.write_str("added: the run does not count them"),
            Self::Changed { .. } => f.write_str("not as they were appended"),
            Self::Rewritten { to, by: kept, .. } => {
                write!(f, "rewritten, here or in between: {} signed other events up to {to}", by(kept))
            }
            Self::CutOff { to, by: kept, .. } => {
                write!(f, "cut off, here or in between: {} signed events up to {to}", by(kept))
            }
            Self::Forged { by: kept, .. } => write!(f, "{} here has a signature that is not its key's", by(kept)),
            Self::Stranger { by: kept, .. } => write!(f, "{} here was signed with a strange key", by(kept)),
        }
    }
}

/// Tells what a journal proves of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audit {
    /// How many events there are.
    pub events: u64,
    /// How many of them, from the first on, were appended without a link, and are bound by the first that has one.
    pub unlinked: u64,
    /// How many checkpoints the journal holds.
    pub checkpoints: u64,
    /// The last event that a sound one of them covers; 0 where there is none.
    pub checkpointed_to: u64,
    /// How many checkpoints the anchor holds.
    pub anchors: u64,
    /// The last event that a sound one of them covers; 0 where there is none.
    pub anchored_to: u64,
    /// All that is wrong, in the order of the events.
    pub flaws: Vec<Flaw>,
}

/// Looks through all that is stored of a run. `key` is the public key that its checkpoints must be signed with;
/// `anchors` are those that were kept elsewhere.
///
/// # Errors
/// [`JournalError::NoSuchRun`]; the faults of reading.
pub fn audit(journal: &dyn Journal, run: &RunId, key: &str, anchors: &[Checkpoint]) -> Result<Audit, JournalError> {
    let inside = journal.checkpoints(run)?;
    // Whoever works on the run appends meanwhile.
    let before = journal.last_seq(run)?;
    let mut walk = Walk {
        next: 1,
        head: Some(ChainHash::start(run)),
        is_linked: false,
        unlinked: 0,
        heads: inside.iter().chain(anchors).map(|it| (it.seq, None)).collect(),
        flaws: Vec::new(),
    };
    journal.survey(run, &mut |entry, link| walk.see(entry, link))?;
    walk.end(before, journal.last_seq(run)?);
    let checkpointed_to = walk.compare(run, key, &inside, Kept::Inside);
    let anchored_to = walk.compare(run, key, anchors, Kept::Outside);
    let Walk { next, unlinked, mut flaws, .. } = walk;
    flaws.sort_by_key(Flaw::range);
    Ok(Audit {
        events: next - 1,
        unlinked,
        checkpoints: inside.len() as u64,
        checkpointed_to,
        anchors: anchors.len() as u64,
        anchored_to,
        flaws,
    })
}

/// Goes from event to event.
struct Walk {
    /// The number that comes next.
    next: u64,
    /// What the next event is bound to; none after a gap.
    head: Option<ChainHash>,
    is_linked: bool,
    unlinked: u64,
    /// The links at which checkpoints look.
    heads: BTreeMap<u64, Option<ChainHash>>,
    flaws: Vec<Flaw>,
}

impl Walk {
    fn see(&mut self, entry: EntryRef<'_>, link: Option<ChainHash>) {
        let seq = entry.seq;
        if seq < self.next {
            self.flaws.push(Flaw::Added { from: seq, to: seq });
            return;
        }
        if seq > self.next {
            self.flaws.push(Flaw::Missing { from: self.next, to: seq - 1 });
            self.head = None;
        }
        let bound = self.head.map(|head| head.then(entry));
        let is_lost = link.is_none() && self.is_linked;
        if is_lost || (link.is_some() && bound.is_some() && link != bound) {
            // Events without links of their own are bound by the first that has one, and cannot be told apart.
            let from = if self.is_linked { seq } else { 1 };
            match self.flaws.last_mut() {
                Some(Flaw::Changed { to, .. }) if *to + 1 == from => *to = seq,
                Some(_) | None => self.flaws.push(Flaw::Changed { from, to: seq }),
            }
        }
        self.is_linked |= link.is_some();
        self.unlinked += u64::from(!self.is_linked);
        // What comes after is judged by what is stored, so that one changed event is one flaw.
        self.head = link.or(bound);
        self.next = seq + 1;
        if let Some(wanted) = self.heads.get_mut(&seq) {
            *wanted = self.head;
        }
    }

    /// Holds the last event against how many the run counted before the look and after it.
    fn end(&mut self, before: u64, after: u64) {
        let last = self.next - 1;
        if last < before {
            self.flaws.push(Flaw::Missing { from: self.next, to: before });
        } else if last > after {
            self.flaws.push(Flaw::Added { from: after + 1, to: last });
        }
    }

    /// Holds checkpoints against the events; gives the last event that a sound one covers.
    fn compare(&mut self, run: &RunId, key: &str, checkpoints: &[Checkpoint], by: Kept) -> u64 {
        let (last, mut sound) = (self.next - 1, 0);
        let mut beyond = BTreeSet::new();
        let mut is_rewritten = false;
        for checkpoint in checkpoints {
            let seq = checkpoint.seq;
            if checkpoint.run != *run || !checkpoint.is_signed() {
                self.flaws.push(Flaw::Forged { seq, by });
            } else if checkpoint.key != key {
                self.flaws.push(Flaw::Stranger { seq, by });
            } else if seq > last {
                beyond.insert(seq);
            } else {
                match self.heads.get(&seq).copied().flatten() {
                    Some(head) if head == checkpoint.chain => sound = seq,
                    // Whatever comes after a rewritten event differs too, and says nothing more of where it is.
                    Some(_) if !is_rewritten => {
                        is_rewritten = true;
                        self.flaws.push(Flaw::Rewritten { from: sound + 1, to: seq, by });
                    }
                    // An event that is missing was told as such.
                    Some(_) | None => {}
                }
            }
        }
        if let Some(to) = beyond.last() {
            // An end that is gone may hide that what comes after the last sound checkpoint was rewritten too.
            self.flaws.push(Flaw::CutOff { from: sound + 1, to: *to, by });
        }
        sound
    }
}
