//! Owns the reading of the time of day, and waiting by it. Never decides what is waited for: that belongs to the actors.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// How long it is waited at once where the system gives no alarm: nobody tells then that the clock was set.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Tells the time, so that nothing else has to ask the machine for it.
pub trait Clock: Send + Sync {
    /// Returns the milliseconds since 1970-01-01 UTC; may step backwards when the machine's clock is set.
    fn now_ms(&self) -> i64;
}

/// Reads the clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        let now_ms = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => whole_ms(since),
            Err(before) => -whole_ms(before.duration()),
        };
        now_ms.saturating_add(skew_ms())
    }
}

/// Tells by how much a test has set the clock: the file that `ARTEL_SKEW` names holds milliseconds.
#[cfg(debug_assertions)]
fn skew_ms() -> i64 {
    static FILE: std::sync::OnceLock<Option<std::ffi::OsString>> = std::sync::OnceLock::new();
    let Some(file) = FILE.get_or_init(|| std::env::var_os("ARTEL_SKEW")) else { return 0 };
    std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

#[cfg(not(debug_assertions))]
fn skew_ms() -> i64 {
    0
}

/// Stands still until it is moved: the clock of the simulator and of virtual time.
#[derive(Debug, Default)]
pub struct ManualClock {
    now_ms: AtomicI64,
}

impl ManualClock {
    /// Makes a clock that shows `now_ms` milliseconds since 1970-01-01 UTC.
    pub fn at(now_ms: i64) -> Self {
        Self { now_ms: AtomicI64::new(now_ms) }
    }

    /// Moves the clock forward and returns the new time in milliseconds.
    pub fn advance(&self, by: Duration) -> i64 {
        let step = whole_ms(by);
        self.now_ms.fetch_add(step, Ordering::SeqCst).saturating_add(step)
    }

    /// Sets the clock to `now_ms`, backwards too, as a machine's clock may be.
    pub fn set(&self, now_ms: i64) {
        self.now_ms.store(now_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::SeqCst)
    }
}

/// Waits so long by the machine's clock, also while the machine sleeps, and is not woken meanwhile. It may come back early,
/// and does when the clock is set: whoever waits for a time looks at the clock again.
/// The time counts from the call on.
pub fn pass(wait: Duration) -> impl Future<Output = ()> + Send {
    let alarm = alarm(wait);
    async move {
        let is_over = match alarm {
            Ok(alarm) => alarm.readable().await.is_ok(),
            Err(_) => false,
        };
        if !is_over {
            tokio::time::sleep(wait.min(LONGEST_WAIT)).await;
        }
    }
}

/// Has the system tell when so much time has passed, or the clock was set.
fn alarm(wait: Duration) -> io::Result<AsyncFd<OwnedFd>> {
    let fd = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
    let wait = Timespec::try_from(wait).map_err(io::Error::other)?;
    let at = clock_gettime(ClockId::Realtime).checked_add(wait).ok_or(io::ErrorKind::InvalidInput)?;
    let once = Itimerspec { it_interval: Timespec::default(), it_value: at };
    timerfd_settime(&fd, TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET, &once)?;
    #[expect(unsafe_code, reason = "the descriptor is owned, and so stays open and the same")]
    let alarm = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
    Ok(alarm?)
}

fn whole_ms(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manual_clock_moves_only_when_it_is_told() {
        let clock = ManualClock::at(1_000);
        assert_eq!((clock.now_ms(), clock.now_ms()), (1_000, 1_000));
        assert_eq!(clock.advance(Duration::from_millis(250)), 1_250);
        clock.set(10);
        assert_eq!(clock.now_ms(), 10);
    }

    #[tokio::test]
    async fn no_less_time_passes_than_is_waited_for_and_no_wait_is_too_long_to_ask_for() {
        for wait in [Duration::ZERO, Duration::from_millis(20)] {
            let (began, began_ms) = (tokio::time::Instant::now(), SystemClock.now_ms());
            pass(wait).await;
            // A clock that is set ends the wait, and one that is slewed has it end a little sooner or later.
            let was_set = (SystemClock.now_ms() - began_ms).abs_diff(whole_ms(began.elapsed())) > 1;
            assert!(began.elapsed() + Duration::from_millis(1) >= wait || was_set);
        }
        assert!(alarm(Duration::from_secs(100 * 365 * 86_400)).is_ok());
        assert!(alarm(Duration::MAX).is_err());
    }

    #[test]
    fn system_clock_counts_milliseconds() {
        let in_2020 = 1_577_836_800_000;
        let in_2200 = 7_258_118_400_000;
        assert!((in_2020..in_2200).contains(&SystemClock.now_ms()));
    }
}
