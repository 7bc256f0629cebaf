//! Owns how batches reach the run's branch: merged in memory, checked, moved by compare-and-swap.
//! Never moves a branch to a tree that was not checked.

use std::sync::Arc;

use tokio::sync::watch;

use super::checks::{self, NoAnswer, Repeat};
use super::measure::measure;
use super::order::{Checking, Landing, Merging};
use super::world::{World, told};
use crate::io::git::{GitError, Member, Merge, Swap};
use crate::machine::command::{Command, Conflict, Link};

fn trouble(error: &GitError) -> Command {
    Command::ReportTrouble { what: format!("failed to {}", told(error)) }
}

/// Makes the run's branch at the base.
pub async fn open_branch(world: &Arc<World>) -> Command {
    let opened = world
        .blocking(|world| {
            let (branch, base) = (world.refs.branch(), world.opening.base);
            Ok(match world.repo.compare_and_swap(&branch, None, base, "artel: open the run's branch")? {
                Swap::Done | Swap::AlreadyThere => Command::ReportBranch { at: base },
                Swap::Found(found) => Command::ReportBranch { at: found.unwrap_or(base) },
            })
        })
        .await;
    opened.unwrap_or_else(|error| trouble(&error))
}

/// Merges a batch's members one after the other; those that conflict are left out.
pub async fn merge(world: &Arc<World>, merging: Merging) -> Command {
    let merged = world
        .blocking(move |world| {
            let mut inputs = Vec::new();
            for member in &merging.members {
                let branch = world.refs.task(member.attempt.task);
                let stands = world.repo.ref_target(&branch)?;
                if stands != Some(member.candidate.commit) {
                    world.repo.compare_and_swap(&branch, stands, member.candidate.commit, "artel: accepted")?;
                }
                let line = |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
                let (title, agent) = (line(&member.title), line(&member.agent));
                let message = format!(
                    "merge {}: {title}\n\nArtel-Run: {}\nArtel-Task: {}\nArtel-Attempt: {}\nArtel-Agent: {agent}\n\
                     Artel-Role: {}\n",
                    member.attempt.task, world.run, member.attempt.task, member.attempt, member.role
                );
                inputs.push(Member {
                    candidate: member.candidate.commit,
                    base: member.candidate.base,
                    message,
                    author: world.author(&member.agent),
                    when_ms: member.when_ms,
                });
            }
            let (mut chain, mut conflicts) = (Vec::new(), Vec::new());
            let merged = world.repo.merge_chain(merging.onto, &inputs)?;
            let (mut before, _) = world.repo.commit_of(merging.onto)?;
            for (member, merge) in merging.members.iter().zip(merged) {
                let attempt = member.attempt;
                match merge {
                    Merge::Clean { commit, tree } => {
                        let extent = measure(world, std::mem::replace(&mut before, tree), tree)?;
                        chain.push(Link { attempt, commit, tree, extent });
                    }
                    Merge::Conflict { paths } => conflicts.push(Conflict { attempt, paths }),
                }
            }
            Ok(Command::ReportMerge { batch: merging.batch, chain, conflicts })
        })
        .await;
    merged.unwrap_or_else(|error| trouble(&error))
}

/// Checks a prefix exactly as it will stand.
pub async fn check(world: &Arc<World>, checking: Checking, cancelled: watch::Receiver<bool>) -> Option<Command> {
    let Checking { batch, upto, commit, tree, reds, baseline } = checking;
    let repeat = reds.map_or(Repeat::Nothing, Repeat::After);
    let name = format!("{batch}-{upto}");
    let goal = &world.opening.goal.checks;
    match checks::run(world, (&name, commit), goal, &baseline, repeat, cancelled).await {
        Ok((results, _)) => Some(Command::ReportPrefix { batch, upto, tree, results }),
        Err(NoAnswer::Cancelled) => None,
        Err(NoAnswer::Trouble(what)) => Some(Command::ReportTrouble { what }),
    }
}

/// Moves the run's branch.
pub async fn land(world: &Arc<World>, landing: Landing) -> Command {
    let landed = world
        .blocking(move |world| {
            let Landing { batch, from, to, tree, landed } = landing;
            let (stands, _) = world.repo.commit_of(to)?;
            // What was checked is what will stand, or nothing moves.
            assert!(stands == tree, "bug: {to} has the tree {stands}, but {tree} was checked");
            if from == to {
                return Ok(Command::ReportLanding { batch, head: to, tree });
            }
            let log = format!("artel: land {batch}");
            Ok(match world.repo.compare_and_swap(&world.refs.branch(), Some(from), to, &log)? {
                Swap::Done | Swap::AlreadyThere => {
                    for attempt in landed {
                        let pin = world.refs.attempt(attempt);
                        // It has landed: a pin that somebody's lock holds on to keeps nothing, and `gc` takes it.
                        if let Err(error) = unpin(world, &pin) {
                            tracing::warn!(%pin, "failed to {}", told(&error));
                        }
                    }
                    Command::ReportLanding { batch, head: to, tree }
                }
                Swap::Found(found) => Command::ReportBranchMoved { found },
            })
        })
        .await;
    landed.unwrap_or_else(|error| trouble(&error))
}

/// Lets go of the pin of what has landed: it is an ancestor of the run's branch.
fn unpin(world: &World, pin: &str) -> Result<(), GitError> {
    if let Some(stands) = world.repo.ref_target(pin)? {
        world.repo.delete_ref(pin, stands)?;
    }
    Ok(())
}
