//! Owns one session of an agent that is a process: put on the stage that was set for it, watched to its end, read back. Sets
//! no stage, and never says what follows.

use std::sync::Arc;
use std::time::Duration;

use kameo::prelude::WeakActorRef;
use tokio::sync::watch;

use super::casting::cast;
use super::coordinator::Coordinator;
use super::gate::Gate;
use super::keeping::Keeping;
use super::logins::{account, forget_login, held_to, keep_told, login_of, used_since};
use super::played::{as_answered, as_metered, as_unusable};
use super::room::{Access, Room, Whose, Work};
use super::seated;
use super::world::{World, blocking, told};
use crate::io::agents::{
    Agent, AgentError, Brief, Desk, EndedBy, GO_ON_FILE, Left, Play, Report, Stance, collect, read_question,
};
use crate::io::gateway::Metered;
use crate::io::git::{OwnGit, Tree};
use crate::io::hands::{Ended, HandsError, Job, JobLimits};
use crate::io::tools::Toolbox;
use crate::model::attempt::{Handoff, Usage};
use crate::model::means::Means;
use crate::model::role::{AgentRef, Limits, Role};
use crate::model::sandbox::Tier;
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
    /// Its agent's own name for the session.
    pub session: Option<String>,
    /// What it cost.
    pub usage: Usage,
}

/// Has an agent's process act, with a brief and tools; tells what it came to, or what its next call would have needed
/// where it ended because a budget left too little; or why it could not be run.
pub async fn act(
    world: &World,
    stage: &Stage<'_>,
    (brief, tools): (&Brief, Arc<dyn Toolbox>),
    coordinator: &WeakActorRef<Coordinator>,
    cancelled: watch::Receiver<bool>,
) -> Result<Result<Acted, Means>, String> {
    let failed = |error: &dyn std::error::Error| format!("failed to {}", told(error));
    let Stage { name, seat, agent, role, tree, git, access, desk } = stage;
    let gate = Gate::open(world, *seat, (agent, role), coordinator, tools)?;
    let login = login_of(world, role, agent)?;
    let has_login = login.is_some();
    let played = cast(world, (agent, role), (gate.as_ref().and_then(Gate::door), login))?;
    let play = set_out(played.as_ref(), brief, stage, world.hands.tier()).map_err(|error| failed(&error))?;
    let Play::Process { program, env: own, read, home, .. } = play else {
        return Err(format!("{agent} is no process"));
    };
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
    let keeping = Keeping::begin(world, *seat, (name, agent), coordinator);
    let work = Work { program, env, read: &read, limits, log: keeping.record(), tail_bytes: TAIL_BYTES };
    let job = Job { grown: Some(keeping.grown()), ..world.job(&room, work)? };
    let stopping = cancelled.clone();
    let ran = keeping.during(run(world, gate, job, cancelled)).await;
    let is_stopped = *stopping.borrow();
    forget_login(desk);
    world.clear_tmp(desk).await;
    let (ended, metered) = ran.map_err(|error| failed(&error))?;
    if let Some(wants) = metered.lacked() {
        return Ok(Err(wants));
    }
    let (how, tail, log, handoff) = (ended.how, ended.tail, keeping.file(), desk.handoff());
    // A log may be long.
    let read = move || played.read(Left { how, tail: &tail, log: &log, handoff: collect(&handoff) });
    let Report { stance, handoff, told, said } = blocking(read).await;
    keeping.pack().await;
    tracing::debug!(seat = %seat.0, ?told, "what its agent says of itself");
    let mut stance = as_metered(stance, &metered, world.now_ms());
    if matches!(agent, AgentRef::Acp(_)) {
        stance = as_answered(stance, &metered, world.now_ms());
    }
    if has_login {
        let used = used_since(&told, brief.resumes.as_ref().map(|resumed| &resumed.desk));
        account(coordinator, (*seat, agent), &used, ended.usage.wall_ms).await;
        stance = held_to(role, &used, stance);
        keep_told(desk, &told);
    }
    let stance = if role.failover { as_unusable(stance, &metered) } else { stance };
    let mut usage = ended.usage;
    usage.wall_ms += ended.virtual_ms;
    let ended_by = ended_by(&stance, &said);
    let session = tidy_up(world, stage, brief, (home, ended_by, told.session), is_stopped);
    Ok(Ok(Acted { stance, handoff, said, usage, session }))
}

/// Lays the desk and says how the agent plays: it goes on in the session that it had, where what it kept of that is there,
/// else from the first.
fn set_out(agent: &dyn Agent, brief: &Brief, stage: &Stage<'_>, tier: Tier) -> Result<Play, AgentError> {
    let Stage { desk, tree, .. } = stage;
    let lay = |play: &Play, more: Option<(&str, String)>| match play {
        Play::Process { files, .. } => {
            let more = more.map(|(name, text)| (name.to_owned(), text));
            desk.lay(&files.clone().into_iter().chain(more).collect())
        }
        Play::Rewrite => Ok(()),
    };
    if let Some(resumed) = &brief.resumes {
        let play = agent.play(brief, desk)?;
        lay(&play, Some((GO_ON_FILE, brief.go_on(tree.path()))))?;
        let is_there = match &play {
            Play::Process { home: Some(home), .. } => desk.take_over(&resumed.desk, home).unwrap_or_else(|error| {
                tracing::warn!(error = told(&error), "what an agent had kept of its session is not taken over");
                false
            }),
            // It is where the agent keeps those of its user, unless that was another place.
            Play::Process { home: None, .. } => tier == Tier::None,
            Play::Rewrite => false,
        };
        if is_there {
            return Ok(play);
        }
    }
    let play = agent.play(&Brief { resumes: None, ..brief.clone() }, desk)?;
    lay(&play, None)?;
    Ok(play)
}

/// Says what ended a session that may be taken up again: a limit, or a question that was asked by a tool or in its last words.
fn ended_by(stance: &Stance, said: &str) -> Option<EndedBy> {
    match stance {
        Stance::Limited { .. } => Some(EndedBy::Limit),
        Stance::Blocked { .. } => Some(EndedBy::Question),
        Stance::Done => read_question(said).map(|_| EndedBy::Question),
        Stance::Failed { .. } => None,
    }
}

/// Removes what an agent keeps of a session that nobody takes up again. What was taken up and then stopped is, from where the
/// limit had ended it; who plans or judges takes up one that a question ended too. Gives the name under which a session that
/// is kept is taken up.
fn tidy_up(
    world: &World,
    stage: &Stage<'_>,
    brief: &Brief,
    (home, ended_by, session): (Option<&str>, Option<EndedBy>, Option<String>),
    is_stopped: bool,
) -> Option<String> {
    let Some(home) = home else { return session };
    let (is_parked, resumed) = match stage.seat {
        (Seat::Attempt(_), _) => (ended_by == Some(EndedBy::Limit), brief.resumes.as_ref().filter(|_| !is_stopped)),
        // Who sits there next has the same desk, and what was taken up is kept until the journal says that it is over.
        (Seat::Planner { .. } | Seat::Judge { .. } | Seat::RunJudge { .. }, fence) => {
            (ended_by.is_some() && session.is_some() && seated::keep(world, fence, stage.desk, home), None)
        }
    };
    let own = (!is_parked).then_some(stage.desk);
    for desk in own.into_iter().chain(resumed.map(|resumed| &resumed.desk)) {
        if let Err(error) = desk.clear(home) {
            tracing::warn!(
                error = told(&error),
                "what an agent kept of its session stays until the run is cleared away"
            );
        }
    }
    session.filter(|_| is_parked)
}

/// Runs the job behind its gate, where it has one.
async fn run(
    world: &World,
    gate: Option<Gate>,
    job: Job,
    cancelled: watch::Receiver<bool>,
) -> Result<(Ended, Metered), HandsError> {
    match gate {
        Some(gate) => gate.run(world, job, cancelled).await,
        None => Ok((world.hands.run(job, cancelled).await?, Metered::default())),
    }
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
