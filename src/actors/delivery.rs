//! Owns how the run's branch reaches the user's. Never moves that to a merge on which something is red that was green on
//! the run's branch.

use std::sync::Arc;

use tokio::sync::watch;

use super::checks::{self, NoAnswer, Repeat};
use super::closing;
use super::world::World;
use crate::io::git::{Delivered, DeliveredKind, Forward};
use crate::machine::command::Command;
use crate::machine::state::State;
use crate::model::check::{Answer, Baseline, CheckResult};
use crate::model::ids::Oid;

/// Tells what is delivered, and what it must not break.
#[derive(Debug, Clone)]
pub struct Delivering {
    branch: String,
    head: Oid,
    baseline: Baseline,
    /// The done-conditions that hold on the head, as far as they were looked at there.
    held: Vec<String>,
}

impl Delivering {
    /// Gives the order to deliver a head into a branch.
    pub fn of(state: &State, branch: &str, head: Oid) -> Self {
        let looked_at = state.conditions.as_ref().filter(|(at, _)| *at == head);
        let results = looked_at.map(|(_, results)| results.as_slice()).unwrap_or_default();
        let held = results.iter().filter(|it| it.answer != Answer::Red).map(|it| it.name.clone()).collect();
        Self { branch: branch.to_owned(), head, baseline: state.baseline.clone().unwrap_or_default(), held }
    }
}

/// Brings the run's branch into the user's.
pub async fn deliver(world: &Arc<World>, delivering: Delivering, cancelled: watch::Receiver<bool>) -> Option<Command> {
    let result = match delivered(world, &delivering, cancelled).await {
        Ok(Delivered::Done { to, .. }) => Ok(to),
        Ok(Delivered::Refused { why, next }) => Err(format!("{why}; {next}")),
        Err(NoAnswer::Cancelled) => return None,
        Err(NoAnswer::Trouble(what)) => Err(what),
    };
    Some(Command::ReportDelivery { branch: delivering.branch, result })
}

async fn delivered(
    world: &Arc<World>,
    delivering: &Delivering,
    cancelled: watch::Receiver<bool>,
) -> Result<Delivered, NoAnswer> {
    let (branch, head) = (delivering.branch.clone(), delivering.head);
    let message = format!("{}\n\nArtel-Run: {}\n", world.opening.goal.name, world.run);
    let prepare = move |world: &World| world.repo.prepare_delivery(&branch, head, &message, world.now_ms());
    let forward = match world.blocking(prepare).await? {
        Ok(forward) => forward,
        Err(over) => return Ok(over),
    };
    // What the branch moves straight to has landed, and was checked for that.
    if forward.kind == DeliveredKind::Merge
        && let Some(red) = red_on(world, forward.to, delivering, cancelled).await?
    {
        return Ok(refused(&delivering.branch, &forward, &red));
    }
    Ok(world.blocking(move |world| world.repo.bring_forward(&forward)).await?)
}

/// Finds a check that a merge is worse at than the run's base, or a done-condition that holds on the head alone.
async fn red_on(
    world: &Arc<World>,
    merge: Oid,
    delivering: &Delivering,
    cancelled: watch::Receiver<bool>,
) -> Result<Option<CheckResult>, NoAnswer> {
    let Delivering { baseline, held, .. } = delivering;
    let name = format!("delivery-{}", merge.short());
    let all = &world.opening.goal.checks;
    let (results, _) = checks::run(world, (&name, merge), all, baseline, Repeat::WhatIsRed, cancelled.clone()).await?;
    if let Some(worse) = results.into_iter().find(|it| it.is_worse_than(baseline.get(&it.name))) {
        return Ok(Some(worse));
    }
    if held.is_empty() {
        return Ok(None);
    }
    let results = closing::look_at_conditions(world, merge, cancelled).await?;
    Ok(results.into_iter().find(|it| it.answer == Answer::Red && held.contains(&it.name)))
}

fn refused(branch: &str, forward: &Forward, red: &CheckResult) -> Delivered {
    let said = red.tail.lines().rfind(|line| !line.trim().is_empty()).map(|line| format!(": {}", line.trim()));
    let why = format!(
        "`{branch}` has moved to {}, and merged with that `{}` is red{}",
        forward.from.short(),
        red.name,
        said.unwrap_or_default()
    );
    let next = format!("nothing was touched: mend it on `{branch}`, or have it mended by a run from there");
    Delivered::Refused { why, next }
}
