//! Owns the place where a session of artel's own loop works: in memory until a command has to be run, then in a worktree,
//! through the hands. Never says what the work is worth.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kameo::prelude::WeakActorRef;
use tokio::sync::{Mutex, MutexGuard, watch};
use tokio::time::Instant;

use super::acting::job_limits;
use super::coordinator::Coordinator;
use super::gate::Gate;
use super::order::Order;
use super::overlay::{FILE_BYTES, Overlay, PATHS, words};
use super::room::{Access, Room, Whose, Work};
use super::setup::{For, set_up};
use super::world::{World, blocking, told};
use crate::io::agents::Desk;
use crate::io::git::{Edit, Limits as SnapshotLimits, OwnGit, Stands, Tree};
use crate::io::hands::{Ended, HandsError, Job, JobLimits, PortsLease};
use crate::io::llm::{Act, Files, Found, Place, Ran};
use crate::io::process::{How, Program};
use crate::io::tools::Pending;
use crate::model::attempt::Usage;
use crate::model::ids::Oid;
use crate::model::seat::Seat;

/// Bytes of a command's output that are kept.
const TAIL_BYTES: usize = 24 << 10;
/// What a session is told whose worktree is gone.
const LOST: &str = "the place where the commands ran was lost. Your own edits are kept, and the next command runs in a new \
place that holds them; what commands had made may be gone: look, and go on";

/// Holds the place of one session.
pub struct Workplace {
    world: Arc<World>,
    order: Order,
    /// Where the files begin.
    from: Oid,
    until: Instant,
    cancelled: watch::Receiver<bool>,
    coordinator: WeakActorRef<Coordinator>,
    inside: Arc<Mutex<Inside>>,
}

/// Holds what a session has made so far.
#[derive(Default)]
struct Inside {
    /// What its own edits make of the commit that it began from, as far as that is known.
    edits: BTreeMap<String, Edit>,
    hall: Option<Hall>,
    ports: Option<PortsLease>,
    commands: u32,
    usage: Usage,
}

/// Holds the worktree in which commands run.
struct Hall {
    tree: Tree,
    git: Option<OwnGit>,
    desk: Desk,
}

/// What a session has left.
pub enum Remains {
    /// Edits above the commit that it began from.
    Edits(BTreeMap<String, Edit>),
    /// A worktree.
    Tree(Box<Tree>),
}

impl Workplace {
    /// Prepares a place for an attempt; nothing is made on a disk.
    pub fn new(
        world: &Arc<World>,
        order: &Order,
        until: Instant,
        coordinator: WeakActorRef<Coordinator>,
        cancelled: watch::Receiver<bool>,
    ) -> Self {
        let from = order.from.unwrap_or(order.base);
        let (world, order) = (Arc::clone(world), order.clone());
        Self { world, order, from, until, cancelled, coordinator, inside: Arc::default() }
    }

    /// Shows the commit that the files begin from.
    pub fn from(&self) -> Oid {
        self.from
    }

    /// Gives what the session has left, and what its commands cost.
    pub async fn close(&self) -> (Remains, Usage) {
        let mut inside = self.inside.lock().await;
        let usage = inside.usage;
        match inside.hall.take() {
            Some(hall) => {
                self.world.clear_tmp(&hall.desk).await;
                (Remains::Tree(Box::new(hall.tree)), usage)
            }
            None => (Remains::Edits(std::mem::take(&mut inside.edits)), usage),
        }
    }

    async fn act(&self, act: Act) -> Result<String, String> {
        let mut inside = Arc::clone(&self.inside).lock_owned().await;
        self.look_after(&mut inside).await?;
        let (world, from) = (Arc::clone(&self.world), self.from);
        let shown = blocking(move || {
            let Inside { edits, hall, .. } = &mut *inside;
            match hall {
                Some(hall) => act(&mut Worktree { tree: &hall.tree, edits }),
                None => {
                    let (tree, _) = world.repo.commit_of(from).map_err(|error| words(&error))?;
                    act(&mut Overlay { ground: &world.ground, tree, edits })
                }
            }
        })
        .await?;
        Ok(masked(&self.world, &shown))
    }

    /// Gives up a worktree that is gone, and says so once.
    async fn look_after(&self, inside: &mut Inside) -> Result<(), String> {
        match &inside.hall {
            Some(hall) if !hall.tree.is_there() => {
                self.give_up(inside).await;
                Err(LOST.to_owned())
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn give_up(&self, inside: &mut Inside) {
        if let Some(hall) = inside.hall.take() {
            // What cannot be removed is swept with the run.
            let _ = self.world.blocking(move |world| world.workshop.discard(hall.tree)).await;
        }
    }

    async fn run_line(&self, line: String, most: Duration) -> Result<Ran, String> {
        let mut inside = self.inside.lock().await;
        self.look_after(&mut inside).await?;
        let limits = self.limits(most)?;
        self.provide(&mut inside).await?;
        inside.commands += 1;
        let log = format!("{}-command-{}", self.order.attempt, inside.commands);
        // The session's own door leads to models and stays in this process: a command has a way out and no more.
        let (seat, role) = ((Seat::Attempt(self.order.attempt), self.order.fence), &self.order.role);
        let gate = Gate::out(&self.world, seat, role, &self.coordinator)?;
        let way = gate.iter().flat_map(Gate::env);
        let job = self.job(&inside, (line, way.collect()), &log, limits)?;
        let ended = match gate {
            Some(gate) => gate.run(&self.world, job, self.cancelled.clone()).await.map(|(ended, _)| ended),
            None => self.world.hands.run(job, self.cancelled.clone()).await,
        };
        let ended = match ended {
            Ok(ended) => ended,
            Err(error @ HandsError::NotStarted { .. }) => return Err(format!("failed to {}", told(&error))),
            Err(error) => {
                let why = format!("failed to {}", told(&error));
                self.save(&mut inside).await;
                return Err(format!("{why}; {LOST}"));
            }
        };
        inside.usage += ended.usage;
        if let Some(hall) = &inside.hall
            && !hall.tree.is_there()
        {
            self.give_up(&mut inside).await;
            return Err(LOST.to_owned());
        }
        if ended.how == How::InitLost {
            self.save(&mut inside).await;
            return Err(format!("the command {}; {LOST}", ended.how));
        }
        Ok(ran(ended))
    }

    /// Bounds a command by what the session has left.
    fn limits(&self, most: Duration) -> Result<JobLimits, String> {
        let mut limits = job_limits(&self.order.role.limits);
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err("no time is left".to_owned());
        }
        limits.wall = limits.wall.min(most).min(left);
        Ok(limits)
    }

    /// Takes a worktree that holds the edits, where there is none.
    async fn provide(&self, inside: &mut Inside) -> Result<(), String> {
        if inside.hall.is_some() {
            return Ok(());
        }
        if inside.ports.is_none() && self.order.role.grants.ports > 0 {
            let lease = self.world.ports.lease(self.order.role.grants.ports);
            inside.ports = Some(lease.map_err(|error| format!("failed to {}", told(&error)))?);
        }
        let (from, edits) = (self.from, inside.edits.clone());
        let made = self.world.blocking(move |world| {
            let tree = world.workshop.take(from)?;
            if let Err(error) = tree.edit_inside(&edits) {
                let _ = world.workshop.discard(tree);
                return Err(error);
            }
            let git = world.own_git(&tree)?;
            Ok((tree, git))
        });
        let (mut tree, git) = made.await.map_err(|error| words(&error))?;
        let name = self.order.attempt.to_string();
        let (grants, limits) = (&self.order.role.grants, job_limits(&self.order.role.limits));
        let whom = For { name: &name, whose: Whose::Attempts, grants, git: git.as_ref(), limits };
        let desk = Desk::at(self.world.desk(&name));
        let ready = match set_up(&self.world, &mut tree, &whom, self.cancelled.clone()).await {
            Ok(()) => desk.lay(&BTreeMap::new()).map_err(|error| format!("failed to {}", told(&error))),
            Err(error) => Err(format!("failed to {}", told(&error))),
        };
        if let Err(why) = ready {
            let _ = self.world.blocking(move |world| world.workshop.discard(tree)).await;
            return Err(why);
        }
        inside.hall = Some(Hall { tree, git, desk });
        Ok(())
    }

    fn job(
        &self,
        inside: &MutexGuard<'_, Inside>,
        (line, mut env): (String, BTreeMap<String, String>),
        log: &str,
        limits: JobLimits,
    ) -> Result<Job, String> {
        let Some(hall) = &inside.hall else { return Err(LOST.to_owned()) };
        let room = Room {
            whose: Whose::Attempts,
            tree: &hall.tree,
            access: Access::Write,
            desk: &hall.desk,
            grants: &self.order.role.grants,
            git: hall.git.as_ref(),
            ports: inside.ports.as_ref(),
        };
        env.extend(inside.ports.iter().flat_map(PortsLease::env));
        let work = Work { program: Program::Shell(line), env, read: &[], limits, log, tail_bytes: TAIL_BYTES };
        self.world.job(&room, work)
    }

    /// Keeps what a worktree holds whose hands were lost, as far as it can be read, and gives the worktree up.
    async fn save(&self, inside: &mut Inside) {
        let Some(hall) = inside.hall.take() else { return };
        let saved = self.world.blocking(move |world| {
            let saved = hall.tree.snapshot(SnapshotLimits::default());
            // What cannot be removed is swept with the run.
            let _ = world.workshop.discard(hall.tree);
            saved
        });
        if let Ok(saved) = saved.await {
            inside.edits = saved.edits;
        }
    }
}

fn ran(ended: Ended) -> Ran {
    let Ended { how, usage, tail, .. } = ended;
    Ran { how: format!("It {how}."), is_cut: usage.output_bytes > TAIL_BYTES as u64, tail }
}

impl Place for Workplace {
    fn with(&self, act: Act) -> Pending<'_, Result<String, String>> {
        Box::pin(self.act(act))
    }

    fn run(&self, line: String, most: Duration) -> Pending<'_, Result<Ran, String>> {
        Box::pin(self.run_line(line, most))
    }
}

/// Holds the files of a commit to be read by a session that changes nothing: a planner's or a judge's.
pub struct Reading {
    world: Arc<World>,
    commit: Oid,
}

impl Reading {
    /// Prepares it; nothing is made on a disk.
    pub fn of(world: &Arc<World>, commit: Oid) -> Self {
        Self { world: Arc::clone(world), commit }
    }

    async fn act(&self, act: Act) -> Result<String, String> {
        let (world, commit) = (Arc::clone(&self.world), self.commit);
        let shown = blocking(move || {
            let (tree, _) = world.repo.commit_of(commit).map_err(|error| words(&error))?;
            // What is written here reaches nothing.
            let mut edits = BTreeMap::new();
            act(&mut Overlay { ground: &world.ground, tree, edits: &mut edits })
        })
        .await?;
        Ok(masked(&self.world, &shown))
    }
}

impl Place for Reading {
    fn with(&self, act: Act) -> Pending<'_, Result<String, String>> {
        Box::pin(self.act(act))
    }

    fn run(&self, _: String, _: Duration) -> Pending<'_, Result<Ran, String>> {
        Box::pin(async { Err("no command is run here".to_owned()) })
    }
}

/// Shows no model a credential that artel was started with, wherever it lies.
fn masked(world: &World, text: &str) -> String {
    String::from_utf8_lossy(&world.secrets.mask(text.as_bytes())).into_owned()
}

/// The files of a worktree in which commands ran; what is edited here is known also where the worktree is lost.
struct Worktree<'a> {
    tree: &'a Tree,
    edits: &'a mut BTreeMap<String, Edit>,
}

impl Files for Worktree<'_> {
    fn paths(&mut self) -> Result<Vec<String>, String> {
        self.tree.paths_inside(PATHS).map_err(|error| words(&error))
    }

    fn look(&mut self, path: &str) -> Result<Found, String> {
        Ok(match self.tree.look_inside(path, FILE_BYTES).map_err(|error| words(&error))? {
            Stands::File(bytes) => Found::File(bytes),
            Stands::Link(target) => Found::Link(target),
            Stands::Folder => Found::Folder,
            Stands::Nothing => Found::Nothing,
        })
    }

    fn write(&mut self, path: &str, bytes: Vec<u8>) -> Result<(), String> {
        let executable = self.tree.write_inside(path, &bytes).map_err(|error| words(&error))?;
        self.edits.insert(path.to_owned(), Edit::Write { bytes, executable });
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<(), String> {
        self.tree.remove_inside(path).map_err(|error| words(&error))?;
        self.edits.insert(path.to_owned(), Edit::Delete);
        Ok(())
    }
}
