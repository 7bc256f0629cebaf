//! Owns how a session judges a candidate through one lens: what it is shown, and what it says of it. Never shows it what
//! the worker said for itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use kameo::prelude::WeakActorRef;
use tokio::sync::watch;

use super::asking::{Asking, Silence};
use super::coordinator::Coordinator;
use super::order::Reviewing;
use super::tools::ReviewingTools;
use super::world::{World, told};
use crate::io::agents::{ReviewAnswer, read_review};
use crate::io::git::{Change, Edit, GitError};
use crate::machine::command::{Command, Leave};
use crate::model::attempt::Usage;
use crate::model::ids::Oid;
use crate::model::review::{Lens, Review};
use crate::views::answer::Form;
use crate::views::brief::{BriefView, FindingView};

/// Bytes of a change that a judge is shown in its prompt; what is more lies in the files that it sees.
const PATCH_BYTES: usize = 200 << 10;

/// What a judge is told that goes on.
const NOT_KEPT: &str = "What you had noted with `findings` is not kept: note it once more before your verdict.";

/// Has a session judge; gives the report, or nothing where it was cancelled.
pub async fn review(
    world: &Arc<World>,
    order: Reviewing,
    coordinator: &WeakActorRef<Coordinator>,
    cancelled: watch::Receiver<bool>,
) -> Option<Command> {
    let (attempt, lens) = (order.attempt, order.number);
    let (seat, fence) = (order.seated.seat, order.seated.fence);
    let order = Arc::new(order);
    let shown = Arc::clone(&order);
    let seen = match world.blocking(move |world| see(world, &shown)).await {
        Ok(seen) => seen,
        Err(error) if error.is_of_the_machine() => {
            return Some(Command::ReportTrouble { what: format!("failed to {}", told(&error)) });
        }
        Err(error) => {
            let leave = Leave::Failed(format!("failed to {}", told(&error)));
            return Some(Command::LeaveSeat { seat, fence, leave, usage: Usage::default() });
        }
    };
    let tools = ReviewingTools::new(order.criteria.clone());
    let asking = Asking {
        tools: Some(Arc::new(tools.clone())),
        seated: order.seated.clone(),
        news: vec![NOT_KEPT.to_owned()],
        commit: seen.commit,
        form: Form::Review,
        view: view(world, &order, seen),
        paths: order.task.paths.clone(),
    };
    let criteria = order.criteria.clone();
    let taken = asking.answer(world, coordinator, &cancelled, |said| {
        // What was said by the tool stands, whatever the last words are.
        let given = tools.given().map_or_else(|| read_review(&said, &criteria), Ok);
        let answer = given.map_err(|fault| fault.to_string());
        async move { answer }
    });
    match taken.await {
        Ok((ReviewAnswer { scores, findings, ruling }, usage)) => {
            let judge = order.seated.agent.to_string();
            let review = Review { lens: order.lens, judge, ruling, scores, findings, notes: Vec::new() };
            Some(Command::ReportReview { attempt, lens, fence, review, usage })
        }
        Err(Silence::Over(report)) => Some(*report),
        Err(Silence::Cancelled) => None,
    }
}

/// Holds what a judge sees.
struct Seen {
    /// The commit whose files it sees.
    commit: Oid,
    /// The paths that changed.
    changed: Vec<String>,
    /// The change, where it is shown that.
    patch: Option<String>,
}

/// Makes what a lens shows: the change without files, the changed files without the change, or the change with all files.
fn see(world: &World, order: &Reviewing) -> Result<Seen, GitError> {
    let (base_tree, _) = world.repo.commit_of(order.candidate.base)?;
    let changes = world.repo.diff(base_tree, order.candidate.tree)?;
    let changed = changes.iter().map(|change| change.path.clone()).collect();
    let patch = || world.repo.patch(base_tree, order.candidate.tree);
    let alone = |files: &BTreeMap<String, Edit>| {
        let message = format!("what the judge of {} sees", order.attempt);
        world.repo.commit_alone(files, &message, &world.author("artel"), 0)
    };
    Ok(match order.lens {
        Lens::Diff => Seen { commit: alone(&BTreeMap::new())?, changed, patch: Some(patch()?) },
        Lens::Result => Seen { commit: alone(&results(world, &changes)?)?, changed, patch: None },
        Lens::Codebase => Seen { commit: order.candidate.commit, changed, patch: Some(patch()?) },
    })
}

/// Gives the changed files as they are now.
fn results(world: &World, changes: &[Change]) -> Result<BTreeMap<String, Edit>, GitError> {
    let mut files = BTreeMap::new();
    for change in changes {
        let Some(side) = change.new.as_ref().filter(|side| side.mode != 0o160_000 && change.utf8) else { continue };
        let edit = if side.mode == 0o120_000 {
            Edit::Link { target: String::from_utf8_lossy(&world.repo.read(side.oid)?).into_owned() }
        } else {
            Edit::Blob { oid: side.oid, size: side.size, executable: side.mode == 0o100_755 }
        };
        files.insert(change.path.clone(), edit);
    }
    Ok(files)
}

fn view(world: &World, order: &Reviewing, seen: Seen) -> BriefView {
    let goal = &world.opening.goal;
    let mut material = match order.lens {
        Lens::Diff => "You see the change alone:\n".to_owned(),
        Lens::Result => {
            "The changed files lie in your worktree as they are now; what they were is not shown.\n".to_owned()
        }
        Lens::Codebase => {
            "The whole tree lies in your worktree with the change in it; this is the change:\n".to_owned()
        }
    };
    if let Some(patch) = seen.patch {
        match patch.char_indices().nth(PATCH_BYTES) {
            Some((at, _)) => {
                material.push_str(&patch[..at]);
                material.push_str("\n(the change goes on; it is cut here)\n");
            }
            None => material.push_str(&patch),
        }
    }
    for result in order.checks.iter().filter(|result| !result.tail.trim().is_empty()) {
        material.push_str(&format!("\nthe check `{}` wrote:\n{}\n", result.name, result.tail.trim_end()));
    }
    BriefView {
        goal_name: goal.name.clone(),
        goal_prose: goal.prose.clone(),
        task: order.task.key.clone(),
        title: order.task.title.clone(),
        text: order.task.brief.clone(),
        paths: order.task.paths.iter().map(str::to_owned).collect(),
        findings: order.earlier.iter().map(FindingView::from).collect(),
        attempt: order.attempt.number,
        checks: order.checks.iter().map(|result| result.name.clone()).collect(),
        material,
        changed: seen.changed,
        criteria: order.criteria.clone(),
        ..BriefView::default()
    }
}
