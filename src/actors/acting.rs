//! Owns one session of an agent that is a process: put on the stage that was set for it, watched to its end, read back. Sets
//! no stage, and never says what follows.

use std::sync::Arc;
use std::time::Duration;

use kameo::prelude::WeakActorRef;
use tokio::sync::watch;

use super::casting::cast;
use super::coordinator::Coordinator;
use super::gate::Gate;
use super::played::{as_metered, as_unusable};
use super::room::{Access, Room, Whose, Work};
use super::world::{World, blocking, told};
use crate::io::agents::{Brief, Desk, Left, Play, Report, Stance, collect};
use crate::io::gateway::{Metered, Refusal};
use crate::io::git::{OwnGit, Tree};
use crate::io::hands::JobLimits;
use crate::io::tools::Toolbox;
use crate::model::attempt::{Handoff, Usage};
use crate::model::role::{AgentRef, Limits, Role};
use crate::model::seat::Seat;

/// Bytes of a session's output that are kept in memory.
const TAIL_BYTES: usize = 16 << 10;

/// Says who acts, where, and as what.
pub struct Stage<'a> {
    /// The name of its log.
    pub name: &'a str,
    /// Who it is in the journal, with the number that its words carry.
    pub seat: (Seat, u64),
    /// The agent.
    pub agent: &'a AgentRef,
    /// Its role.
    pub role: &'a Role,
    /// Its worktree.
    pub tree: &'a Tree,
    /// The git that it finds there, where that is not the repository's.
    pub git: Option<&'a OwnGit>,
    /// What it may do to the worktree.
    pub access: Access,
    /// Its folder outside the worktree.
    pub desk: &'a Desk,
}

/// Tells what a session came to.
pub struct Acted {
    /// Whether it means to have done what it was asked for.
    pub stance: Stance,
    /// What it hands up.
    pub handoff: Handoff,
    /// The last that it said.
    pub said: String,
    /// What it cost.
    pub usage: Usage,
}

/// Has an agent's process act, with a brief and tools; tells what it came to, nothing where it ended because the run may
/// spend no more, or why it could not be run.
pub async fn act(
    world: &World,
    stage: &Stage<'_>,
    (brief, tools): (&Brief, Arc<dyn Toolbox>),
    coordinator: &WeakActorRef<Coordinator>,
    cancelled: watch::Receiver<bool>,
) -> Result<Option<Acted>, String> {
    let failed = |error: &dyn std::error::Error| format!("failed to {}", told(error));
    let Stage { name, seat, agent, role, tree, git, access, desk } = stage;
    let gate = Gate::open(world, *seat, (agent, role), coordinator, tools)?;
    let played = cast(world, agent, gate.as_ref().and_then(Gate::door))?;
    let play = played.play(brief, desk).map_err(|error| failed(&error))?;
    let Play::Process { program, files, env: own, read } = play else {
        return Err(format!("{agent} is no process"));
    };
    desk.lay(&files).map_err(|error| failed(&error))?;
    let ports = world.ports.lease(role.grants.ports).map_err(|error| failed(&error))?;
    let room = Room {
        whose: Whose::Attempts,
        tree,
        access: *access,
        desk,
        grants: &role.grants,
        git: *git,
        ports: Some(&ports),
    };
    let limits = job_limits(&role.limits);
    let way_out = gate.as_ref().map(Gate::env).unwrap_or_default();
    let env = own.into_iter().chain(ports.env()).chain(way_out).collect();
    let job = world.job(&room, Work { program, env, read: &read, limits, log: name, tail_bytes: TAIL_BYTES })?;
    let (ended, metered) = match gate {
        Some(gate) => gate.run(world, job, cancelled).await.map_err(|error| failed(&error))?,
        None => (world.hands.run(job, cancelled).await.map_err(|error| failed(&error))?, Metered::default()),
    };
    if let Some(Refusal::BudgetReached { .. }) = &metered.refused {
        return Ok(None);
    }
    let (how, tail, log, handoff) = (ended.how, ended.tail, world.log(name), desk.handoff());
    // A log may be long.
    let read = move || played.read(Left { how, tail: &tail, log: &log, handoff: collect(&handoff) });
    let Report { stance, handoff, told, said } = blocking(read).await;
    tracing::debug!(seat = %seat.0, ?told, "what its agent says of itself");
    let stance = as_metered(stance, &metered, world.now_ms());
    let stance = if role.failover { as_unusable(stance, &metered) } else { stance };
    let mut usage = ended.usage;
    usage.wall_ms += ended.virtual_ms;
    Ok(Some(Acted { stance, handoff, said, usage }))
}

/// Gives what a role lets each of its jobs use.
pub fn job_limits(limits: &Limits) -> JobLimits {
    JobLimits {
        wall: Duration::from_secs(limits.wall_s),
        idle: Duration::from_secs(limits.idle_s),
        output_bytes: limits.output_bytes,
        memory_bytes: limits.memory_bytes,
        processes: limits.processes,
        file_bytes: limits.file_bytes,
        ..JobLimits::default()
    }
}
