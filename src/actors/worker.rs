//! Owns how an attempt is played: its worktree, its agent, and the candidate that the coordinator makes of what it
//! left. Never judges, and believes an agent's report only as far as git bears it out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kameo::prelude::*;
use tokio::sync::watch;

use super::acting::{Acted, Stage, act, job_limits};
use super::briefing::brief;
use super::coordinator::Coordinator;
use super::llm_worker;
use super::measure::measure;
use super::order::{Order, WorkOrder};
use super::parking::{kept, resumed};
use super::played::{Limit, Played};
use super::room::{Access, Whose};
use super::setup::{For, set_up};
use super::tools::{BriefTool, LookingTools, Steered, WorkingTools};
use super::world::{World, told};
use crate::io::agents::{Brief, Desk, Stance};
use crate::io::git::{Change, Edit, GitError, Limits as SnapshotLimits, Made, Merge, Refused, Repo, Snapshot, Tree};
use crate::io::tools::{Joined, Toolbox};
use crate::machine::command::Command;
use crate::model::attempt::{Candidate, Handoff, Outcome, Usage};
use crate::model::ids::Oid;
use crate::model::role::AgentRef;
use crate::model::seat::Seat;

/// Plays an attempt to its end; gives its report, or nothing where it was cancelled.
pub async fn play(
    world: &Arc<World>,
    order: Order,
    coordinator: &WeakActorRef<Coordinator>,
    cancelled: watch::Receiver<bool>,
) -> Option<Command> {
    let (attempt, fence) = (order.attempt, order.fence);
    let is_done_here = matches!((&order.work, &order.agent), (WorkOrder::Revert(_), _) | (_, AgentRef::Codemod));
    let played = match (&order.work, &order.agent) {
        (WorkOrder::Revert(landed), _) => revert(world, &order, *landed).await,
        (WorkOrder::Brief, AgentRef::Codemod) => rewrite(world, order).await,
        (WorkOrder::Brief, AgentRef::Llm(_)) => llm_worker::play(world, order, coordinator, cancelled.clone()).await,
        (
            WorkOrder::Brief,
            AgentRef::Command(_)
            | AgentRef::Script(_)
            | AgentRef::Claude { .. }
            | AgentRef::Codex { .. }
            | AgentRef::Acp(_),
        ) => process(world, order, coordinator, cancelled.clone()).await,
        (WorkOrder::Brief, AgentRef::Shard | AgentRef::Whole | AgentRef::Ladder | AgentRef::Revert) => {
            Ok(Played::failed(format!("{} does no tasks: give the role an agent that does", order.agent)))
        }
    };
    if !is_done_here && (*cancelled.borrow() || cancelled.has_changed().is_err()) {
        return None;
    }
    Some(match played {
        Ok(played) => played.report(attempt, fence),
        Err(error) => {
            let what = format!("failed to {}", told(&error));
            if error.is_of_the_machine() {
                // No task is to blame, and every other would meet the same.
                Command::ReportTrouble { what }
            } else {
                Command::ReportLost { attempt, why: what }
            }
        }
    })
}

/// Takes a landed change back out.
async fn revert(world: &Arc<World>, order: &Order, landed: Oid) -> Result<Played, GitError> {
    let order = order.clone();
    world
        .blocking(move |world| {
            let message = message(world, &order, Usage::default());
            let author = world.author("revert");
            let when_ms = world.now_ms();
            let outcome = match world.repo.revert(order.base, landed, &message, &author, when_ms)? {
                Merge::Clean { commit, tree } => {
                    let (before, _) = world.repo.commit_of(order.base)?;
                    let files = world.repo.diff(before, tree)?.len() as u32;
                    candidate(world, &order, Made { commit, tree, files })?
                }
                Merge::Conflict { paths } => {
                    Outcome::Failed { why: format!("what landed later builds on it, in {}", paths.join(", ")) }
                }
            };
            Ok(Played::of(outcome, Handoff::default(), Usage::default()))
        })
        .await
}

/// Rewrites the task's files by its rules, in memory.
async fn rewrite(world: &Arc<World>, order: Order) -> Result<Played, GitError> {
    world
        .blocking(move |world| {
            let (started, cpu_before) = (world.now_ms(), thread_cpu_ms());
            let codemod = match world.codemod(&order.task.rules) {
                Ok(codemod) => codemod,
                Err(error) => return Ok(Played::failed(format!("failed to {}", told(&error)))),
            };
            let (tree, _) = world.repo.commit_of(order.base)?;
            let mut edits = BTreeMap::new();
            let mut handoff = Handoff::default();
            let mut broken = Vec::new();
            let mut applied: BTreeMap<String, u32> = BTreeMap::new();
            for file in owned_files(world, tree, &order)? {
                let Some(bytes) = world.repo.read_path(tree, &file)? else { continue };
                let rewritten = codemod.rewrite(&file, &bytes);
                for (rule, times) in &rewritten.applied {
                    *applied.entry(rule.clone()).or_default() += times;
                }
                handoff.leftovers.extend(rewritten.leftovers);
                if rewritten.broke_parse {
                    broken.push(file.clone());
                }
                if rewritten.changed {
                    let executable = false;
                    edits.insert(file, Edit::Write { bytes: rewritten.bytes, executable });
                }
            }
            keep_modes(world, tree, &mut edits)?;
            let sum: u32 = applied.values().sum();
            handoff.done = format!("rewritten: places {sum}, files {}", edits.len());
            let wall_ms = u64::try_from(world.now_ms() - started).unwrap_or(0);
            let usage = Usage { wall_ms, cpu_ms: thread_cpu_ms() - cpu_before, ..Usage::default() };
            let outcome = if broken.is_empty() {
                commit(world, &order, order.base, &edits, usage)?
            } else {
                Outcome::Failed { why: format!("the rules leave {} that no longer parses", broken.join(", ")) }
            };
            Ok(Played::of(outcome, handoff, usage))
        })
        .await
}

/// Tells how much processor time the present thread has used, in milliseconds.
fn thread_cpu_ms() -> u64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    u64::try_from(used.tv_sec * 1000 + used.tv_nsec / 1_000_000).unwrap_or(0)
}

/// Lists the files that a task owns in a tree.
fn owned_files(world: &World, tree: Oid, order: &Order) -> Result<BTreeSet<String>, GitError> {
    let paths = &order.task.paths;
    let mut files = paths.files.clone();
    if !paths.folders.is_empty() {
        let all = world.repo.files(tree)?.files.into_iter().map(|file| file.path);
        files.extend(all.filter(|path| paths.holds(path)));
    }
    Ok(files)
}

/// Lets rewritten files keep the mode that they had.
fn keep_modes(world: &World, tree: Oid, edits: &mut BTreeMap<String, Edit>) -> Result<(), GitError> {
    for (path, edit) in edits {
        if let Edit::Write { executable, .. } = edit {
            *executable = world.repo.is_executable(tree, path)?;
        }
    }
    Ok(())
}

/// Has a process play the attempt in a worktree. One that was removed under it says nothing against the attempt, which
/// is played again in another, once: its agent may be who removes them.
async fn process(
    world: &Arc<World>,
    order: Order,
    coordinator: &WeakActorRef<Coordinator>,
    cancelled: watch::Receiver<bool>,
) -> Result<Played, GitError> {
    if let Some(played) = process_once(world, order.clone(), coordinator, cancelled.clone()).await? {
        return Ok(played);
    }
    tracing::warn!(attempt = %order.attempt, "its worktree was removed while it ran; it is played again in another");
    let played = process_once(world, order, coordinator, cancelled).await?;
    Ok(played.unwrap_or_else(|| Played::failed("its worktree was removed while it ran, twice".to_owned())))
}

/// Has a process play the attempt; nothing where its worktree was gone afterwards.
async fn process_once(
    world: &Arc<World>,
    order: Order,
    coordinator: &WeakActorRef<Coordinator>,
    cancelled: watch::Receiver<bool>,
) -> Result<Option<Played>, GitError> {
    let from = order.from.unwrap_or(order.base);
    let (mut tree, git) = world
        .blocking(move |world| {
            let tree = world.workshop.take(from)?;
            let git = world.own_git(&tree)?;
            Ok((tree, git))
        })
        .await?;
    let name = order.attempt.to_string();
    let limits = job_limits(&order.role.limits);
    let whom = For { name: &name, whose: Whose::Attempts, grants: &order.role.grants, git: git.as_ref(), limits };
    if let Err(why) = set_up(world, &mut tree, &whom, cancelled.clone()).await {
        discard(world, tree).await?;
        return Ok(Some(Played::failed(format!("failed to {why}"))));
    }
    let desk = Desk::at(world.desk(&name));
    let stage = Stage {
        name: &name,
        seat: (Seat::Attempt(order.attempt), order.fence),
        agent: &order.agent,
        role: &order.role,
        tree: &tree,
        git: git.as_ref(),
        access: Access::Write,
        desk: &desk,
    };
    let played = match brief(world, &order) {
        Ok(brief) => {
            let brief = Brief { resumes: resumed(world, &order), ..brief };
            let tools = tools(world, &order, (&tree, &brief, &desk), coordinator);
            act(world, &stage, (&brief, tools), coordinator, cancelled).await
        }
        Err(why) => Err(why),
    };
    if !tree.is_there() {
        discard(world, tree).await?;
        return Ok(None);
    }
    let Acted { stance, mut handoff, usage, session, .. } = match played {
        Ok(Ok(acted)) => acted,
        Ok(Err(wants)) => {
            discard(world, tree).await?;
            return Ok(Some(Played::out_of_money(wants)));
        }
        Err(why) => {
            discard(world, tree).await?;
            return Ok(Some(Played::failed(why)));
        }
    };
    let limit = Limit::of(&stance);
    let (outcome, files) = taken(world, order, (tree, from), (stance, usage)).await?;
    handoff.blocked = None;
    let limit = limit.map(|limit| limit.leaving(session, files));
    Ok(Some(Played::of(outcome, handoff, usage).ended_by(limit)))
}

/// Takes what an attempt left in its worktree: a candidate where it is done, and what is kept where a limit ended it.
async fn taken(
    world: &Arc<World>,
    order: Order,
    (tree, from): (Tree, Oid),
    (stance, usage): (Stance, Usage),
) -> Result<(Outcome, Option<Oid>), GitError> {
    let taking = world.blocking(move |world| {
        // Whatever stands there, what was an agent's leads no git of this machine astray.
        let _ = tree.turn_back();
        let outcome = match stance {
            Stance::Done => {
                let outcome = snapshot(world, &order, &tree, from, usage)?;
                // The agent is dead, and with it all that could write there.
                world.workshop.give_back_as_read(tree);
                return Ok((outcome, None));
            }
            Stance::Limited { why, .. } => {
                let files = kept(&order, snapshot(world, &order, &tree, from, usage));
                world.workshop.give_back(tree);
                return Ok((Outcome::Failed { why }, files));
            }
            Stance::Failed { why } => Outcome::Failed { why },
            Stance::Blocked { missing } => Outcome::Blocked { missing },
        };
        world.workshop.give_back(tree);
        Ok((outcome, None))
    });
    taking.await
}

async fn discard(world: &Arc<World>, tree: Tree) -> Result<(), GitError> {
    world.blocking(move |world| world.workshop.discard(tree)).await
}

/// Gives a worker's session its tools.
fn tools(
    world: &World,
    order: &Order,
    (tree, brief, desk): (&Tree, &Brief, &Desk),
    coordinator: &WeakActorRef<Coordinator>,
) -> Arc<dyn Toolbox> {
    let looking = LookingTools::of_worktree(&world.ground, tree.glance(), order.task.paths.clone());
    let (brief, working) = (BriefTool::of(&brief.text), WorkingTools::new(desk.handoff()));
    let tools = Arc::new(Joined::new(vec![Arc::new(brief), Arc::new(working), Arc::new(looking)]));
    Arc::new(Steered::new(
        tools,
        (&world.ground, coordinator),
        (Seat::Attempt(order.attempt), order.fence),
        order.heard,
    ))
}

/// Makes a candidate of what lies in a worktree that stands at `from`.
pub(super) fn snapshot(
    world: &World,
    order: &Order,
    tree: &Tree,
    from: Oid,
    usage: Usage,
) -> Result<Outcome, GitError> {
    let mut limits = SnapshotLimits::default();
    if order.role.limits.file_bytes > 0 {
        limits.file_bytes = order.role.limits.file_bytes;
    }
    // What is far more than any judge would let through is not even stored: nobody takes it out of the repository again.
    limits.total_bytes = order.role.limits.changed_bytes.saturating_mul(2);
    let Snapshot { edits, refused } = match tree.snapshot(limits) {
        Ok(snapshot) => snapshot,
        // All are the agent's own doing: tried again for nothing, they would be so for ever.
        Err(error @ (GitError::TreeGone { .. } | GitError::TooManyFiles { .. } | GitError::TooManyBytes { .. })) => {
            return Ok(Outcome::Failed { why: format!("failed to {}", told(&error)) });
        }
        Err(error) => return Err(error),
    };
    made_of(world, order, (from, &edits), refused, usage)
}

/// Makes a candidate of edits to the files of `from`.
pub(super) fn made_of(
    world: &World,
    order: &Order,
    (from, edits): (Oid, &BTreeMap<String, Edit>),
    mut refused: Vec<Refused>,
    usage: Usage,
) -> Result<Outcome, GitError> {
    for (path, edit) in edits {
        if let Some(name) = secret_in(world, order.base, path, edit)? {
            let why = format!("the value of {name}, which artel was started with, is in it");
            refused.push(Refused { path: path.clone(), why });
        }
    }
    if !refused.is_empty() {
        let named: Vec<String> = refused.iter().take(20).map(|it| format!("{}: {}", it.path, it.why)).collect();
        return Ok(Outcome::Failed { why: format!("left what no commit may hold: {}", named.join("; ")) });
    }
    if from == order.base {
        return commit(world, order, from, edits, usage);
    }
    // The worktree went on from a refused candidate, but the new one stands on the base of both.
    let made = world.repo.commit_edits(from, edits, "", &world.author("artel"), 0)?;
    let (base_tree, _) = world.repo.commit_of(order.base)?;
    let edits = as_edits(&world.repo, world.repo.diff(base_tree, made.tree)?)?;
    commit(world, order, order.base, &edits, usage)
}

/// Names the secret that a changed file holds, or its name does, where the file did not hold one before.
fn secret_in<'a>(world: &'a World, base: Oid, path: &str, edit: &Edit) -> Result<Option<&'a str>, GitError> {
    let found = match edit {
        Edit::Blob { oid, .. } if world.secrets.longest() > 0 => world.secrets.find(&world.repo.read(*oid)?),
        Edit::Write { bytes, .. } => world.secrets.find(bytes),
        Edit::Link { target } => world.secrets.find(target.as_bytes()),
        Edit::Blob { .. } | Edit::Delete => None,
    };
    let Some(name) = found.or_else(|| world.secrets.find(path.as_bytes())) else { return Ok(None) };
    let (tree, _) = world.repo.commit_of(base)?;
    let before = world.repo.read_path(tree, path)?.unwrap_or_default();
    Ok(world.secrets.find(&before).is_none().then_some(name))
}

fn as_edits(repo: &Repo, changes: Vec<Change>) -> Result<BTreeMap<String, Edit>, GitError> {
    let mut edits = BTreeMap::new();
    for change in changes {
        let edit = match change.new {
            None => Edit::Delete,
            Some(side) if side.mode == 0o120_000 => {
                Edit::Link { target: String::from_utf8_lossy(&repo.read(side.oid)?).into_owned() }
            }
            Some(side) => Edit::Blob { oid: side.oid, size: side.size, executable: side.mode == 0o100_755 },
        };
        edits.insert(change.path, edit);
    }
    Ok(edits)
}

fn commit(
    world: &World,
    order: &Order,
    base: Oid,
    edits: &BTreeMap<String, Edit>,
    usage: Usage,
) -> Result<Outcome, GitError> {
    if edits.is_empty() {
        return Ok(Outcome::Nothing);
    }
    let author = world.author(&order.agent.to_string());
    match world.repo.commit_edits(base, edits, &message(world, order, usage), &author, world.now_ms()) {
        Ok(made) => candidate(world, order, made),
        Err(GitError::Path { path, why }) => {
            Ok(Outcome::Failed { why: format!("left what no commit may hold: {path}: {why}") })
        }
        Err(error) => Err(error),
    }
}

/// Pins a commit, so that nothing can remove it, and names it as the attempt's candidate.
fn candidate(world: &World, order: &Order, made: Made) -> Result<Outcome, GitError> {
    if made.files == 0 {
        return Ok(Outcome::Nothing);
    }
    let pin = world.refs.attempt(order.attempt);
    let stands = world.repo.ref_target(&pin)?;
    if stands != Some(made.commit) {
        world.repo.compare_and_swap(&pin, stands, made.commit, "artel: pin a candidate")?;
    }
    let Made { commit, tree, files } = made;
    let (base_tree, _) = world.repo.commit_of(order.base)?;
    let extent = measure(world, base_tree, tree)?;
    Ok(Outcome::Candidate(Candidate { commit, tree, base: order.base, files, extent }))
}

fn message(world: &World, order: &Order, usage: Usage) -> String {
    let title: String = order.task.title.chars().map(|c| if c.is_control() { ' ' } else { c }).take(100).collect();
    let agent: String = order.agent.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!(
        "{title}\n\nArtel-Run: {}\nArtel-Task: {}\nArtel-Attempt: {}\nArtel-Agent: {agent}\nArtel-Role: {}\nArtel-Cost: {} ms wall, {} ms cpu\n",
        world.run, order.attempt.task, order.attempt, order.role.name, usage.wall_ms, usage.cpu_ms
    )
}
