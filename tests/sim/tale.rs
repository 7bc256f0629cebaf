//! Owns what chance decides of a simulated run: its opening and its steps. Each step draws from a chance of its own, so
//! that one can be left out and the others stay as they were; by that a long story of a broken law becomes a short one.

use fastrand::Rng;

use crate::laws::Broken;

/// Steps that are tried at most while a story is made shorter.
const TRIES: usize = 1500;

/// Says what happens in one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tale {
    pub seed: u64,
    pub steps: Vec<Step>,
    /// Whether it goes on to its end in a kind world.
    pub goes_on: bool,
}

/// Says what one step draws from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub seed: u64,
    /// Whether nothing goes wrong by chance while it is made.
    pub is_calm: bool,
}

/// Says where a run broke a law.
#[derive(Debug, Clone)]
pub struct Fall {
    pub broken: Broken,
    /// How many steps were made, the last one included; all, where it broke in the kind world.
    pub steps: usize,
}

impl Tale {
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let steps = (0..rng.u32(20..220)).map(|_| Step { seed: rng.u64(..), is_calm: false }).collect();
        Self { seed, steps, goes_on: true }
    }
}

/// Leaves out whatever a fall does not need: first long rows of steps, then shorter ones, then what went wrong beside.
/// The law that breaks stays the same one. `live` lives a tale through; the tries are bounded, so that it ends.
pub fn shorten(tale: &Tale, fall: &Fall, live: impl Fn(&Tale) -> Option<Fall>) -> Tale {
    let mut tries = 0;
    let mut falls = |tale: &Tale| {
        tries += 1;
        let again = if tries > TRIES { None } else { live(tale) };
        again.filter(|again| again.broken.at == fall.broken.at)
    };
    let mut best = tale.clone();
    let without_end = Tale { goes_on: false, ..cut(&best, fall) };
    for candidate in [without_end, cut(&best, fall)] {
        if falls(&candidate).is_some() {
            best = candidate;
            break;
        }
    }
    // What was taken out may have been all that another step was there for.
    loop {
        let before = best.clone();
        let mut row = best.steps.len();
        while row > 0 {
            let mut at = 0;
            while at < best.steps.len() {
                let mut candidate = best.clone();
                candidate.steps.drain(at..(at + row).min(best.steps.len()));
                match falls(&candidate) {
                    Some(fall) => best = cut(&candidate, &fall),
                    None => at += row,
                }
            }
            row /= 2;
        }
        for at in 0..best.steps.len() {
            let mut candidate = best.clone();
            candidate.steps[at].is_calm = true;
            if falls(&candidate).is_some() {
                best = candidate;
            }
        }
        if best == before {
            return best;
        }
    }
}

fn cut(tale: &Tale, fall: &Fall) -> Tale {
    let mut tale = tale.clone();
    tale.steps.truncate(fall.steps);
    tale
}
