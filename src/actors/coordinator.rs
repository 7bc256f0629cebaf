//! Owns the state of one run and is the only one that appends to its journal: commands in, events stored, effects out.
//! Never waits for the world and never chooses: `decide` and `due` do.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use kameo::error::Infallible;
use kameo::prelude::*;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::entry;
use super::mirror::{Mirror, Untrue};
use super::planner::{Call, Planner, PlannerArgs};
use super::progress::{Lost, Progress};
use super::seal::{self, Reach, SealError, seal};
use super::seated;
use super::session::{Errand, Session, SessionArgs};
use super::shortage;
use super::world::{World, blocking, told};
use crate::io::clock::pass;
use crate::io::failpoint::{self, Point};
use crate::io::journal::{JournalError, NewEntry};
use crate::machine::command::Command;
use crate::machine::decide::decide;
use crate::machine::due::{Effect, deadline_beside, due};
use crate::machine::event::{Event, Recorded};
use crate::machine::evolve::evolve;
use crate::machine::laws::{Broken, follows, moves_or_rests};
use crate::machine::rejection::Rejection;
use crate::machine::snapshot::digest;
use crate::machine::state::State;
use crate::model::ids::ScopeId;

/// Messages that wait before a sender is held back: some thousands of reports of a few kilobytes each.
pub const MAILBOX: usize = 4096;

/// How often an effect is carried out whose report is refused.
const STARTS_AT_MOST: u32 = 3;

/// Says whether a command was followed.
pub type Answer = Result<(), Rejection>;

/// Brings a command; the answer comes when what it made happen is stored.
pub struct Tell {
    /// The command.
    pub command: Command,
    /// Where the answer is wanted.
    pub reply: Option<oneshot::Sender<Answer>>,
}

impl Tell {
    /// Brings a command whose answer nobody waits for.
    pub fn report(command: Command) -> Self {
        Self { command, reply: None }
    }
}

/// What a coordinator starts from.
pub struct CoordinatorArgs {
    /// The world.
    pub world: Arc<World>,
    /// The state as the journal has it.
    pub state: State,
    /// The number under which the journal lets this coordinator write.
    pub epoch: u64,
    /// Where its progress is shown.
    pub progress: watch::Sender<Progress>,
}

/// Coordinates one run.
pub struct Coordinator {
    world: Arc<World>,
    pub(super) state: State,
    epoch: u64,
    progress: watch::Sender<Progress>,
    waiting: Vec<Tell>,
    answers: Vec<(oneshot::Sender<Answer>, Answer)>,
    is_storing: bool,
    /// The law that is broken, where one is; nothing is stored or started any more.
    broken: Option<Broken>,
    /// The last event for which a proof was begun; none is begun while another is made.
    sealed: u64,
    is_sealing: bool,
    /// What the journal gave when it was last folded again; gone while it is being folded.
    mirror: Option<Box<Mirror>>,
    /// When time is let pass next, in milliseconds since 1970, and who waits for that.
    alarm: Option<(i64, JoinSet<()>)>,
    /// Whether something was not done for want of space, so that nothing is begun until there is some.
    is_held: bool,
    /// How often the disk was found short of space since it last was not.
    looks: u32,
    under_way: BTreeMap<Effect, UnderWay>,
    /// Sessions that are over, whose reports stand before this in the line.
    over: BTreeSet<ActorId>,
    /// How often each effect that is owed was started.
    starts: BTreeMap<Effect, u32>,
    planner: ActorRef<Planner>,
    me: WeakActorRef<Coordinator>,
}

/// Holds what carries out an effect.
enum UnderWay {
    /// A session of its own; it is cancelled when the sender goes.
    Session { actor: ActorRef<Session>, _cancel: watch::Sender<bool> },
    /// A planner somewhere in the tree.
    Planner,
}

/// What is to be appended, kept until it is.
#[derive(Clone)]
struct Append {
    after_seq: u64,
    entries: Arc<Vec<NewEntry>>,
}

struct Stored(Result<u64, JournalError>, Append);
struct Sealed(Result<(), SealError>);
struct Mirrored(Result<Box<Mirror>, Untrue>);
struct Tick;

impl Actor for Coordinator {
    type Args = CoordinatorArgs;
    type Error = Infallible;

    async fn on_start(args: CoordinatorArgs, me: ActorRef<Self>) -> Result<Self, Infallible> {
        let root =
            PlannerArgs { scope: ScopeId(0), ground: Arc::clone(&args.world.ground), coordinator: me.downgrade() };
        let planner = Planner::spawn_link(&me, root).await;
        let wake = Command::Wake { epoch: args.epoch, sandbox: Some(args.world.hands.tier()) };
        // A failed send means that the mailbox is closed, and then nothing is owed any more.
        let _ = me.tell(Tell::report(wake)).send().await;
        Ok(Self {
            world: args.world,
            mirror: Some(Box::new(Mirror::new(args.state.clone()))),
            state: args.state,
            epoch: args.epoch,
            progress: args.progress,
            waiting: Vec::new(),
            answers: Vec::new(),
            is_storing: false,
            broken: None,
            sealed: 0,
            is_sealing: false,
            alarm: None,
            is_held: false,
            looks: 0,
            under_way: BTreeMap::new(),
            over: BTreeSet::new(),
            starts: BTreeMap::new(),
            planner,
            me: me.downgrade(),
        })
    }

    async fn on_link_died(
        &mut self,
        _: WeakActorRef<Self>,
        id: ActorId,
        reason: ActorStopReason,
    ) -> Result<ControlFlow<ActorStopReason>, Infallible> {
        self.over.insert(id);
        if reason.is_normal() {
            if let Some(me) = self.me.upgrade() {
                let _ = me.tell(Tell::report(Command::Advance)).try_send();
            }
            return Ok(ControlFlow::Continue(()));
        }
        let what = format!("go on: a part of artel itself failed ({reason:?}); this is a bug");
        let dead = self.under_way.iter().find_map(|(effect, under_way)| match under_way {
            UnderWay::Session { actor, .. } => (actor.id() == id).then(|| effect.clone()),
            UnderWay::Planner => None,
        });
        let command = match dead {
            Some(Effect::Work { attempt, .. }) => Command::ReportLost { attempt, why: what },
            Some(_) | None => Command::ReportTrouble { what },
        };
        if let Some(me) = self.me.upgrade() {
            let _ = me.tell(Tell::report(command)).try_send();
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl Message<Tell> for Coordinator {
    type Reply = ();

    async fn handle(&mut self, tell: Tell, ctx: &mut Context<Self, ()>) {
        self.waiting.push(tell);
        if !self.is_storing {
            self.turn(ctx).await;
        }
    }
}

impl Message<Stored> for Coordinator {
    type Reply = ();

    async fn handle(&mut self, Stored(result, append): Stored, ctx: &mut Context<Self, ()>) {
        match result {
            Ok(_) => {
                self.is_storing = false;
                self.seal(ctx);
                self.mirror(ctx);
                self.settle(ctx).await;
                if !self.waiting.is_empty() {
                    self.turn(ctx).await;
                }
            }
            // Nothing was written, and nothing that follows from it was begun: it may be tried until there is space.
            Err(error @ JournalError::Full { .. }) => {
                let wait = shortage::patience(self.looks);
                self.looks += 1;
                tracing::warn!(run = %self.world.run, "failed to {}; trying again in {} s", told(&error), wait.as_secs());
                ctx.actor_ref().tell(append).send_after(wait);
            }
            Err(error) => {
                let is_passed_over = matches!(error, JournalError::Stale { .. });
                let lost = if is_passed_over { Lost::PassedOver } else { Lost::Journal(told(&error)) };
                self.stop(lost, ctx);
            }
        }
    }
}

impl Message<Append> for Coordinator {
    type Reply = ();

    async fn handle(&mut self, append: Append, ctx: &mut Context<Self, ()>) {
        self.store(append, ctx);
    }
}

impl Message<Sealed> for Coordinator {
    type Reply = ();

    async fn handle(&mut self, Sealed(result): Sealed, _: &mut Context<Self, ()>) {
        self.is_sealing = false;
        if let Err(error) = result {
            // The next proof covers what this one does not; a disk that fails is met by the next append too.
            tracing::warn!(run = %self.world.run, "failed to prove what the journal holds: {}", told(&error));
        }
    }
}

impl Message<Mirrored> for Coordinator {
    type Reply = ();

    async fn handle(&mut self, Mirrored(result): Mirrored, ctx: &mut Context<Self, ()>) {
        match result {
            Ok(mirror) => self.mirror = Some(mirror),
            Err(untrue) => return self.stop(untrue.into(), ctx),
        }
        if !self.is_storing {
            self.mirror(ctx);
            self.settle(ctx).await;
        }
    }
}

impl Message<Tick> for Coordinator {
    type Reply = ();

    async fn handle(&mut self, _: Tick, ctx: &mut Context<Self, ()>) {
        self.alarm = None;
        self.waiting.push(Tell::report(Command::LetLapse));
        if !self.is_storing {
            self.turn(ctx).await;
        }
    }
}

impl Coordinator {
    /// Decides all that waits, folds it in, and has it stored in one piece.
    async fn turn(&mut self, ctx: &mut Context<Self, ()>) {
        let now_ms = self.world.now_ms();
        let after_seq = self.state.seq;
        let mut entries = Vec::new();
        let is_short = self.look_at_the_disk(now_ms, &mut entries);
        for Tell { command, reply } in std::mem::take(&mut self.waiting) {
            let Some(command) = shortage::believed(command, is_short) else {
                self.is_held |= is_short;
                continue;
            };
            // That time has passed is decided below, once whoever is alive has a lease again and all reports were heard.
            let answer = if command == Command::Advance { Ok(()) } else { self.decide(&command, now_ms, &mut entries) };
            if let Err(rejection) = &answer {
                tracing::debug!(run = %self.world.run, %rejection, "refused");
            }
            if let Some(reply) = reply {
                self.answers.push((reply, answer));
            }
        }
        self.renew_lapsed(now_ms, &mut entries);
        // A law that let time pass without end would be a bug; the bound turns it into a visible stop. None is refused.
        for _ in 0..1000 {
            let before = entries.len();
            let _ = self.decide(&Command::Advance, now_ms, &mut entries);
            if entries.len() == before {
                break;
            }
        }
        // Their reports were decided above: what is owed still was refused, and is carried out anew.
        let over = std::mem::take(&mut self.over);
        self.under_way.retain(|_, under_way| match under_way {
            UnderWay::Session { actor, .. } => !over.contains(&actor.id()),
            UnderWay::Planner => true,
        });
        if let Some(broken) = self.broken.take() {
            return self.stop(Lost::Broken(broken), ctx);
        }
        if entries.is_empty() {
            self.settle(ctx).await;
            return;
        }
        failpoint::reach(Point::Before, self.state.seq);
        self.store(Append { after_seq, entries: Arc::new(entries) }, ctx);
    }

    fn store(&mut self, append: Append, ctx: &Context<Self, ()>) {
        self.is_storing = true;
        let (world, epoch) = (Arc::clone(&self.world), self.epoch);
        ctx.pipe(async move {
            let kept = append.clone();
            let write = move || world.journal.append(&world.run, epoch, append.after_seq, &append.entries);
            Stored(blocking(write).await, kept)
        });
    }

    /// Notes whether the disk is short of space, and lets what was held go on where it no longer is.
    fn look_at_the_disk(&mut self, now_ms: i64, entries: &mut Vec<NewEntry>) -> bool {
        let short = shortage::look(&self.world, self.state.short.is_some());
        let is_short = short.is_some();
        self.looks = if is_short { self.looks + 1 } else { 0 };
        if self.is_held && !is_short {
            self.is_held = false;
            self.starts.clear();
        }
        // How the disk stands is never refused.
        let _ = self.decide(&Command::ReportSpace { short }, now_ms, entries);
        is_short
    }

    /// Renews what lapsed while nothing happened, or by a clock that was set, though its session lives: it is by its
    /// limits that a session is ended. What a session left undone that is over has a whole lease again.
    fn renew_lapsed(&mut self, now_ms: i64, entries: &mut Vec<NewEntry>) {
        let is_lapsed = |id| self.state.attempt(id).is_some_and(|attempt| attempt.until_ms < now_ms);
        let renewed = self.under_way.iter().filter_map(|(effect, under_way)| {
            let Effect::Work { attempt, fence } = effect else { return None };
            let UnderWay::Session { actor, .. } = under_way else { return None };
            (self.over.contains(&actor.id()) || is_lapsed(*attempt)).then_some((*attempt, *fence))
        });
        for (attempt, fence) in renewed.collect::<Vec<_>>() {
            // Refused where its report came before.
            let _ = self.decide(&Command::RenewLease { attempt, fence }, now_ms, entries);
        }
    }

    /// Has what is stored proven now and then, beside the appends and never before one.
    fn seal(&mut self, ctx: &Context<Self, ()>) {
        let seq = self.state.seq;
        if self.is_sealing || seq < self.sealed + seal::EVERY {
            return;
        }
        self.is_sealing = true;
        let reach = Reach::after(std::mem::replace(&mut self.sealed, seq), seq);
        let world = Arc::clone(&self.world);
        ctx.pipe(async move { Sealed(blocking(move || seal(&world, reach)).await) });
    }

    /// Has what is stored folded again and held against this state, now and then and before the run comes to rest.
    fn mirror(&mut self, ctx: &Context<Self, ()>) {
        let is_due = |mirror: &mut Box<Mirror>| mirror.is_due(&self.state);
        let Some(mut mirror) = self.mirror.take_if(is_due) else { return };
        let (world, live) = (Arc::clone(&self.world), digest(&self.state));
        let seq = self.state.seq;
        let follow = move || mirror.follow(world.journal.as_ref(), &world.run, (seq, live)).map(|()| mirror);
        ctx.pipe(async move { Mirrored(blocking(follow).await) });
    }

    /// Adds what a command makes happen to what is to be stored; no secret is in it.
    fn decide(&mut self, command: &Command, now_ms: i64, entries: &mut Vec<NewEntry>) -> Answer {
        for event in decide(&self.state, command, now_ms)? {
            let lawful = follows(&self.state, &event);
            let (event, entry) = match lawful.and_then(|()| entry::of(event, &self.world.secrets, now_ms)) {
                Ok(written) => written,
                Err(broken) => {
                    self.broken.get_or_insert(broken);
                    break;
                }
            };
            entries.push(entry);
            if matches!(event, Event::LimitLifted { .. }) {
                self.world.gateway.try_at_once();
            }
            let recorded = Recorded { seq: self.state.seq + 1, at_ms: now_ms, event };
            self.state = evolve(std::mem::take(&mut self.state), &recorded);
        }
        Ok(())
    }

    /// Starts what is owed, cancels what is owed no longer, shows how far the run is, and answers who waits.
    async fn settle(&mut self, ctx: &mut Context<Self, ()>) {
        let owed = due(&self.state);
        if let Err(broken) = moves_or_rests(&self.state, &owed) {
            return self.stop(Lost::Broken(broken), ctx);
        }
        let owed: BTreeSet<Effect> = owed.into_iter().collect();
        self.under_way.retain(|effect, _| owed.contains(effect));
        self.starts.retain(|effect, _| owed.contains(effect));
        seated::sweep(&self.world, &self.state);
        for effect in owed {
            // What is being doubted does not land.
            let may_start = self.mirror.is_some() || !matches!(effect, Effect::Land { .. });
            if !self.under_way.contains_key(&effect) && !self.is_held && may_start {
                self.start(effect).await;
            }
        }
        self.keep_time();
        let is_mirrored = self.mirror.as_ref().is_some_and(|mirror| !mirror.is_due(&self.state));
        let is_idle = self.under_way.is_empty() && self.waiting.is_empty() && is_mirrored;
        let seq = self.state.seq;
        let is_resting = !self.state.is_live() && self.state.opening.is_some();
        self.progress.send_modify(|progress| {
            progress.seq = seq;
            progress.is_idle = is_idle;
            progress.is_resting = is_resting;
        });
        // Last, so that who is answered finds the progress true.
        for (reply, answer) in self.answers.drain(..) {
            // Who asked may have gone.
            let _ = reply.send(answer);
        }
        failpoint::reach(Point::Acknowledged, seq);
    }

    /// Gives up: what was not stored has not happened, and whoever wakes the run next replays what was.
    pub(super) fn stop(&self, lost: Lost, ctx: &mut Context<Self, ()>) {
        self.progress.send_modify(|progress| progress.lost = Some(lost));
        ctx.stop();
    }

    async fn start(&mut self, effect: Effect) {
        let starts = self.starts.entry(effect.clone()).or_default();
        *starts += 1;
        if *starts > STARTS_AT_MOST {
            let what = format!("get {effect:?} done: its report is refused again and again; this is a bug");
            if let Some(me) = self.me.upgrade() {
                let _ = me.tell(Tell::report(Command::ReportTrouble { what })).try_send();
            }
            return;
        }
        if let Effect::Plan { scope, fence: 0, .. } = effect {
            self.under_way.insert(effect, UnderWay::Planner);
            self.call_planner(scope).await;
            return;
        }
        let Some(errand) = Errand::of(&self.state, &effect) else { return };
        let Some(me) = self.me.upgrade() else { return };
        let (sender, cancelled) = watch::channel(false);
        let args = SessionArgs { world: Arc::clone(&self.world), errand, cancelled, coordinator: self.me.clone() };
        let actor = Session::spawn_link(&me, args).await;
        self.under_way.insert(effect, UnderWay::Session { actor, _cancel: sender });
    }

    /// Sends a scope's call down the tree of planners, from the root.
    async fn call_planner(&self, scope: ScopeId) {
        let Some(call) = Call::to(&self.state, scope) else { return };
        let _ = self.planner.tell(call).send().await;
    }

    /// Has time pass again when something depends on it.
    fn keep_time(&mut self) {
        let now_ms = self.world.now_ms();
        let wait = if self.is_held || self.state.short.is_some() {
            shortage::patience(self.looks)
        } else {
            let is_played = |attempt, fence| self.under_way.contains_key(&Effect::Work { attempt, fence });
            let Some(at_ms) = deadline_beside(&self.state, now_ms, is_played) else { return };
            Duration::from_millis(u64::try_from(at_ms.saturating_sub(now_ms)).unwrap_or(0))
        };
        let at_ms = now_ms.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        if self.alarm.as_ref().is_some_and(|(armed_ms, _)| *armed_ms <= at_ms) {
            return;
        }
        let (me, passing, mut alarm) = (self.me.clone(), pass(wait), JoinSet::new());
        alarm.spawn(async move {
            passing.await;
            if let Some(me) = me.upgrade() {
                let _ = me.tell(Tick).send().await;
            }
        });
        self.alarm = Some((at_ms, alarm));
    }
}
