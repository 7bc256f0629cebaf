//! Owns how many candidates are landed at once and how the bad one among them is found: prefix bisection.
//!
//! With p the chance that a queued candidate is bad, a batch of b = ln 2 / -ln(1 - p) needs close to the least
//! possible number of checks; p is a decayed Beta estimate. A red batch is searched for its shortest red prefix;
//! the green prefix lands at once and one member is ejected. (Dorfman 1943 for group testing; the prefix form is
//! that of merge queues that land in order.)

use serde::{Deserialize, Serialize};

/// Estimates how likely a queued candidate is bad.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BadRate {
    bad: f64,
    good: f64,
}

impl Default for BadRate {
    /// Starts from one bad candidate in ten, with the weight of ten candidates seen.
    fn default() -> Self {
        Self { bad: 1.0, good: 9.0 }
    }
}

impl BadRate {
    /// What is left of the weight of earlier candidates after each new one: some hundreds count, because a worse
    /// estimate of p costs more checks than a late one.
    const DECAY: f64 = 0.997;
    /// Above this chance of a bad candidate, batches do not pay.
    const ALONE: f64 = 0.38;

    /// Takes in how candidates turned out.
    pub fn learn(&mut self, good: u32, bad: u32) {
        for _ in 0..good {
            self.bad *= Self::DECAY;
            self.good = self.good * Self::DECAY + 1.0;
        }
        for _ in 0..bad {
            self.bad = self.bad * Self::DECAY + 1.0;
            self.good *= Self::DECAY;
        }
    }

    /// Gives the estimated chance that a candidate is bad.
    pub fn chance(&self) -> f64 {
        self.bad / (self.bad + self.good)
    }

    /// Gives the size of the next batch, at least 1 and at most `largest`.
    pub fn batch(&self, largest: u32) -> u32 {
        let p = self.chance();
        if p > Self::ALONE {
            return 1;
        }
        // `ln_1p` keeps the smallest chances apart from none, where `1 - p` would be 1 and the size a negative infinity.
        let ideal = (std::f64::consts::LN_2 / -(-p).ln_1p()).round();
        // The cast saturates; the bounds make it exact.
        (ideal.clamp(1.0, f64::from(largest.max(1)))) as u32
    }
}

/// Holds how far the search for the shortest red prefix is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// Length of the longest prefix known green.
    pub green: u32,
    /// Length of the shortest prefix known red.
    pub red: Option<u32>,
    /// Length of the prefix that was the shortest known red before that one, where there was one.
    pub red_before: Option<u32>,
    /// Whether that prefix was red twice, or its red is believed.
    pub confirmed: bool,
    /// Length of the whole batch.
    pub whole: u32,
}

/// Says what the search wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Check the prefix of this length.
    Check(u32),
    /// Check the prefix of this length once more, repeating what is red: it decides.
    Confirm(u32),
    /// Land this many; the next member is the culprit.
    Eject { land: u32 },
    /// Land all.
    LandAll,
}

impl Search {
    /// Begins with the whole batch.
    pub fn begin(whole: u32) -> Self {
        Self { green: 0, red: None, red_before: None, confirmed: false, whole }
    }

    /// Says what is wanted.
    pub fn want(&self) -> Want {
        match self.red {
            None if self.green == self.whole => Want::LandAll,
            None => Want::Check(self.whole),
            Some(red) if self.green + 1 == red && self.confirmed => Want::Eject { land: self.green },
            Some(red) if self.green + 1 == red => Want::Confirm(red),
            Some(red) => Want::Check(self.green + first_part(red - self.green)),
        }
    }

    /// Takes in an answer to what was wanted.
    pub fn learn(&mut self, upto: u32, is_green: bool) {
        if is_green {
            self.green = self.green.max(upto);
            // A green superset forgives a red prefix: the red was a flake.
            if self.red.is_some_and(|red| red <= upto) {
                (self.red, self.red_before) = (None, None);
            }
            return;
        }
        self.confirmed = self.red == Some(upto);
        if !self.confirmed {
            self.red_before = self.red.replace(upto);
        }
    }

    /// Takes the red that decides at its word.
    pub fn believe(&mut self) {
        self.confirmed = true;
    }
}

/// Gives how many of `count` members, the last of which makes the prefix red at the latest, are checked first.
///
/// The earlier members are the likelier culprits, so where the halvings do not come out even the shorter searches fall
/// to them: the truncated binary code of Golomb's, which is the best for such odds. (Gallager and van Voorhis 1975.)
fn first_part(count: u32) -> u32 {
    let power = 1 << count.max(2).ilog2();
    count.saturating_sub(power).max(power / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_row_of_good_candidates_never_makes_batches_small() {
        let mut rate = BadRate::default();
        for _ in 0..100 {
            rate.learn(1000, 0);
            assert_eq!(rate.batch(64), 64, "{rate:?}");
        }
    }

    /// Runs the search over members of which some are bad; tells what lands, who is ejected, and the checks made.
    fn search(bad: &[bool]) -> (u32, Option<u32>, u32) {
        let mut search = Search::begin(bad.len() as u32);
        let mut checks = 0;
        loop {
            match search.want() {
                Want::Check(upto) | Want::Confirm(upto) => {
                    checks += 1;
                    search.learn(upto, !bad[..upto as usize].contains(&true));
                }
                Want::Eject { land } => return (land, Some(land), checks),
                Want::LandAll => return (search.whole, None, checks),
            }
        }
    }

    #[test]
    fn first_bad_member_is_ejected_and_all_before_it_land() {
        for size in 1..=16_usize {
            for pattern in 0..1_u32 << size.min(10) {
                let bad: Vec<bool> = (0..size).map(|i| pattern & (1 << (i % 10)) != 0).collect();
                let first = bad.iter().position(|is_bad| *is_bad).map(|at| at as u32);
                let (landed, ejected, _) = search(&bad);
                assert_eq!(ejected, first, "{bad:?}");
                assert_eq!(landed, first.unwrap_or(size as u32), "{bad:?}");
            }
        }
    }

    #[test]
    fn a_good_batch_costs_one_check_and_a_bad_one_a_logarithm() {
        assert_eq!(search(&[false; 64]).2, 1);
        let mut bad = [false; 64];
        bad[37] = true;
        assert!(search(&bad).2 <= 1 + 6 + 1, "whole, halvings, one retry of the deciding red");
    }

    #[test]
    fn a_red_that_turns_green_on_retry_is_forgiven() {
        let mut search = Search::begin(1);
        search.learn(1, false);
        assert_eq!(search.want(), Want::Confirm(1));
        search.learn(1, true);
        assert_eq!(search.want(), Want::LandAll);
    }

    #[test]
    fn batches_grow_as_candidates_prove_good_and_shrink_to_one_as_they_do_not() {
        let mut rate = BadRate::default();
        let first = rate.batch(64);
        rate.learn(1000, 0);
        assert!(rate.batch(64) > first);
        assert_eq!(rate.batch(8), 8);
        rate.learn(0, 200);
        assert_eq!(rate.batch(64), 1);
    }
}
