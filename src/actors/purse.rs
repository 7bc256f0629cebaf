//! Owns what one session may use: held in the journal before a call is sent, in portions, and told there after it. Never
//! decides who may have it: the law does.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use kameo::prelude::WeakActorRef;
use tokio::sync::{Notify, oneshot};

use super::coordinator::{Coordinator, Tell};
use crate::io::gateway::{self, Outcome, Pending, Refusal};
use crate::machine::command::Command;
use crate::machine::rejection::Rejection;
use crate::model::means::Means;
use crate::model::seat::Seat;
use crate::model::spend::{Call, CallEnd};

/// How much is asked for beyond what the next call needs, so that not each call waits for the disk: a dime, and tokens and
/// calls for about as long.
const PORTION: Means = Means { nano_usd: 100_000_000, tokens: 100_000, calls: 10 };

/// Brings the sessions of a run together where one waits for money that others hold.
#[derive(Default)]
pub struct Till {
    purses: Mutex<Vec<Weak<Purse>>>,
    waiting: AtomicUsize,
    changed: Notify,
}

impl Till {
    /// Lists the purses whose sessions go on.
    fn purses(&self) -> Vec<Arc<Purse>> {
        let mut purses = self.purses.lock().unwrap_or_else(PoisonError::into_inner);
        purses.retain(|purse| purse.strong_count() > 0);
        purses.iter().filter_map(Weak::upgrade).collect()
    }
}

/// Says who may have money, and stores what is told.
pub trait Law: Send + Sync {
    /// Brings a command and waits until what it makes happen is stored; nothing where the run is over.
    fn tell(&self, command: Command) -> Pending<'_, Option<Result<(), Rejection>>>;
}

impl Law for WeakActorRef<Coordinator> {
    fn tell(&self, command: Command) -> Pending<'_, Option<Result<(), Rejection>>> {
        Box::pin(async move {
            let coordinator = self.upgrade()?;
            let (reply, answer) = oneshot::channel();
            coordinator.tell(Tell { command, reply: Some(reply) }).send().await.ok()?;
            drop(coordinator);
            answer.await.ok()
        })
    }
}

/// Holds the money of one session.
pub struct Purse {
    till: Arc<Till>,
    law: Box<dyn Law>,
    seat: Seat,
    fence: u64,
    pot: Mutex<Pot>,
    /// Whether its session is over, so that nothing is waited for any longer.
    is_over: AtomicBool,
    /// Has what one session asks for and gives back reach the law one after another, so that the law knows of as much as
    /// the pot does whenever it is asked.
    asking: tokio::sync::Mutex<()>,
}

/// Counts what a session holds.
#[derive(Debug, Default)]
struct Pot {
    granted: Means,
    /// For calls that are under way.
    reserved: Means,
    spent: Means,
    /// How many calls are over: not money, but what tells that there may be some.
    settled: u64,
}

impl Pot {
    fn free(&self) -> Means {
        self.granted.minus(self.reserved).minus(self.spent)
    }

    fn settle(&mut self, reserved: Means, spent: Means) {
        self.reserved = self.reserved.minus(reserved);
        self.spent = self.spent.plus(spent);
        self.settled += 1;
    }

    /// Takes in what was granted and sets a sum aside; tells what is missing for that, where it is too little.
    fn reserve(&mut self, granted: Means, means: Means) -> Option<Means> {
        self.granted = self.granted.plus(granted);
        let missing = means.minus(self.free());
        if missing.is_nothing() {
            self.reserved = self.reserved.plus(means);
        }
        (!missing.is_nothing()).then_some(missing)
    }
}

/// Says why an ask brought nothing.
enum Refused {
    /// Others may give some back.
    Held,
    /// There is none.
    Spent(String),
    /// The session or its run is over.
    Over,
}

impl Purse {
    /// Makes the purse of whoever sits at a seat, empty.
    pub fn of(till: &Arc<Till>, law: impl Law + 'static, (seat, fence): (Seat, u64)) -> Arc<Self> {
        let (pot, is_over, asking) = Default::default();
        let purse = Arc::new(Self { till: Arc::clone(till), law: Box::new(law), seat, fence, pot, is_over, asking });
        till.purses.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&purse));
        purse
    }

    /// Ends all waiting for money: the session's job is over.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.till.changed.notify_waiters();
    }

    /// Gives back what its session has not used, and tells who waits for that: its report comes later, and wakes nobody.
    pub async fn close(&self) {
        self.give_back().await;
        self.till.changed.notify_waiters();
    }

    fn pot(&self) -> MutexGuard<'_, Pot> {
        // Nothing that panics is done under the lock.
        self.pot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets money aside for a call, from what is free or by asking for more.
    async fn hold(&self, means: Means) -> Result<(), Refusal> {
        loop {
            let changed = self.till.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            if self.is_over.load(Ordering::SeqCst) {
                return Err(Refusal::Closed);
            }
            let one_at_a_time = self.asking.lock().await;
            let (missing, has_calls, settled) = {
                let mut pot = self.pot();
                let Some(missing) = pot.reserve(Means::default(), means) else { return Ok(()) };
                (missing, !pot.reserved.is_nothing(), pot.settled)
            };
            let refused = match self.ask(missing).await {
                // Set aside before another can ask for it back.
                Ok(granted) => match self.pot().reserve(granted, means) {
                    None => return Ok(()),
                    Some(_) => continue,
                },
                Err(refused) => refused,
            };
            drop(one_at_a_time);
            match refused {
                Refused::Over => return Err(Refusal::Closed),
                // No call of its own was under way, nor has one begun since: those begin under the lock.
                Refused::Spent(what) if !has_calls => return Err(Refusal::BudgetReached { what, wants: means }),
                Refused::Spent(_) | Refused::Held => {}
            }
            // Nobody holds what no call under way needs while another waits for it, this one included.
            self.till.waiting.fetch_add(1, Ordering::SeqCst);
            // A call of its own that ended while it was asked may have left some, and told nobody.
            let mut came_back = self.pot().settled - settled;
            for purse in self.till.purses() {
                let given = purse.give_back().await;
                came_back += u64::from(purse.seat != self.seat && !given.is_nothing());
            }
            if came_back == 0 {
                changed.await;
            }
            self.till.waiting.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Asks for a portion beside what is missing, or else for that alone; gives what was granted.
    async fn ask(&self, missing: Means) -> Result<Means, Refused> {
        let mut refused = Refused::Over;
        for means in [missing.plus(PORTION), missing] {
            let (seat, fence) = (self.seat, self.fence);
            match self.law.tell(Command::AskAllowance { seat, fence, means }).await {
                Some(Ok(())) => return Ok(means),
                Some(Err(Rejection::MoneyIsHeld)) => refused = Refused::Held,
                Some(Err(spent @ Rejection::MoneyIsSpent { .. })) => refused = Refused::Spent(spent.to_string()),
                Some(Err(_)) | None => return Err(Refused::Over),
            }
        }
        Err(refused)
    }

    /// Gives back what no call under way needs, and tells how much that is.
    async fn give_back(&self) -> Means {
        let _one_at_a_time = self.asking.lock().await;
        let means = {
            let mut pot = self.pot();
            let free = pot.free();
            pot.granted = pot.granted.minus(free);
            free
        };
        if !means.is_nothing() {
            let (seat, fence) = (self.seat, self.fence);
            self.law.tell(Command::ReturnAllowance { seat, fence, means }).await;
            self.till.changed.notify_waiters();
        }
        means
    }

    async fn count(&self, call: gateway::Call) {
        let (reserved, call) = (call.reserved, as_told(call));
        let (seat, fence, spent) = (self.seat, self.fence, call.spend().means());
        self.law.tell(Command::ReportCall { seat, fence, call }).await;
        self.pot().settle(reserved, spent);
        if self.till.waiting.load(Ordering::SeqCst) > 0 {
            self.give_back().await;
        }
        // Also where nothing came back: who was told to wait for this call is to ask again.
        self.till.changed.notify_waiters();
    }
}

impl gateway::Purse for Purse {
    fn reserve(&self, means: Means) -> Pending<'_, Result<(), Refusal>> {
        Box::pin(self.hold(means))
    }

    fn settle(&self, call: gateway::Call) -> Pending<'_, ()> {
        Box::pin(self.count(call))
    }
}

/// Tells the journal of a call.
fn as_told(call: gateway::Call) -> Call {
    let end = match call.outcome {
        Outcome::Complete => CallEnd::Whole,
        Outcome::Cut => CallEnd::Cut,
        Outcome::Failed => CallEnd::Failed,
        Outcome::Refused(why) => CallEnd::Refused { why: why.to_string(), policy: call.policy },
    };
    Call {
        number: call.number,
        provider: call.provider,
        model: call.model,
        end,
        status: call.status,
        tokens: call.tokens,
        nano_usd: call.nano_usd,
        ms: call.ms,
        bytes: call.request_bytes.saturating_add(call.response_bytes),
        told: false,
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::{JoinSet, yield_now};

    use super::*;
    use crate::io::gateway::Purse as _;
    use crate::machine::testing::{Scene, attempt, draft};
    use crate::model::means::Bounds;
    use crate::model::role::AgentRef;

    /// What each call has set aside and what it takes: two can be afforded, but not at once.
    const BOUND: u64 = 760_000_000;
    const PRICE: u64 = 5_000_000;
    const NEEDS: Means = Means { nano_usd: BOUND, tokens: 1000, calls: 1 };

    /// Is the law of a real run, reached as late as chance has it.
    #[derive(Clone)]
    struct Chancy {
        scene: Arc<Mutex<Scene>>,
        chance: Arc<Mutex<fastrand::Rng>>,
    }

    impl Chancy {
        fn of(seed: u64) -> Self {
            let scene = Scene::opened(|opening| {
                // Money is what is short in some, and tokens or calls in others.
                let budget = &mut opening.goal.budget;
                match seed % 3 {
                    0 => budget.nano_usd = Some(2 * BOUND - 1),
                    1 => budget.tokens = Some(2 * NEEDS.tokens - 1),
                    _ => budget.roles = [("worker".to_owned(), Bounds { calls: Some(6), ..Bounds::default() })].into(),
                }
                opening.roles.get_mut("worker").unwrap().agents = vec![AgentRef::Script("part.yml".into())];
            });
            let scene = scene.begun().planned(vec![draft("a", "a"), draft("b", "b")]).settled();
            Self { scene: Arc::new(Mutex::new(scene)), chance: Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))) }
        }

        async fn waits(&self) {
            let turns = self.chance.lock().unwrap().u32(0..6);
            for _ in 0..turns {
                yield_now().await;
            }
        }
    }

    impl Law for Chancy {
        fn tell(&self, command: Command) -> Pending<'_, Option<Result<(), Rejection>>> {
            Box::pin(async move {
                self.waits().await;
                let answer = {
                    let mut scene = self.scene.lock().unwrap();
                    let events = scene.when(&command);
                    events.map(|events| *scene = events.into_iter().fold(scene.clone(), Scene::given))
                };
                self.waits().await;
                Some(answer)
            })
        }
    }

    fn call(number: u64) -> gateway::Call {
        gateway::Call {
            number,
            provider: "p".to_owned(),
            model: "m".to_owned(),
            status: 200,
            outcome: Outcome::Complete,
            tokens: gateway::Tokens::default(),
            nano_usd: PRICE,
            reserved: NEEDS,
            api: None,
            streamed: true,
            priced: true,
            ms: 1,
            request_bytes: 1,
            response_bytes: 1,
            policy: String::new(),
        }
    }

    /// Makes calls one after another; the account of each may be settled after the next has been asked for.
    async fn session(purse: Arc<Purse>, law: Chancy, calls: u64) -> Result<(), Refusal> {
        let mut accounts = JoinSet::new();
        for number in 1..=calls {
            purse.reserve(NEEDS).await?;
            law.waits().await;
            let paid = Arc::clone(&purse);
            accounts.spawn(async move { paid.settle(call(number)).await });
        }
        accounts.join_all().await;
        purse.close().await;
        Ok(())
    }

    #[tokio::test]
    async fn sessions_that_can_pay_for_one_call_at_a_time_all_come_to_their_turn() {
        for seed in 0..300 {
            let (law, till) = (Chancy::of(seed), Arc::new(Till::default()));
            let mut sessions = JoinSet::new();
            for task in [1, 2] {
                let at = attempt(task, 1);
                let fence = law.scene.lock().unwrap().state.attempt(at).unwrap().fence;
                let purse = Purse::of(&till, law.clone(), (Seat::Attempt(at), fence));
                sessions.spawn(session(purse, law.clone(), 3));
            }
            while let Some(ended) = sessions.join_next().await {
                assert!(ended.unwrap().is_ok(), "seed {seed}");
            }
            let state = &law.scene.lock().unwrap().state;
            assert_eq!((state.held(), state.accounted().nano_usd), (Means::default(), 6 * PRICE), "seed {seed}");
        }
    }
}
