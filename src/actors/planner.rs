//! Owns the tree of planners: one actor a scope, each the parent of its sub-planners. Never plans itself: `planning`
//! does, at its word.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use kameo::error::Infallible;
use kameo::prelude::*;

use super::coordinator::Coordinator;
use super::order::{self, PlanOrder};
use super::planning::{Mouth, plan};
use super::world::Ground;
use crate::machine::command::PlanStep;
use crate::machine::state::State;
use crate::model::ids::ScopeId;

/// What a planner starts from.
#[derive(Clone)]
pub struct PlannerArgs {
    /// Its scope.
    pub scope: ScopeId,
    /// What it plans on.
    pub ground: Arc<Ground>,
    /// Whom it asks.
    pub coordinator: WeakActorRef<Coordinator>,
}

/// Plans one scope and is the parent of the planners of its sub-scopes.
pub struct Planner {
    args: PlannerArgs,
    children: BTreeMap<ScopeId, ActorRef<Planner>>,
    me: WeakActorRef<Planner>,
}

/// Asks a planner, or one below it, to plan.
pub struct Call {
    /// The scopes from the wanted one up to the child of the receiver; empty is the receiver itself.
    pub route: Vec<ScopeId>,
    /// What is to be planned.
    pub order: Box<PlanOrder>,
}

impl Call {
    /// Calls the planner of a scope by way of the root's; nothing where there is no such scope.
    pub fn to(state: &State, scope: ScopeId) -> Option<Self> {
        let order = order::planning(state, scope)?;
        let above = |id: &ScopeId| state.scopes.get(id)?.parent;
        // The route is read from its end: the root has taken itself off.
        let mut route: Vec<ScopeId> = std::iter::successors(Some(scope), above).collect();
        route.pop();
        Some(Self { route, order: Box::new(order) })
    }
}

impl Actor for Planner {
    type Args = PlannerArgs;
    type Error = Infallible;

    async fn on_start(args: PlannerArgs, me: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self { args, children: BTreeMap::new(), me: me.downgrade() })
    }

    async fn on_link_died(
        &mut self,
        _: WeakActorRef<Self>,
        id: ActorId,
        reason: ActorStopReason,
    ) -> Result<ControlFlow<ActorStopReason>, Infallible> {
        let child = self.children.iter().find(|(_, child)| child.id() == id).map(|(scope, _)| *scope);
        let Some(scope) = child else {
            // Whoever started this planner is gone: so is its reason to be.
            return Ok(ControlFlow::Break(ActorStopReason::LinkDied { id, reason: Box::new(reason) }));
        };
        self.children.remove(&scope);
        Ok(ControlFlow::Continue(()))
    }
}

impl Message<Call> for Planner {
    type Reply = ();

    async fn handle(&mut self, call: Call, _: &mut Context<Self, ()>) {
        let Call { mut route, order } = call;
        if let Some(next) = route.pop() {
            if !self.children.contains_key(&next) {
                let Some(me) = self.me.upgrade() else { return };
                let child = Planner::spawn_link(&me, PlannerArgs { scope: next, ..self.args.clone() }).await;
                self.children.insert(next, child);
            }
            if let Some(child) = self.children.get(&next) {
                let _ = child.tell(Call { route, order }).send().await;
            }
            return;
        }
        let ground = Arc::clone(&self.args.ground);
        let mouth = Mouth::of(self.args.coordinator.clone(), order.scope, order.wake);
        tokio::spawn(async move {
            let last = match tokio::spawn(plan(ground, *order, mouth.clone())).await {
                Ok(Ok(())) => PlanStep::Done,
                Ok(Err(why)) => PlanStep::Fail(why),
                Err(panicked) => PlanStep::Fail(format!("its planner broke ({panicked}); this is a bug")),
            };
            // A refusal here means that the scope was closed meanwhile.
            let _ = mouth.say(last).await;
        });
    }
}
