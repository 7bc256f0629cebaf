//! Owns the moments at which a test has this process die as `kill -9` would have it. Only a build with debug assertions
//! has them: in a release build every call is empty, and the variable is never read.

/// Names the variable that asks for a death: `POINT:NUMBER`, such as `torn:17`, with a [`Point`] in small letters.
pub const VARIABLE: &str = "ARTEL_FAILPOINT";

/// Names a moment around the storing of an event or of an effect's report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The event is decided; nothing of it is written.
    Before,
    /// The event lies in the journal's file without the mark that makes it count.
    Torn,
    /// The event is written whole and not flushed.
    Written,
    /// The event is flushed; nobody has been told.
    Synced,
    /// What the event makes due is started, and whoever asked has the answer.
    Acknowledged,
    /// An effect was carried out; its report has not reached the coordinator.
    Done,
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use crate::io::failpoint::{Point, VARIABLE};

    static EFFECTS: AtomicU64 = AtomicU64::new(0);

    fn asked() -> Option<(Point, u64)> {
        static ASKED: OnceLock<Option<(Point, u64)>> = OnceLock::new();
        *ASKED.get_or_init(|| {
            let text = std::env::var(VARIABLE).ok()?;
            let (name, number) = text.split_once(':')?;
            let all = [Point::Before, Point::Torn, Point::Written, Point::Synced, Point::Acknowledged, Point::Done];
            let point = all.into_iter().find(|point| format!("{point:?}").to_lowercase() == name)?;
            Some((point, number.parse().ok()?))
        })
    }

    /// Tells whether the journal is not to flush, for a death between its writing and its flushing.
    pub fn is_unflushed() -> bool {
        asked().is_some_and(|(at, _)| at == Point::Written)
    }

    /// Has an unfinished transaction written where a death within it is asked for.
    ///
    /// # Errors
    /// As writing it.
    pub fn torn<E>(number: u64, write: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        if asked().is_some_and(|(at, _)| at == Point::Torn) {
            write()?;
            reach(Point::Torn, number);
        }
        Ok(())
    }

    /// Dies where a death is asked for after an append, flushed or not.
    pub fn written(number: u64) {
        reach(Point::Written, number);
        reach(Point::Synced, number);
    }

    /// Dies where a death is asked for at this point and number, or one before it.
    pub fn reach(point: Point, number: u64) {
        if asked().is_some_and(|(at, from)| at == point && number >= from) {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            // The signal may reach another thread first.
            loop {
                std::thread::park();
            }
        }
    }

    /// Gives how many threads may do what blocks, where a test wants every system call in the same order each time.
    pub fn blocking_threads() -> Option<usize> {
        std::env::var("ARTEL_BLOCKING_THREADS").ok()?.parse().ok().filter(|threads| *threads > 0)
    }

    /// Counts an effect that was carried out, and dies where it is the one.
    pub fn effect_done() {
        reach(Point::Done, EFFECTS.fetch_add(1, Ordering::SeqCst) + 1);
    }
}

#[cfg(not(debug_assertions))]
mod armed {
    use crate::io::failpoint::Point;

    #[inline(always)]
    pub fn is_unflushed() -> bool {
        false
    }

    #[inline(always)]
    pub fn torn<E>(_: u64, _: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        Ok(())
    }

    #[inline(always)]
    pub fn written(_: u64) {}

    #[inline(always)]
    pub fn reach(_: Point, _: u64) {}

    #[inline(always)]
    pub fn blocking_threads() -> Option<usize> {
        None
    }

    #[inline(always)]
    pub fn effect_done() {}
}

pub use armed::{blocking_threads, effect_done, is_unflushed, reach, torn, written};
