//! Owns noticing that the user's files have changed, and reading them again then. Never says what is in them.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::policy::Rules;

/// Reads the rules anew; says what is wrong where they cannot be read.
type Reader = dyn Fn() -> Result<Rules, String> + Send + Sync;

/// Tells whoever can mend it what is wrong.
type Teller = dyn Fn(String) + Send + Sync;

/// Watches files by looking at them when a call is made.
pub struct Follow {
    files: Vec<PathBuf>,
    read: Box<Reader>,
    tell: Box<Teller>,
    seen: Mutex<Vec<Stamp>>,
}

/// Stands for a file as it was: none where it was not there.
type Stamp = Option<(u64, u64, i64, i64, i64)>;

impl Follow {
    /// Begins with the files as they are: made before they are first read, it misses no change.
    pub fn new(
        files: Vec<PathBuf>,
        read: impl Fn() -> Result<Rules, String> + Send + Sync + 'static,
        tell: impl Fn(String) + Send + Sync + 'static,
    ) -> Self {
        let seen = Mutex::new(stamps(&files));
        Self { files, read: Box::new(read), tell: Box::new(tell), seen }
    }

    /// Reads the rules where a file has changed since they were last read. What cannot be read is told once, and again when
    /// it has changed again.
    pub(super) fn changed(&self) -> Option<Rules> {
        let now = stamps(&self.files);
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if *seen == now {
                return None;
            }
            *seen = now;
        }
        match (self.read)() {
            Ok(rules) => Some(rules),
            Err(why) => {
                (self.tell)(why);
                None
            }
        }
    }

    /// Tells what is wrong with rules that were read.
    pub(super) fn tell(&self, why: String) {
        (self.tell)(why);
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |file: &PathBuf| {
        let told = std::fs::metadata(file).ok()?;
        let changed = told.ctime().saturating_mul(1_000_000_000).saturating_add(told.ctime_nsec());
        Some((told.ino(), told.size(), told.mtime(), told.mtime_nsec(), changed))
    };
    files.iter().map(stamp).collect()
}
