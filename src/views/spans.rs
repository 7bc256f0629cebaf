//! Owns sums over equal stretches of time, a row of them for each name; the stretches grow where there would be too many.
//! Never reads a clock.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::words;

/// Stretches that are kept.
const STRETCHES: usize = 240;
/// Rows that are kept; what has no row of its own goes to [`OTHERS`].
const ROWS: usize = 12;
/// Names the row of all that have none of their own.
pub const OTHERS: &str = "others";
/// How long a stretch is at first, in milliseconds.
const FIRST_MS: u64 = 1000;

/// Holds sums over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Spans {
    /// When the first stretch begins, in milliseconds since 1970.
    pub from_ms: i64,
    /// How long each stretch is, in milliseconds.
    pub each_ms: u64,
    /// The sums of each name, stretch by stretch; what is missing at the end is nothing.
    pub rows: BTreeMap<String, Vec<u64>>,
}

impl Default for Spans {
    fn default() -> Self {
        Self { from_ms: 0, each_ms: FIRST_MS, rows: BTreeMap::new() }
    }
}

impl Spans {
    /// Adds to a name's sum at a time.
    pub fn add(&mut self, name: &str, at_ms: i64, amount: u64) {
        if amount == 0 {
            return;
        }
        if self.rows.is_empty() {
            self.from_ms = at_ms;
        }
        // A clock that was turned back counts as one that stood still.
        let mut at = self.place(at_ms);
        while at >= STRETCHES {
            self.halve();
            at = self.place(at_ms);
        }
        let has_room = self.rows.len() < ROWS || self.rows.contains_key(name);
        let row = self.rows.entry(if has_room { name } else { OTHERS }.to_owned()).or_default();
        if row.len() <= at {
            row.resize(at + 1, 0);
        }
        row[at] = row[at].saturating_add(amount);
    }

    /// Counts the stretches up to the last one that holds anything.
    pub fn stretches(&self) -> usize {
        self.rows.values().map(Vec::len).max().unwrap_or(0)
    }

    /// Sums a name's row.
    pub fn total(&self, name: &str) -> u64 {
        self.rows.get(name).map_or(0, |row| row.iter().fold(0, |sum, more| sum.saturating_add(*more)))
    }

    /// Gives the most of a name that came within so long, as if it went on like that for an hour; nothing before so much
    /// time has passed.
    pub fn most_an_hour(&self, name: &str, within_ms: u64) -> Option<u64> {
        let together = usize::try_from(within_ms.div_ceil(self.each_ms.max(1))).unwrap_or(usize::MAX).max(1);
        let row = self.rows.get(name).filter(|_| self.stretches() >= together)?;
        let sum = |stretches: &[u64]| stretches.iter().fold(0, |sum: u64, more| sum.saturating_add(*more));
        let most = row.windows(together.min(row.len())).map(sum).max().unwrap_or(0);
        let span_ms = u128::from(self.each_ms) * together as u128;
        u64::try_from(u128::from(most) * 3_600_000 / span_ms.max(1)).ok()
    }

    fn place(&self, at_ms: i64) -> usize {
        usize::try_from(words::between_ms(self.from_ms, at_ms) / self.each_ms.max(1)).unwrap_or(usize::MAX)
    }

    /// Makes one stretch of each two.
    fn halve(&mut self) {
        self.each_ms = self.each_ms.saturating_mul(2);
        for row in self.rows.values_mut() {
            *row = row.chunks(2).map(|pair| pair.iter().fold(0, |sum: u64, more| sum.saturating_add(*more))).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_kept_whole_however_long_a_run_is_and_however_many_names_it_has() {
        let mut spans = Spans::default();
        for minute in 0..100_000_u64 {
            spans.add(&format!("name {}", minute % 30), 5 + i64::try_from(minute).unwrap() * 60_000, 2);
        }
        let sum: u64 = spans.rows.keys().map(|name| spans.total(name)).sum();
        assert_eq!(sum, 200_000);
        assert!(spans.stretches() <= STRETCHES && spans.stretches() > STRETCHES / 3, "{}", spans.stretches());
        assert_eq!(spans.rows.len(), ROWS + 1);
        assert_eq!(spans.total("name 0"), 2 * 3334);
        assert!(spans.total(OTHERS) > 0);
        spans.add("name 0", -9, 1);
        assert_eq!(spans.rows["name 0"][0] % 2, 1, "a clock that was turned back counts at the beginning");
    }

    #[test]
    fn a_rate_is_told_by_the_hour_once_there_is_one() {
        let mut spans = Spans::default();
        spans.add("landed", 0, 3);
        spans.add("landed", 1500, 5);
        assert_eq!(spans.most_an_hour("landed", 1000), Some(5 * 3600));
        assert_eq!(spans.most_an_hour("landed", 2000), Some(4 * 3600));
        assert_eq!((spans.most_an_hour("landed", 60_000), spans.most_an_hour("none", 1000)), (None, None));
        spans.add("other", 100_000, 1);
        assert_eq!(spans.most_an_hour("landed", 60_000), Some(8 * 60));
    }
}
