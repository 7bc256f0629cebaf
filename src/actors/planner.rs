//! Owns the tree of planners: one actor a scope, each the parent of its sub-planners. Asks the coordinator for every
//! move and stops at the first that the law refuses. Never writes code and never schedules.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use kameo::error::Infallible;
use kameo::prelude::*;
use tokio::sync::oneshot;

use super::coordinator::{Coordinator, Tell};
use super::order::PlanOrder;
use super::world::{World, told};
use crate::io::agents::script::{PlannerMove, Woken, planner_moves, read_part};
use crate::io::agents::shard;
use crate::io::syntax::scan;
use crate::machine::command::{Command, PlanStep};
use crate::model::goal::Split;
use crate::model::ids::{Oid, ScopeId};
use crate::model::role::AgentRef;

/// Files of one group from which on its planner hands parts of it to sub-planners.
const SPLIT_FROM: usize = 400;

/// What a planner starts from.
#[derive(Clone)]
pub struct PlannerArgs {
    /// Its scope.
    pub scope: ScopeId,
    /// The world.
    pub world: Arc<World>,
    /// Whom it asks.
    pub coordinator: WeakActorRef<Coordinator>,
}

/// Plans one scope and is the parent of the planners of its sub-scopes.
pub struct Planner {
    args: PlannerArgs,
    children: BTreeMap<ScopeId, ActorRef<Planner>>,
    me: WeakActorRef<Planner>,
    /// The waking that is under way, for a report if this planner's work dies.
    wake: u32,
}

/// Asks a planner, or one below it, to plan.
pub struct Call {
    /// The scopes from the wanted one up to the child of the receiver; empty is the receiver itself.
    pub route: Vec<ScopeId>,
    /// What is to be planned.
    pub order: Box<PlanOrder>,
}

impl Actor for Planner {
    type Args = PlannerArgs;
    type Error = Infallible;

    async fn on_start(args: PlannerArgs, me: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self { args, children: BTreeMap::new(), me: me.downgrade(), wake: 0 })
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
        self.wake = order.wake;
        let (world, coordinator) = (Arc::clone(&self.args.world), self.args.coordinator.clone());
        let (scope, wake) = (order.scope, order.wake);
        tokio::spawn(async move {
            let mouth = Mouth { coordinator, scope, wake };
            let planning = tokio::spawn(plan(world, *order, mouth.clone())).await;
            let last = match planning {
                Ok(Ok(())) => PlanStep::Done,
                Ok(Err(why)) => PlanStep::Fail(why),
                Err(panicked) => PlanStep::Fail(format!("its planner broke ({panicked}); this is a bug")),
            };
            // A refusal here means that the scope was closed meanwhile.
            let _ = mouth.say(last).await;
        });
    }
}

/// Speaks for one waking of a scope.
#[derive(Clone)]
struct Mouth {
    coordinator: WeakActorRef<Coordinator>,
    scope: ScopeId,
    wake: u32,
}

impl Mouth {
    /// Makes a move and waits until it is stored; tells why where the law refuses it.
    async fn say(&self, step: PlanStep) -> Result<(), String> {
        let Some(coordinator) = self.coordinator.upgrade() else { return Err("the run is over".to_owned()) };
        let (reply, answer) = oneshot::channel();
        let command = Command::ReportPlan { scope: self.scope, wake: self.wake, step };
        let sent = coordinator.tell(Tell { command, reply: Some(reply) }).send().await;
        drop(coordinator);
        match (sent, answer.await) {
            (Ok(()), Ok(answer)) => answer.map_err(|rejection| rejection.to_string()),
            (Err(_), _) | (_, Err(_)) => Err("the run is over".to_owned()),
        }
    }
}

async fn plan(world: Arc<World>, order: PlanOrder, mouth: Mouth) -> Result<(), String> {
    let role = world.opening.roles.get(&order.draft.role);
    let role = role.ok_or_else(|| format!("there is no role `{}`", order.draft.role))?;
    match role.agents.first() {
        Some(AgentRef::Shard) => shard_out(world, order, mouth).await,
        Some(AgentRef::Script(name)) => {
            let text = world.opening.assets.get(name).cloned().unwrap_or_default();
            play_part(&text, name, &order, &mouth).await
        }
        Some(other) => Err(format!("{other} plans nothing: give the role `{}` shard or a script", role.name)),
        None => Err(format!("the role `{}` names no agent", role.name)),
    }
}

/// Makes the moves of a written part.
async fn play_part(text: &str, name: &str, order: &PlanOrder, mouth: &Mouth) -> Result<(), String> {
    let part = read_part(text).map_err(|faults| {
        let named: Vec<String> = faults.iter().map(ToString::to_string).collect();
        format!("the part {name} has faults: {}", named.join("; "))
    })?;
    let woken: Vec<Woken> =
        order.handoffs.iter().map(|(task, handoff)| Woken { task: task.clone(), handoff: handoff.clone() }).collect();
    let moves = planner_moves(&part, &order.draft.key, order.wake.saturating_sub(1), &woken);
    let moves = moves.ok_or_else(|| format!("the part {name} says nothing of planning"))?;
    for planned in moves {
        match planned {
            PlannerMove::Emit(tasks) => mouth.say(PlanStep::Emit(tasks)).await?,
            PlannerMove::Spawn(scopes) => mouth.say(PlanStep::Spawn(scopes)).await?,
            PlannerMove::Wait { ms } => tokio::time::sleep(Duration::from_millis(ms)).await,
            PlannerMove::Done => return Ok(()),
            PlannerMove::Fail(why) => return Err(why),
        }
    }
    Ok(())
}

/// Plans by rule: the root splits the files among sub-planners; a sub-planner looks at its files one after the other
/// and hands out a task as soon as one is full.
async fn shard_out(world: Arc<World>, order: PlanOrder, mouth: Mouth) -> Result<(), String> {
    let order = Arc::new(order);
    let (planning, looked) = (Arc::clone(&order), Arc::clone(&world));
    let groups = tokio::task::spawn_blocking(move || groups(&looked, &planning)).await;
    let groups = groups.map_err(|panicked| format!("its planner broke ({panicked}); this is a bug"))??;
    let Parts::Below(groups) = groups else {
        return emit_tasks(world, order, mouth).await;
    };
    if groups.is_empty() {
        return Ok(());
    }
    let role = &order.draft.role;
    mouth.say(PlanStep::Spawn(shard::scopes(&groups, &order.draft.key, order.iteration, role))).await
}

/// Says whether a scope is planned by sub-planners or directly.
enum Parts {
    Below(Vec<shard::Group>),
    Here,
}

fn groups(world: &World, order: &PlanOrder) -> Result<Parts, String> {
    let goal = &world.opening.goal;
    let failed = |error: &dyn std::error::Error| format!("failed to {}", told(error));
    if order.depth > 0 {
        let limits = world.opening.roles.get(&order.draft.role).map(|role| role.limits.clone()).unwrap_or_default();
        let files: Vec<String> = order.draft.paths.files.iter().cloned().collect();
        if files.len() < SPLIT_FROM || order.depth >= limits.depth || goal.plan.by == Split::Count {
            return Ok(Parts::Here);
        }
        let group = shard::Group {
            key: order.draft.key.clone(),
            title: order.draft.title.clone(),
            files,
            after: Vec::new(),
        };
        let parts = shard::split_further(&group);
        return Ok(if parts.len() > 1 { Parts::Below(parts) } else { Parts::Here });
    }
    if goal.plan.rules.is_empty() {
        return Err("shard needs rules: name rule files under `plan.rules` in the goal".to_owned());
    }
    let rules = world.rules(&goal.plan.rules).map_err(|error| failed(&error))?;
    let files = world.repo.files(order.tree).map_err(|error| failed(&error))?;
    let paths = files.files.iter().filter(|file| file.mode != 0o120_000).map(|file| file.path.as_str());
    let readable = paths.filter(|path| rules.iter().any(|rule| rule.reads(path)));
    let plan = &goal.plan;
    let wanted = shard::Wanted {
        owns: &goal.owns,
        never: &goal.never,
        exclude: &plan.exclude,
        stop_list: &order.stop_list,
    };
    let candidates = shard::candidates(readable, &wanted);
    let candidates = candidates.map_err(|error| failed(&error))?;
    let read = |path: &str| text_of(world, order.tree, path);
    let groups = shard::split(plan.by, &candidates, &read).map_err(|error| failed(&error))?;
    Ok(Parts::Below(groups))
}

fn text_of(world: &World, tree: Oid, path: &str) -> Option<String> {
    // A manifest that cannot be read is one that says nothing.
    let bytes = world.repo.read_path(tree, path).ok()??;
    String::from_utf8(bytes).ok()
}

/// Looks at a scope's files in order and hands out each task as soon as it is full.
async fn emit_tasks(world: Arc<World>, order: Arc<PlanOrder>, mouth: Mouth) -> Result<(), String> {
    let goal = &world.opening.goal;
    let files: Vec<String> = order.draft.paths.files.iter().cloned().collect();
    let group = shard::Group {
        key: order.draft.key.clone(),
        title: order.draft.title.clone(),
        files: files.clone(),
        after: Vec::new(),
    };
    let plan = &goal.plan;
    let after = Vec::new();
    let mut chunker = shard::Chunker::new(
        &group,
        plan.files_per_task,
        order.iteration,
        &plan.rules,
        &plan.worker,
        &after,
    );
    for portion in files.chunks(LOOK_AT_ONCE) {
        let (world, tree, portion) = (Arc::clone(&world), order.tree, portion.to_vec());
        let found = tokio::task::spawn_blocking(move || look(&world, tree, &portion)).await;
        let found = found.map_err(|panicked| format!("its planner broke ({panicked}); this is a bug"))??;
        let full: Vec<_> = found.into_iter().filter_map(|(file, matches)| chunker.push(&file, matches)).collect();
        if !full.is_empty() {
            mouth.say(PlanStep::Emit(full)).await?;
        }
    }
    match chunker.finish() {
        Some(last) => mouth.say(PlanStep::Emit(vec![last])).await,
        None => Ok(()),
    }
}

/// Files that are looked at between two moves.
const LOOK_AT_ONCE: usize = 16;

/// Counts a rule's matches in files; files without any are left out.
fn look(world: &World, tree: Oid, files: &[String]) -> Result<Vec<(String, u32)>, String> {
    let failed = |error: &dyn std::error::Error| format!("failed to {}", told(error));
    let rules = world.rules(&world.opening.goal.plan.rules).map_err(|error| failed(&error))?;
    let mut found = Vec::new();
    for file in files {
        let Some(bytes) = world.repo.read_path(tree, file).map_err(|error| failed(&error))? else { continue };
        let count = |rule: &crate::io::syntax::Rules| match scan(rule, file, &bytes) {
            Ok(matches) => matches.len(),
            Err(_) if rule.reads(file) => 0,
            Err(_) => 0,
        };
        let matches: usize = rules.iter().map(count).sum();
        if matches > 0 {
            found.push((file.clone(), u32::try_from(matches).unwrap_or(u32::MAX)));
        }
    }
    Ok(found)
}
