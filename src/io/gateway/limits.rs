//! Owns how many calls a model gets at one time, from all sessions together, and when it gets none: more as it answers,
//! half as many when it says that it is too much, none until it wants some again. Never sends one; has no timer but
//! where a call waits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Longest time that a call is held back; a longer one is told to whoever asks.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Models that are remembered while nothing of theirs is under way.
const LANES: usize = 256;
/// Holds back for as long after the first refusal that names no time, and twice as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const PAUSE_DOUBLINGS: u32 = 5;
/// Counts widths in thousandths, so that they grow in whole numbers.
const ONE: u64 = 1000;

/// Keeps the lanes of one provider, one a model.
#[derive(Debug)]
pub(super) struct Lanes {
    most: u32,
    lanes: Mutex<BTreeMap<String, Arc<Lane>>>,
}

impl Lanes {
    pub(super) fn new(most: u32) -> Self {
        Self { most: most.max(1), lanes: Mutex::default() }
    }

    /// Gives the lane of a model.
    pub(super) fn of(&self, model: &str) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.len() >= LANES && !lanes.contains_key(model) {
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1 || lane.is_held_back());
        }
        Arc::clone(lanes.entry(model.to_owned()).or_insert_with(|| Arc::new(Lane::new(self.most))))
    }

    /// Holds nothing back any more.
    pub(super) fn open(&self) {
        for lane in self.lanes.lock().unwrap_or_else(PoisonError::into_inner).values() {
            lane.flow().opens = None;
            lane.changed.notify_waiters();
        }
    }
}

/// Lets calls to one model through.
#[derive(Debug)]
pub(super) struct Lane {
    most: u32,
    flow: Mutex<Flow>,
    changed: Notify,
}

#[derive(Debug)]
struct Flow {
    /// Calls that may be under way, in thousandths.
    width: u64,
    under_way: u32,
    /// No call before.
    opens: Option<Instant>,
    /// When it last became narrower.
    narrowed: Option<Instant>,
    /// Refusals in a row that named no time.
    strikes: u32,
}

/// Says what a call that wants to be sent has to do.
enum Entry {
    Enter,
    WaitForOthers,
    WaitUntil(Instant),
}

impl Lane {
    fn new(most: u32) -> Self {
        let flow = Flow { width: u64::from(most) * ONE, under_way: 0, opens: None, narrowed: None, strikes: 0 };
        Self { most, flow: Mutex::new(flow), changed: Notify::new() }
    }

    fn flow(&self) -> MutexGuard<'_, Flow> {
        self.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_held_back(&self) -> bool {
        self.flow().opens.is_some_and(|opens| opens > Instant::now())
    }

    /// Waits until a call may be sent.
    ///
    /// # Errors
    /// Gives the time that it would have to wait where that is longer than is waited here.
    pub(super) async fn enter(self: &Arc<Self>) -> Result<Permit, Duration> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let now = Instant::now();
            match self.entry(now) {
                Entry::Enter => return Ok(Permit { lane: Arc::clone(self), entered: now }),
                Entry::WaitForOthers => changed.await,
                Entry::WaitUntil(opens) if opens - now > PATIENCE => return Err(opens - now),
                Entry::WaitUntil(opens) => tokio::time::sleep_until(opens).await,
            }
        }
    }

    fn entry(&self, now: Instant) -> Entry {
        let mut flow = self.flow();
        if let Some(opens) = flow.opens.filter(|opens| *opens > now) {
            return Entry::WaitUntil(opens);
        }
        if u64::from(flow.under_way) * ONE + ONE > flow.width {
            return Entry::WaitForOthers;
        }
        flow.under_way += 1;
        Entry::Enter
    }
}

/// Stands for one call under way; leaves the lane when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    lane: Arc<Lane>,
    entered: Instant,
}

impl Permit {
    /// Notes that the model answered: after a full round of answers there is room for one call more.
    pub(super) fn answered(&self) {
        let most = u64::from(self.lane.most) * ONE;
        let mut flow = self.lane.flow();
        flow.strikes = 0;
        flow.width = (flow.width + ONE * ONE / flow.width).min(most);
    }

    /// Notes that the model had too much to do and wants no call for this time; gives the time that is kept.
    pub(super) fn overloaded(&self, pause: Option<Duration>) -> Duration {
        let now = Instant::now();
        let mut flow = self.lane.flow();
        let pause = pause.unwrap_or_else(|| FIRST_PAUSE * 2_u32.pow(flow.strikes.min(PAUSE_DOUBLINGS)));
        // Calls that were under way together are refused together; they are one reason to be slower, not several.
        if flow.narrowed.is_none_or(|narrowed| self.entered > narrowed) {
            flow.width = (flow.width / 2).max(ONE);
            flow.narrowed = Some(now);
            flow.strikes += 1;
        }
        flow.opens = flow.opens.max(Some(now + pause));
        pause
    }

    /// Notes that the provider wants no call for this time, for another reason.
    pub(super) fn pause(&self, pause: Duration) {
        let mut flow = self.lane.flow();
        flow.opens = flow.opens.max(Some(Instant::now() + pause));
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.lane.flow().under_way -= 1;
        self.lane.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn width(lane: &Lane) -> u64 {
        lane.flow().width
    }

    async fn enter(lane: &Arc<Lane>) -> Permit {
        lane.enter().await.unwrap()
    }

    fn waits(lane: &Arc<Lane>) -> bool {
        let mut entering = std::pin::pin!(lane.enter());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        std::future::Future::poll(entering.as_mut(), &mut context).is_pending()
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_calls_are_under_way_than_may_be() {
        let lane = Lanes::new(2).of("m");
        let (one, _two) = (enter(&lane).await, enter(&lane).await);
        assert!(waits(&lane));
        let third = tokio::spawn({
            let lane = Arc::clone(&lane);
            async move { drop(enter(&lane).await) }
        });
        tokio::task::yield_now().await;
        assert!(!third.is_finished());
        drop(one);
        third.await.unwrap();
        assert_eq!(lane.flow().under_way, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_halve_and_answers_widen_by_one_a_round() {
        let lane = Lanes::new(8).of("m");
        let permits = [enter(&lane).await, enter(&lane).await, enter(&lane).await];
        for permit in &permits {
            permit.overloaded(Some(Duration::ZERO));
        }
        assert_eq!(width(&lane), 4000, "one reason, however many calls");
        drop(permits);
        tokio::time::advance(Duration::from_millis(1)).await;
        let permit = enter(&lane).await;
        permit.overloaded(Some(Duration::ZERO));
        assert_eq!(width(&lane), 2000);
        (0..2).for_each(|_| permit.answered());
        assert!((2900..=3000).contains(&width(&lane)), "{}", width(&lane));
        (0..1000).for_each(|_| permit.answered());
        assert_eq!(width(&lane), 8000);
        drop(permit);
        for _ in 0..10 {
            tokio::time::advance(Duration::from_millis(1)).await;
            enter(&lane).await.overloaded(Some(Duration::ZERO));
        }
        assert_eq!(width(&lane), 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_are_held_back_until_the_model_wants_some() {
        let lane = Lanes::new(2).of("m");
        let began = Instant::now();
        enter(&lane).await.overloaded(Some(Duration::from_secs(7)));
        drop(enter(&lane).await);
        assert_eq!(began.elapsed(), Duration::from_secs(7));
        assert_eq!(enter(&lane).await.overloaded(Some(Duration::from_secs(3600))), Duration::from_secs(3600));
        assert_eq!(lane.enter().await.unwrap_err(), Duration::from_secs(3600));
        tokio::time::advance(Duration::from_secs(3541)).await;
        let began = Instant::now();
        drop(enter(&lane).await);
        assert_eq!(began.elapsed(), Duration::from_secs(59));
    }

    #[tokio::test(start_paused = true)]
    async fn lanes_that_are_opened_hold_nothing_back() {
        let lanes = Lanes::new(1);
        let lane = lanes.of("m");
        enter(&lane).await.overloaded(Some(Duration::from_secs(3600)));
        lane.enter().await.unwrap_err();
        lanes.open();
        let began = Instant::now();
        drop(enter(&lane).await);
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn where_no_time_is_named_the_pause_doubles_until_an_answer() {
        let lane = Lanes::new(1).of("m");
        for seconds in [1, 2, 4, 8, 16, 32, 32] {
            tokio::time::advance(Duration::from_millis(1)).await;
            assert_eq!(enter(&lane).await.overloaded(None), Duration::from_secs(seconds));
        }
        let permit = enter(&lane).await;
        permit.answered();
        assert_eq!(permit.overloaded(None), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn lanes_of_models_that_nobody_asks_are_forgotten() {
        let lanes = Lanes::new(1);
        let kept = lanes.of("kept");
        enter(&lanes.of("held back")).await.pause(Duration::from_secs(60));
        (0..3 * LANES).for_each(|number| drop(lanes.of(&number.to_string())));
        let known = lanes.lanes.lock().unwrap();
        assert!(known.len() <= LANES + 1 && known.contains_key("kept") && known.contains_key("held back"));
        drop(kept);
    }
}
