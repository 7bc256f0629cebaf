//! Owns how a scope is planned: by rule (`shard`) or by a written part. Asks for every move and stops at the first
//! that the law refuses. Never schedules and never writes code.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kameo::prelude::*;
use tokio::sync::oneshot;

use super::coordinator::{Coordinator, Tell};
use super::order::{self, PlanOrder};
use super::world::{Ground, told};
use crate::io::agents::script::{PlannerMove, Woken, planner_moves, read_part};
use crate::io::agents::{shard, whole};
use crate::io::failpoint;
use crate::io::syntax::scan;
use crate::machine::command::{Command, PlanStep};
use crate::machine::decide::decide;
use crate::machine::event::Recorded;
use crate::machine::evolve::evolve;
use crate::machine::state::State;
use crate::model::goal::{Order, Split};
use crate::model::ids::{Oid, ScopeId};
use crate::model::role::AgentRef;

/// Files of one group from which on its planner hands parts of it to sub-planners.
const SPLIT_FROM: usize = 400;

/// Speaks for one waking of a scope.
#[derive(Clone)]
pub struct Mouth {
    to: Ear,
    scope: ScopeId,
    wake: u32,
    /// The fence under which it sits; 0 plans by rule.
    fence: u64,
}

/// Says who hears a planner's moves.
#[derive(Clone)]
enum Ear {
    /// The coordinator, which stores them.
    Coordinator(WeakActorRef<Coordinator>),
    /// A state that nobody stores, for looking at a plan before there is a run.
    Draft(Arc<Mutex<State>>),
}

impl Mouth {
    /// Speaks to a coordinator.
    pub fn of(coordinator: WeakActorRef<Coordinator>, scope: ScopeId, wake: u32) -> Self {
        Self::sitting(coordinator, (scope, wake, 0))
    }

    /// Speaks to a coordinator for whoever sits under a fence.
    pub fn sitting(coordinator: WeakActorRef<Coordinator>, (scope, wake, fence): (ScopeId, u32, u64)) -> Self {
        Self { to: Ear::Coordinator(coordinator), scope, wake, fence }
    }

    /// Lets time pass between two moves; looking at a plan takes none.
    async fn pause(&self, time: Duration) {
        match &self.to {
            Ear::Coordinator(_) => tokio::time::sleep(time).await,
            Ear::Draft(_) => {}
        }
    }

    /// Makes a move and waits until it is stored; tells why where the law refuses it.
    pub async fn say(&self, step: PlanStep) -> Result<(), String> {
        let command = Command::ReportPlan { scope: self.scope, wake: self.wake, fence: self.fence, step };
        let over = || "the run is over".to_owned();
        match &self.to {
            Ear::Draft(state) => fold(state, &command),
            Ear::Coordinator(coordinator) => {
                failpoint::effect_done();
                let coordinator = coordinator.upgrade().ok_or_else(over)?;
                let (reply, answer) = oneshot::channel();
                let sent = coordinator.tell(Tell { command, reply: Some(reply) }).send().await;
                drop(coordinator);
                match (sent, answer.await) {
                    (Ok(()), Ok(answer)) => answer.map_err(|rejection| rejection.to_string()),
                    (Err(_), _) | (_, Err(_)) => Err(over()),
                }
            }
        }
    }
}

/// Decides a command on a state and folds what it makes happen.
fn fold(state: &Mutex<State>, command: &Command) -> Result<(), String> {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let events = decide(&state, command, 0).map_err(|rejection| rejection.to_string())?;
    for event in events {
        let recorded = Recorded { seq: state.seq + 1, at_ms: 0, event };
        *state = evolve(std::mem::take(&mut state), &recorded);
    }
    Ok(())
}

/// Plans a whole goal without a run: gives the state as it would be when planning ends. Nothing is stored or made.
pub async fn draft(ground: Arc<Ground>) -> State {
    let state = Arc::new(Mutex::new(State::default()));
    let open = Command::Open(Box::new(ground.opening.as_ref().clone()));
    let mut went_on = fold(&state, &open).is_ok();
    while went_on {
        let next = {
            let state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.planning.first().and_then(|scope| order::planning(&state, *scope))
        };
        let Some(order) = next else { break };
        let mouth = Mouth { to: Ear::Draft(Arc::clone(&state)), scope: order.scope, wake: order.wake, fence: 0 };
        let last = match plan(Arc::clone(&ground), order, mouth.clone()).await {
            Ok(()) => PlanStep::Done,
            Err(why) => PlanStep::Fail(why),
        };
        went_on = mouth.say(last).await.is_ok();
    }
    let state = state.lock().unwrap_or_else(PoisonError::into_inner);
    state.clone()
}

/// Plans one waking of a scope: makes every move but the last.
pub async fn plan(world: Arc<Ground>, order: PlanOrder, mouth: Mouth) -> Result<(), String> {
    let role = world.opening.roles.get(&order.draft.role);
    let role = role.ok_or_else(|| format!("there is no role `{}`", order.draft.role))?;
    match role.agents.first() {
        Some(AgentRef::Shard) => shard_out(world, order, mouth).await,
        Some(AgentRef::Whole) => {
            mouth.say(PlanStep::Emit(vec![whole::task(&world.opening.goal, order.iteration)])).await
        }
        Some(AgentRef::Script(name)) => {
            let text = world.opening.assets.get(name).cloned().unwrap_or_default();
            play_part(&text, name, &order, &mouth).await
        }
        Some(other) => Err(format!("{other} plans nothing: give the role `{}` shard, whole or a script", role.name)),
        None => Err(format!("the role `{}` names no agent", role.name)),
    }
}

/// Makes the moves of a written part.
async fn play_part(text: &str, name: &str, order: &PlanOrder, mouth: &Mouth) -> Result<(), String> {
    let part = read_part(text).map_err(|faults| {
        let named: Vec<String> = faults.iter().map(ToString::to_string).collect();
        format!("the part {name} has faults: {}", named.join("; "))
    })?;
    let woken = order.handoffs.iter().map(|it| Woken { task: it.task.clone(), handoff: it.handoff.clone() });
    let woken: Vec<Woken> = woken.collect();
    let moves = planner_moves(&part, &order.draft.key, order.wake.saturating_sub(1), &woken);
    let moves = moves.ok_or_else(|| format!("the part {name} says nothing of planning"))?;
    for planned in moves {
        match planned {
            PlannerMove::Emit(tasks) => mouth.say(PlanStep::Emit(tasks)).await?,
            PlannerMove::Spawn(scopes) => mouth.say(PlanStep::Spawn(scopes)).await?,
            PlannerMove::Claim { key, value } => mouth.say(PlanStep::Claim { key, value }).await?,
            PlannerMove::AnswerScope(answer) => mouth.say(PlanStep::AnswerScope(answer)).await?,
            PlannerMove::Wait { ms } => mouth.pause(Duration::from_millis(ms)).await,
            PlannerMove::Done => return Ok(()),
            PlannerMove::Fail(why) => return Err(why),
        }
    }
    Ok(())
}

/// Plans by rule: the root splits the files among sub-planners; a sub-planner looks at its files one after the other
/// and hands out a task as soon as one is full.
async fn shard_out(world: Arc<Ground>, order: PlanOrder, mouth: Mouth) -> Result<(), String> {
    let order = Arc::new(order);
    let (planning, looked) = (Arc::clone(&order), Arc::clone(&world));
    let groups = tokio::task::spawn_blocking(move || groups(&looked, &planning)).await;
    let groups = groups.map_err(|panicked| format!("its planner broke ({panicked}); this is a bug"))??;
    let limits = world.opening.roles.get(&order.draft.role).map(|role| role.limits.clone()).unwrap_or_default();
    let is_ordered = world.opening.goal.plan.order == Order::Dependency;
    match groups {
        Parts::Here => emit_group(&world, &order, &mouth, &own_group(&order), BTreeSet::new()).await.map(|_| ()),
        Parts::Below(groups) if groups.is_empty() => Ok(()),
        // Who waits for whom is known to one planner only, so that one hands out all that is ordered; and what its
        // role does not let it give away it plans itself.
        Parts::Below(groups) if is_ordered || order.depth >= limits.depth || groups.len() > limits.fan_out as usize => {
            let mut emitted = BTreeMap::new();
            for group in &groups {
                let after = if is_ordered { shard::waits(group, &groups, &emitted) } else { BTreeSet::new() };
                let keys = emit_group(&world, &order, &mouth, group, after).await?;
                emitted.insert(group.key.clone(), keys);
            }
            Ok(())
        }
        Parts::Below(groups) => {
            let parent = if order.depth == 0 { "" } else { order.draft.key.as_str() };
            let scopes = shard::scopes(&groups, parent, order.iteration, &order.draft.role);
            mouth.say(PlanStep::Spawn(scopes)).await
        }
    }
}

/// Says whether a scope is planned by sub-planners or directly.
enum Parts {
    Below(Vec<shard::Group>),
    Here,
}

/// Gives a scope's own files as the group that it was spawned for.
fn own_group(order: &PlanOrder) -> shard::Group {
    let files: Vec<String> = order.draft.paths.files.iter().cloned().collect();
    shard::group_of_scope(&order.draft, order.iteration, &files)
}

fn groups(world: &Ground, order: &PlanOrder) -> Result<Parts, String> {
    let goal = &world.opening.goal;
    let failed = |error: &dyn std::error::Error| format!("failed to {}", told(error));
    if order.depth > 0 {
        let limits = world.opening.roles.get(&order.draft.role).map(|role| role.limits.clone()).unwrap_or_default();
        let group = own_group(order);
        if group.files.len() < SPLIT_FROM || order.depth >= limits.depth || goal.plan.by == Split::Count {
            return Ok(Parts::Here);
        }
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
    let wanted =
        shard::Wanted { owns: &goal.owns, never: &goal.never, exclude: &plan.exclude, stop_list: &order.stop_list };
    let candidates = shard::candidates(readable, &wanted).map_err(|error| failed(&error))?;
    let read = |path: &str| text_of(world, order.tree, path);
    let groups = shard::split(plan.by, &candidates, &read).map_err(|error| failed(&error))?;
    for note in &groups.notes {
        tracing::info!(run = %world.run, "{note}");
    }
    Ok(Parts::Below(groups.groups))
}

fn text_of(world: &Ground, tree: Oid, path: &str) -> Option<String> {
    // A manifest that cannot be read is one that says nothing.
    let bytes = world.repo.read_path(tree, path).ok()??;
    String::from_utf8(bytes).ok()
}

/// Looks at a group's files in order and hands out each task as soon as it is full; gives the tasks' keys.
async fn emit_group(
    world: &Arc<Ground>,
    order: &PlanOrder,
    mouth: &Mouth,
    group: &shard::Group,
    after: BTreeSet<String>,
) -> Result<BTreeSet<String>, String> {
    let plan = &world.opening.goal.plan;
    let terms = shard::Terms {
        files_per_task: plan.files_per_task,
        iteration: order.iteration,
        rules: &plan.rules,
        role: &plan.worker,
        after: &after,
    };
    let mut chunker = shard::Chunker::new(&group.key, terms);
    let mut keys = BTreeSet::new();
    for portion in group.files.chunks(LOOK_AT_ONCE) {
        let (looked, tree, portion) = (Arc::clone(world), order.tree, portion.to_vec());
        let found = tokio::task::spawn_blocking(move || look(&looked, tree, &portion)).await;
        let found = found.map_err(|panicked| format!("its planner broke ({panicked}); this is a bug"))??;
        let full: Vec<_> = found.into_iter().filter_map(|(file, matches)| chunker.push(&file, matches)).collect();
        keys.extend(full.iter().map(|draft| draft.key.clone()));
        if !full.is_empty() {
            mouth.say(PlanStep::Emit(full)).await?;
        }
    }
    if let Some(last) = chunker.finish() {
        keys.insert(last.key.clone());
        mouth.say(PlanStep::Emit(vec![last])).await?;
    }
    Ok(keys)
}

/// Files that are looked at between two moves.
const LOOK_AT_ONCE: usize = 16;

/// Counts a rule's matches in files; files without any are left out.
fn look(world: &Ground, tree: Oid, files: &[String]) -> Result<Vec<(String, u32)>, String> {
    let failed = |error: &dyn std::error::Error| format!("failed to {}", told(error));
    let rules = world.rules(&world.opening.goal.plan.rules).map_err(|error| failed(&error))?;
    let mut found = Vec::new();
    for file in files {
        let Some(bytes) = world.repo.read_path(tree, file).map_err(|error| failed(&error))? else { continue };
        // What cannot be read as source holds no match; the codemod tells it as a leftover where a rule reads it.
        let matches: usize = rules.iter().map(|rule| scan(rule, file, &bytes).map_or(0, |found| found.len())).sum();
        if matches > 0 {
            found.push((file.clone(), u32::try_from(matches).unwrap_or(u32::MAX)));
        }
    }
    Ok(found)
}
