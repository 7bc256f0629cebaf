//! Owns how likely a red answer is a flake, and so whether the red that decides is looked at once more.
//!
//! A second look costs a check for every culprit, which is more than prefix bisection itself wastes; without one, a
//! check that is red by chance ejects a good candidate. So it is taken where a flake is likely enough: at first for
//! nearly every culprit, and the more rarely the longer no check has given two answers.

use super::bisect::{BadRate, Search};
use serde::{Deserialize, Serialize};

/// Estimates how likely the checks are red on a good tree.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct FlakeRate {
    flaky: f64,
    sound: f64,
}

impl FlakeRate {
    /// Begins with one flake in twenty, on the weight of six answers.
    const FLAKY_BEFORE: f64 = 0.3;
    const SOUND_BEFORE: f64 = 5.7;
    /// What is left of the weight of earlier answers after each new one.
    const DECAY: f64 = 0.999;
    /// The odds of a flake against a bad candidate above which a second look is worth its cost.
    const DOUBT: f64 = 0.006;

    /// Takes in that the checks were green at once.
    pub fn learn_sound(&mut self) {
        self.flaky *= Self::DECAY;
        self.sound = self.sound * Self::DECAY + 1.0;
    }

    /// Takes in that a check gave two answers on one tree.
    pub fn learn_flaky(&mut self) {
        self.flaky = self.flaky * Self::DECAY + 1.0;
        self.sound *= Self::DECAY;
    }

    /// Gives the estimated chance that a good tree is red.
    pub fn chance(&self) -> f64 {
        let flaky = self.flaky + Self::FLAKY_BEFORE;
        flaky / (flaky + self.sound + Self::SOUND_BEFORE)
    }

    /// Tells whether the red that would decide a search may well be a flake.
    ///
    /// Against the last member's being bad stands that this red is a flake, and that what made the next longer prefix
    /// red lies beyond; where no longer prefix was red, nothing else speaks for a bad member at all.
    pub fn casts_doubt(&self, search: &Search, bad: &BadRate) -> bool {
        let beyond = match (search.red, search.red_before) {
            (Some(red), Some(before)) => 1.0 - (1.0 - bad.chance()).powi(before.saturating_sub(red).cast_signed()),
            (Some(_) | None, _) => 1.0,
        };
        self.chance() * beyond / bad.chance() > Self::DOUBT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(red: u32, red_before: Option<u32>) -> Search {
        Search { green: red - 1, red: Some(red), red_before, confirmed: false, whole: 14 }
    }

    #[test]
    fn a_deciding_red_is_doubted_until_checks_have_long_been_sound() {
        let bad = BadRate::default();
        let mut flakes = FlakeRate::default();
        assert!(flakes.casts_doubt(&decided(3, Some(4)), &bad));
        for _ in 0..100 {
            flakes.learn_sound();
        }
        assert!(!flakes.casts_doubt(&decided(3, Some(4)), &bad), "its neighbour was red too");
        assert!(flakes.casts_doubt(&decided(14, None), &bad), "nothing but the first look was red");
        for _ in 0..900 {
            flakes.learn_sound();
        }
        assert!(!flakes.casts_doubt(&decided(14, None), &bad));
    }

    #[test]
    fn one_flake_brings_the_doubt_back() {
        let bad = BadRate::default();
        let mut flakes = FlakeRate::default();
        for _ in 0..100 {
            flakes.learn_sound();
        }
        flakes.learn_flaky();
        assert!(flakes.casts_doubt(&decided(3, Some(4)), &bad));
    }

    #[test]
    fn where_nearly_all_are_good_a_red_is_always_doubted() {
        let (mut bad, mut flakes) = (BadRate::default(), FlakeRate::default());
        bad.learn(10_000, 0);
        for _ in 0..10_000 {
            flakes.learn_sound();
        }
        assert!(flakes.casts_doubt(&decided(14, None), &bad));
    }
}
