//! Owns one effect while it is carried out: an attempt, a judging, a step of landing. Reports once and ends.
//! Never outlives what it started.

use std::sync::Arc;

use kameo::error::Infallible;
use kameo::prelude::*;
use tokio::sync::watch;

use super::coordinator::{Coordinator, Tell};
use super::delivery::Delivering;
use super::order::{self, Checking, Judging, Landing, Merging, Order, Reviewing, RunJudging, SessionPlan};
use super::world::World;
use super::{closing, delivery, judge, judge_session, landing, planner_session, run_judge_session, worker};
use crate::io::failpoint;
use crate::machine::asked::Heard;
use crate::machine::command::{Command, Leave};
use crate::machine::due::Effect;
use crate::machine::state::State;
use crate::model::attempt::Usage;
use crate::model::ids::{AttemptId, Oid};
use crate::model::role::AgentRef;
use crate::model::seat::Seat;

/// Says what is to be carried out, with all that it needs.
pub enum Errand {
    /// Make the run's branch.
    OpenBranch,
    /// Run the checks on the base.
    TakeBaseline,
    /// Play an attempt.
    Work(Box<Order>),
    /// Plan a scope in a session.
    Plan(Box<SessionPlan>),
    /// Judge a candidate.
    Judge(Box<Judging>),
    /// Judge one in a session.
    Review(Box<Reviewing>),
    /// Judge the run in a session.
    JudgeRun(Box<RunJudging>),
    /// Merge a batch.
    Merge(Merging),
    /// Check a prefix.
    Check(Checking),
    /// Move the run's branch.
    Land(Landing),
    /// Look at the done-conditions.
    CheckConditions(Oid),
    /// Deliver.
    Deliver(Box<Delivering>),
}

impl Errand {
    /// Puts together all that carrying out an effect needs, so that whoever does it never asks back; none for what a
    /// planner does, and for what the state no longer holds.
    pub fn of(state: &State, effect: &Effect) -> Option<Self> {
        Some(match effect {
            Effect::OpenBranch => Self::OpenBranch,
            Effect::TakeBaseline => Self::TakeBaseline,
            Effect::Plan { fence: 0, .. } => return None,
            Effect::Plan { scope, wake, fence } => {
                Self::Plan(Box::new(order::session_plan(state, *scope, *wake, *fence)?))
            }
            Effect::JudgeRun { iteration, fence } => {
                Self::JudgeRun(Box::new(order::run_judging(state, *iteration, *fence)?))
            }
            Effect::Review { attempt, lens, fence } => {
                Self::Review(Box::new(order::reviewing(state, *attempt, *lens, *fence)?))
            }
            Effect::Work { attempt, fence } => Self::Work(Box::new(order::work(state, *attempt, *fence)?)),
            Effect::Judge { attempt } => Self::Judge(Box::new(order::judging(state, *attempt)?)),
            Effect::Merge { batch } => Self::Merge(order::merging(state, *batch)?),
            Effect::Check { batch, upto, commit, tree, repeat } => {
                let baseline = state.baseline.clone()?;
                Self::Check(Checking {
                    batch: *batch,
                    upto: *upto,
                    commit: *commit,
                    tree: *tree,
                    reds: repeat.then(|| order::reds(state)),
                    baseline,
                })
            }
            Effect::Land { batch, from, to, tree } => {
                let landed = order::landing_attempts(state);
                Self::Land(Landing { batch: *batch, from: *from, to: *to, tree: *tree, landed })
            }
            Effect::CheckConditions { head } => Self::CheckConditions(*head),
            Effect::Deliver { branch, head } => Self::Deliver(Box::new(Delivering::of(state, branch, *head))),
        })
    }
}

/// What a session starts from.
pub struct SessionArgs {
    /// The world.
    pub world: Arc<World>,
    /// What it carries out.
    pub errand: Errand,
    /// Turns true, or loses its sender, when the effect is owed no longer.
    pub cancelled: watch::Receiver<bool>,
    /// Who is told the result.
    pub coordinator: WeakActorRef<Coordinator>,
}

/// Carries out one effect.
pub struct Session {
    coordinator: WeakActorRef<Coordinator>,
}

struct Over(Option<Command>);

/// Says against whom it is that an errand broke.
enum Broke {
    Attempt(AttemptId),
    Seat(Seat, u64),
    Run,
}

impl Broke {
    fn of(errand: &Errand) -> Self {
        match errand {
            Errand::Work(order) => Self::Attempt(order.attempt),
            Errand::Plan(order) => Self::Seat(order.seated.seat, order.seated.fence),
            Errand::Review(order) => Self::Seat(order.seated.seat, order.seated.fence),
            Errand::JudgeRun(order) => Self::Seat(order.seated.seat, order.seated.fence),
            Errand::OpenBranch
            | Errand::TakeBaseline
            | Errand::Judge(_)
            | Errand::Merge(_)
            | Errand::Check(_)
            | Errand::Land(_)
            | Errand::CheckConditions(_)
            | Errand::Deliver(_) => Self::Run,
        }
    }

    fn report(self, what: String) -> Command {
        match self {
            Self::Attempt(attempt) => Command::ReportLost { attempt, why: what },
            Self::Seat(seat, fence) => {
                Command::LeaveSeat { seat, fence, leave: Leave::Failed(what), usage: Usage::default() }
            }
            Self::Run => Command::ReportTrouble { what },
        }
    }
}

impl Actor for Session {
    type Args = SessionArgs;
    type Error = Infallible;

    async fn on_start(args: SessionArgs, me: ActorRef<Self>) -> Result<Self, Infallible> {
        let SessionArgs { world, errand, cancelled, coordinator } = args;
        let to = coordinator.clone();
        tokio::spawn(async move {
            let broke = Broke::of(&errand);
            let done = tokio::spawn(carry_out(world, errand, cancelled, to)).await;
            let command = done.unwrap_or_else(|panicked| {
                let what = format!("go on: a part of artel itself failed ({panicked}); this is a bug");
                Some(broke.report(what))
            });
            let _ = me.tell(Over(command)).send().await;
        });
        Ok(Self { coordinator })
    }
}

impl Message<Over> for Session {
    type Reply = ();

    async fn handle(&mut self, Over(command): Over, ctx: &mut Context<Self, ()>) {
        failpoint::effect_done();
        if let (Some(command), Some(coordinator)) = (command, self.coordinator.upgrade()) {
            let _ = coordinator.tell(Tell::report(command)).send().await;
        }
        ctx.stop();
    }
}

/// Has written down what people have said that a session's brief holds from the first.
async fn begins(coordinator: &WeakActorRef<Coordinator>, (seat, fence): (Seat, u64), heard: Heard) {
    let Some(coordinator) = coordinator.upgrade().filter(|_| heard != Heard::default()) else { return };
    let command = Command::ReportHeard { seat, fence, heard, before_call: 1 };
    // Before whatever the session reports itself.
    let _ = coordinator.tell(Tell::report(command)).send().await;
}

/// Carries an errand out; gives the report, or nothing where it was cancelled.
async fn carry_out(
    world: Arc<World>,
    errand: Errand,
    cancelled: watch::Receiver<bool>,
    coordinator: WeakActorRef<Coordinator>,
) -> Option<Command> {
    match errand {
        Errand::OpenBranch => Some(landing::open_branch(&world).await),
        Errand::TakeBaseline => closing::take_baseline(&world, cancelled).await,
        Errand::Work(order) => {
            let (attempt, fence) = (order.attempt, order.fence);
            if !matches!(order.agent, AgentRef::Codemod | AgentRef::Revert) {
                begins(&coordinator, (Seat::Attempt(attempt), fence), order.heard).await;
            }
            worker::play(&world, *order, &coordinator, cancelled).await
        }
        Errand::Plan(order) => {
            let of_run = u32::try_from(order.steering.len()).unwrap_or(u32::MAX);
            begins(&coordinator, (order.seated.seat, order.seated.fence), Heard { of_run, of_task: 0 }).await;
            planner_session::plan(&world, *order, &coordinator, cancelled).await
        }
        Errand::Review(order) => judge_session::review(&world, *order, &coordinator, cancelled).await,
        Errand::JudgeRun(order) => run_judge_session::judge(&world, *order, &coordinator, cancelled).await,
        Errand::Judge(judging) => judge::judge(&world, *judging, cancelled).await,
        Errand::Merge(merging) => Some(landing::merge(&world, merging).await),
        Errand::Check(checking) => landing::check(&world, checking, cancelled).await,
        Errand::Land(to) => Some(landing::land(&world, to).await),
        Errand::CheckConditions(head) => closing::check_conditions(&world, head, cancelled).await,
        Errand::Deliver(delivering) => delivery::deliver(&world, *delivering, cancelled).await,
    }
}
