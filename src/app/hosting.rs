//! Owns the life of a run's coordinator in this process: the lock, the world, the actors, and the end.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use kameo::prelude::*;
use tokio::sync::{oneshot, watch};

use super::gateway::open_gateway;
use super::telemetry::Exporting;
use super::telling::{self, Telling};
use super::{AppError, Loaded, Place, sandbox};
use crate::actors::coordinator::{Coordinator, CoordinatorArgs, MAILBOX, Tell};
use crate::actors::progress::{Lost, Progress};
use crate::actors::room::Whose;
use crate::actors::seal::{Reach, seal};
use crate::actors::world::{DESKS, Ground, World, blocking, told};
use crate::actors::{feed, logins};
use crate::io::files::{FilesError, RepoKey, RunLock};
use crate::io::git::{GitError, KeyNamed, Pool, RefNames, Repo};
use crate::io::hands::{Hands, Ports};
use crate::io::journal::{Checkpoint, JournalError};
use crate::io::signing::Signer;
use crate::machine::command::{Ask, Command, Opening};
use crate::machine::state::State;
use crate::model::ids::RunId;

/// Says where a run stood when its coordinator had nothing more to do.
#[derive(Debug, Clone)]
pub struct Hosted {
    /// The state.
    pub state: State,
}

/// Tells whether a coordinator of the run lives on this machine.
pub fn is_hosted(place: &Place, run: &RunId) -> bool {
    RunLock::is_held(&place.dir.lock(run))
}

/// Coordinates a run until it ends or rests.
///
/// # Errors
/// [`AppError::Held`] where another process does; the faults of the state directory, the journal and git.
pub async fn host(place: &Place, run: &RunId) -> Result<Hosted, AppError> {
    // What is not told yet goes on being told.
    Ok(host_telling(place, run, watch::channel(Progress::default()).0).await?.0)
}

/// As [`host`], with each stored event's number shown to whoever follows the run, who then need not look in vain.
///
/// # Errors
/// As [`host`].
pub async fn host_shown(place: &Place, run: &RunId, progress: watch::Sender<Progress>) -> Result<Hosted, AppError> {
    let (hosted, telling) = host_telling(place, run, progress).await?;
    if let Some(telling) = telling {
        // This process may be about to end.
        telling.end(place, run).await;
    }
    Ok(hosted)
}

/// Does as [`host_shown`]; gives what still tells people of the run.
async fn host_telling(
    place: &Place,
    run: &RunId,
    progress: watch::Sender<Progress>,
) -> Result<(Hosted, Option<Telling>), AppError> {
    let lock = match RunLock::try_acquire(&place.dir.lock(run)) {
        Ok(lock) => lock,
        Err(FilesError::Held { pid, .. }) => {
            let holder = pid.map(|pid| format!("process {pid} coordinates it"));
            return Err(AppError::Held { run: run.to_string(), holder });
        }
        Err(error) => return Err(error.into()),
    };
    let (reader, run_of) = (place.clone(), run.clone());
    let found = blocking(move || find(&reader, &run_of)).await?;
    let telling = telling::begin(place, run, progress.subscribe())?;
    let hands = sandbox::choose(place, found.opening.config.sandbox).await?;
    let (opener, run_of) = (place.clone(), run.clone());
    let (world, state, epoch) = blocking(move || start(&opener, &run_of, found, hands)).await?;
    let mut seen = progress.subscribe();
    let exporting = Exporting::begin(place, run, progress.subscribe());
    let args = CoordinatorArgs { world: Arc::clone(&world), state, epoch, progress };
    let coordinator = Coordinator::spawn_with_mailbox(args, kameo::mailbox::bounded(MAILBOX));
    let last = bring_waiting_requests(&world, &coordinator).await?;
    let socket = place.dir.socket(run)?;
    let listening = feed::listen(&socket);
    if let Err(error) = &listening {
        tracing::warn!(%error, socket = %socket.display(), "no nudges: requests are found at intervals");
    }
    let since = (epoch, last);
    let following = tokio::spawn(feed::follow(Arc::clone(&world), since, listening.ok(), coordinator.downgrade()));
    // The sender lives as long as the coordinator does.
    let end = seen.wait_for(|now| now.lost.is_some() || (now.is_idle && now.is_resting)).await;
    let lost = match end.map(|progress| progress.lost.clone()) {
        Ok(lost) => lost,
        Err(_) => Some(Lost::Journal("its coordinator broke; this is a bug".to_owned())),
    };
    following.abort();
    coordinator.kill();
    coordinator.wait_for_shutdown().await;
    // Whoever has taken the run over listens there.
    if world.journal.epoch(run).is_ok_and(|owner| owner == epoch) {
        // Nobody listens there any more; a socket that stays behind is replaced by the next coordinator.
        let _ = std::fs::remove_file(&socket);
    }
    match lost {
        None => {}
        Some(Lost::Broken(broken)) => return Err(AppError::Bug { run: run.to_string(), broken }),
        Some(Lost::Untrue(seq)) => return Err(AppError::Untrue { run: run.to_string(), seq }),
        Some(Lost::Journal(why)) => return Err(AppError::Lost { run: run.to_string(), why }),
        Some(Lost::PassedOver) => {
            let holder = Some("another process has taken it over meanwhile".to_owned());
            return Err(AppError::Held { run: run.to_string(), holder });
        }
    }
    let state = finish(place, run, &world)?;
    if let Some(exporting) = exporting {
        exporting.finish().await;
    }
    drop(lock);
    Ok((Hosted { state }, telling))
}

/// Holds a run as it was found in the journal, and where it is at home.
struct Found {
    loaded: Loaded,
    opening: Arc<Opening>,
    repo: Repo,
    refs: RefNames,
}

/// Replays the run and looks for its repository.
fn find(place: &Place, run: &RunId) -> Result<Found, AppError> {
    let loaded = place.load_paced(run)?;
    let opening = loaded.state.opening.clone().ok_or_else(|| AppError::Unopened { run: run.to_string() })?;
    let repo = signing(Repo::discover(Path::new(&opening.repo))?)?;
    let refs = RefNames::new(&opening.config.branch_prefix, run.clone())?;
    reaches_its_anchor(place, run, &repo, &refs)?;
    Ok(Found { loaded, opening, repo, refs })
}

/// Takes the run over, and opens all that its actors reach the world through.
fn start(place: &Place, run: &RunId, found: Found, hands: Hands) -> Result<(Arc<World>, State, u64), AppError> {
    let Found { loaded, opening, repo, refs } = found;
    let pools = pools(place, &opening, &repo)?;
    let holder = format!("process {}", std::process::id());
    let epoch = place.journal.claim(run, &holder)?;
    // Whoever owned it until here and lives all the same is to end with its agents.
    feed::nudge(&place.dir.socket(run)?);
    // Between reading and claiming, whoever owned the run before may have appended once more.
    let loaded = if place.journal.last_seq(run)? == loaded.state.seq { loaded } else { place.load_paced(run)? };
    keep_snapshot(place, run, &loaded);
    let state = loaded.state;
    repo.break_locks(&[refs.branches(), refs.pins()])?;
    Ok((world(place, Ground::new(opening, repo), refs, pools, hands)?, state, epoch))
}

/// Opens the pools of worktrees of agents and of checks, and sweeps out what others left there.
pub(super) fn pools(place: &Place, opening: &Opening, repo: &Repo) -> Result<[Pool; 2], GitError> {
    let trees = place.dir.trees(&RepoKey::of(repo.identity())).join(opening.run.as_str());
    let pool = |name: &str| -> Result<Pool, GitError> {
        let pool = Pool::open(repo, trees.join(name), &opening.config.warm)?;
        pool.sweep()?;
        Ok(pool)
    };
    Ok([pool("work")?, pool("check")?])
}

/// Bundles what actors reach the world through.
pub(super) fn world(
    place: &Place,
    ground: Ground,
    refs: RefNames,
    [workshop, bench]: [Pool; 2],
    hands: Hands,
) -> Result<Arc<World>, AppError> {
    let run = ground.run.clone();
    let secrets = logins::secrets(&place.env, &ground.opening.roles, place.clock.now_ms());
    logins::sweep(&place.dir.run_dir(&run).join(DESKS));
    let world = World {
        ground: Arc::new(ground),
        refs,
        workshop,
        bench,
        hands: hands.keeping(secrets.clone()),
        gateway: open_gateway(place)?,
        till: Arc::default(),
        ports: Ports::default(),
        clock: Arc::clone(&place.clock),
        journal: Arc::clone(&place.journal),
        place: place.dir.clone(),
        artel: place.artel.clone(),
        outer_env: place.env.clone(),
        secrets,
    };
    for dir in [world.place.logs(&run), world.cache(Whose::Attempts), world.cache(Whose::Checks)] {
        std::fs::create_dir_all(&dir).map_err(|source| AppError::Read { what: "the folder", path: dir, source })?;
    }
    Ok(Arc::new(world))
}

/// Gives the way to the repository the key that signs commits, where the user's git names one.
fn signing(repo: Repo) -> Result<Repo, AppError> {
    match repo.signing_key()? {
        None => Ok(repo),
        Some(KeyNamed::ForArtel(path)) => Ok(repo.signing(Arc::new(Signer::read(&path)?))),
        Some(KeyNamed::ForUser(path)) => match Signer::read(&path) {
            Ok(signer) => Ok(repo.signing(Arc::new(signer))),
            Err(error) => {
                tracing::warn!("commits are not signed, since artel cannot {}", told(&error));
                Ok(repo)
            }
        },
    }
}

/// Refuses a journal that ends before what was signed of it, or holds other events: a copy from another day, or a file
/// that lost its end without being torn. To go on from there would do again what was done.
fn reaches_its_anchor(place: &Place, run: &RunId, repo: &Repo, refs: &RefNames) -> Result<(), AppError> {
    let mut newest = None;
    repo.anchors(&refs.anchor(), |text| {
        newest = Checkpoint::from_text(text);
        ControlFlow::Break(())
    })?;
    let Some(anchor) = newest else { return Ok(()) };
    // What others signed binds nobody here; `artel verify` tells of it.
    let is_ours = Signer::read(&place.dir.journal_key()).is_ok_and(|signer| signer.public() == anchor.key);
    if !is_ours
        || anchor.run != *run
        || !anchor.is_signed()
        || place.journal.chain_at(run, anchor.seq)? == Some(anchor.chain)
    {
        return Ok(());
    }
    let (signed, last) = (anchor.seq, place.journal.last_seq(run)?);
    let why = format!("event {signed} of run {run} was signed and is not there as it was; the last event is {last}");
    Err(JournalError::Damaged { path: place.dir.journal(), why }.into())
}

/// Brings what was asked while no coordinator lived, and waits until it is answered; gives the last row.
async fn bring_waiting_requests(world: &Arc<World>, coordinator: &ActorRef<Coordinator>) -> Result<i64, AppError> {
    let mut last = 0;
    for row in world.journal.requests(&world.run, 0)? {
        last = row.row;
        if let Ok(ask) = serde_json::from_str::<Ask>(&row.body) {
            let ask = feed::seen(world, ask).await;
            let _ = coordinator.tell(Tell::report(Command::Request { id: row.id, ask })).send().await;
        }
    }
    let (reply, answered) = oneshot::channel();
    let _ = coordinator.tell(Tell { command: Command::LetLapse, reply: Some(reply) }).send().await;
    // An answer that never comes means that the coordinator is gone, which its progress tells.
    let _ = answered.await;
    Ok(last)
}

/// Keeps a snapshot; that it cannot be kept harms nobody.
fn keep_snapshot(place: &Place, run: &RunId, loaded: &Loaded) {
    if let Err(error) = place.keep_snapshot(run, loaded) {
        tracing::warn!(%run, "failed to keep a snapshot: {}", told(&error));
    }
}

/// Puts away what a run that rests or ended needs no longer, and notes its end for listings.
fn finish(place: &Place, run: &RunId, world: &World) -> Result<State, AppError> {
    let loaded = place.load_paced(run)?;
    keep_snapshot(place, run, &loaded);
    let state = loaded.state;
    let ended = state.end.as_ref().map(|_| crate::views::ended::ended(&state).words);
    world.clear_idle_trees();
    if let Err(error) = seal(world, Reach::Anchor) {
        tracing::warn!(%run, "failed to prove what the journal holds: {}", told(&error));
    }
    // After the proof: whoever finds the end noted and no proof knows that it was taken away.
    place.journal.set_ended(run, ended.as_deref())?;
    Ok(state)
}
