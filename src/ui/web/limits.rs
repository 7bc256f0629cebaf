//! Owns how much one address may ask of a server: buckets that fill with time. Never waits.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// Addresses that are remembered; the one that was heard of least lately goes first.
const ADDRESSES: usize = 4096;

/// Says what is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// Any request.
    Any,
    /// One that would change something.
    Write,
    /// One that shows a wrong token or code.
    Wrong,
}

impl Sort {
    /// How many come at once, and how many more each second.
    fn most(self) -> (f64, f64) {
        match self {
            Self::Any => (1000.0, 400.0),
            Self::Write => (at_once(60.0), 20.0),
            Self::Wrong => (at_once(10.0), 0.1),
        }
    }
}

/// How many come at once.
#[cfg(not(debug_assertions))]
fn at_once(usual: f64) -> f64 {
    usual
}

/// As in the program that is shipped, unless a test asks more than that to see each of it answered.
#[cfg(debug_assertions)]
fn at_once(usual: f64) -> f64 {
    let told = std::env::var("ARTEL_TEST_AT_ONCE").ok().and_then(|count| count.parse().ok());
    told.unwrap_or(usual)
}

/// Counts what each address asks.
#[derive(Default)]
pub struct Limits {
    held: Mutex<BTreeMap<(IpAddr, Sort), (f64, Instant)>>,
}

impl Limits {
    /// Counts one request and tells whether it may be made; where not, how many seconds to wait.
    ///
    /// # Errors
    /// The seconds to wait.
    pub fn count(&self, address: IpAddr, sort: Sort) -> Result<(), u64> {
        let (most, each_second) = sort.most();
        let now = Instant::now();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        while held.len() >= ADDRESSES && !held.contains_key(&(address, sort)) {
            let oldest = held.iter().min_by_key(|(_, (_, at))| *at).map(|(key, _)| *key);
            oldest.and_then(|key| held.remove(&key));
        }
        let (left, at) = held.entry((address, sort)).or_insert((most, now));
        *left = (*left + now.duration_since(*at).as_secs_f64() * each_second).min(most);
        *at = now;
        if *left < 1.0 {
            return Err(((1.0 - *left) / each_second).ceil() as u64);
        }
        *left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn each_address_has_its_own_bucket_which_fills_with_time() {
        let limits = Limits::default();
        let (one, other): (IpAddr, IpAddr) = ("127.0.0.1".parse().unwrap(), "127.0.0.2".parse().unwrap());
        for _ in 0..10 {
            limits.count(one, Sort::Wrong).unwrap();
        }
        assert_eq!(limits.count(one, Sort::Wrong), Err(10));
        limits.count(other, Sort::Wrong).unwrap();
        limits.count(one, Sort::Any).unwrap();
        tokio::time::advance(Duration::from_secs(11)).await;
        limits.count(one, Sort::Wrong).unwrap();
        assert!(limits.count(one, Sort::Wrong).is_err());
    }
}
