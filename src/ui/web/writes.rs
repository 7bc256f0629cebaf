//! Owns what programs and pages ask of runs: each is stored as a request before it counts, and its answer is waited for.
//! Never answers one itself.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::extract::{Path, Weighed};
use super::guard::{Caller, too_little};
use super::machine::from_root;
use super::reads::{Any, Told};
use super::refused::Refused;
use super::routes::BODY_BYTES;
use super::site::Site;
use crate::actors::world::blocking;
use crate::app::{self, Follower, OpenOptions, Place, Put, Standing, Unhosted};
use crate::io::journal::RunRow;
use crate::machine::command::Ask;
use crate::model::ids::{RequestId, RunId};
use crate::ui::cli::blame::verdict;
use crate::ui::cli::exit::Exit;

/// How long an answer is waited for, and how often it is looked for.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Says what is done to open one.
const OPEN: &str = "open a run";
/// Longest key of a request.
const KEY_BYTES: usize = 200;

/// Says how a run is to be opened, or planned.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// The repository: a folder on the server's machine, named from the root on.
    #[schemars(extend("pattern" = "^/"))]
    repo: PathBuf,
    /// The goal file, from there.
    #[schemars(extend("minLength" = 1))]
    goal: PathBuf,
    /// The user's own name for the run.
    name: Option<String>,
    /// The commit or branch to start from; none is what is checked out.
    base: Option<String>,
    /// Changes to roles, each `ROLE.FIELD=VALUE`.
    #[serde(default)]
    roles: Vec<String>,
    /// Attempts at one time.
    workers: Option<u32>,
    /// What all chance in the run is drawn from.
    seed: Option<u64>,
    /// Whether nobody is to work on the run before that is asked for.
    #[serde(default)]
    open_only: bool,
}

impl Opening {
    /// Gives the folder of the repository, and how the run is opened there.
    ///
    /// # Errors
    /// Where the folder is not named from the root on.
    pub fn options(self) -> Result<(PathBuf, OpenOptions), Refused> {
        let tried = format!("open a run in `{}`", self.repo.display());
        let Self { goal, name, base, roles, workers, seed, .. } = self;
        Ok((from_root(self.repo, &tried)?, OpenOptions { goal, name, base, roles, workers, seed, run: None }))
    }
}

/// Tells of a run that was opened.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Opened {
    /// The run.
    pub run: RunId,
    /// What was noticed about the repository.
    pub notes: Vec<String>,
}

/// Says what became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It was carried out.
    CarriedOut,
    /// It is stored; whoever works on the run has not answered yet.
    Stored,
}

/// Tells what became of a request.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Answered {
    /// The run.
    pub run: RunId,
    /// The request.
    pub request: RequestId,
    /// What became of it.
    pub answer: Answer,
}

/// Opens a run and hosts it.
///
/// # Errors
/// Where the goal is faulty, the repository not fit, or the key stands for something else.
pub async fn open(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    body: Result<Json<Opening>, JsonRejection>,
) -> Told<Any> {
    let Json(wanted) = body.map_err(|fault| unreadable(OPEN, &fault))?;
    let named = key(&headers)?.map(|key| named_after(&key, &wanted)).transpose()?;
    let work = opened(Arc::clone(&site), wanted.clone(), named);
    site.once.done(&headers, (OPEN, &wanted), work).await
}

async fn opened(site: Arc<Site>, wanted: Opening, named: Option<(String, RunId)>) -> Result<Opened, Refused> {
    let open_only = wanted.open_only;
    let (cwd, options) = wanted.options()?;
    let options = OpenOptions { run: named.as_ref().map(|(_, run)| run.clone()), ..options };
    let place = Place { cwd, ..site.place.clone() };
    let opened = blocking(move || {
        if let Some((beginning, run)) = named {
            let is_other = |row: &RunRow| row.run.as_str().starts_with(&beginning) && row.run != run;
            if let Some(other) = place.runs()?.iter().find(|row| is_other(row)) {
                let why = format!("run {} was opened under that `Idempotency-Key` by another request", other.run);
                return Err(Refused::new(StatusCode::UNPROCESSABLE_ENTITY, OPEN, why));
            }
        }
        Ok(app::open_run(&place, &options)?)
    });
    let (run, mut notes) = opened.await?;
    if !open_only && let Some(why) = take(&site, &run).await {
        notes.push(format!("nobody works on it: {}", why.words()));
    }
    Ok(Opened { run, notes })
}

/// Names a run after the key and the body of the request that opens it, so that both are known for as long as the run is;
/// gives the beginning of the names of all runs of that key too.
fn named_after(key: &str, wanted: &Opening) -> Result<(String, RunId), Refused> {
    let fault = |error: &dyn std::fmt::Display| {
        Refused::new(StatusCode::BAD_REQUEST, "name a run after the request's key", error.to_string())
    };
    let body = hashed(&serde_json::to_vec(wanted).map_err(|error| fault(&error))?);
    let beginning = format!("r-{}", &key[..12]);
    let run = RunId::from_str(&format!("{beginning}{}", &body[..6])).map_err(|error| fault(&error))?;
    Ok((beginning, run))
}

/// Hosts a run, and waits until that has begun: whoever follows it from here on must not find that nobody works on it.
/// Tells why it cannot be hosted, where it cannot.
async fn take(site: &Arc<Site>, run: &RunId) -> Option<Unhosted> {
    site.hosts.take(run);
    let until = Instant::now() + PATIENCE;
    while site.hosts.at_work().contains(run) {
        if app::is_hosted(&site.place, run) || Instant::now() >= until {
            return None;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    site.hosts.trouble(run)
}

/// Tells whether somebody works on a run.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Taken {
    /// The run.
    pub run: RunId,
    /// Whether somebody works on it; nobody has to where it rests or has ended.
    pub coordinated: bool,
}

/// Hosts a run on which nobody works.
///
/// # Errors
/// Where there is no such run, or it cannot be hosted.
pub async fn host(State(site): State<Arc<Site>>, Path(run): Path<String>, headers: HeaderMap) -> Told<Taken> {
    key(&headers)?;
    let run = site.find(&run).await?;
    if !app::is_hosted(&site.place, &run)
        && let Some(why) = take(&site, &run).await
    {
        return Err(unhosted(&run, &why));
    }
    let coordinated = app::is_hosted(&site.place, &run);
    Ok(Json(Taken { run, coordinated }))
}

/// Says that nobody works on a run; whoever asks exits as if they had tried it there.
fn unhosted(run: &RunId, why: &Unhosted) -> Refused {
    let mut refused = Refused::new(StatusCode::INTERNAL_SERVER_ERROR, format!("work on run {run}"), why.words())
        .next("`artel doctor` tells whether the server's machine is fit");
    let exit = match why {
        Unhosted::Error(error) => verdict(error).0,
        Unhosted::Broke(_) => Exit::Bug,
    };
    refused.fault.exit = Some(exit.code());
    refused
}

/// Asks something of a run.
///
/// # Errors
/// Where there is no such run, it refuses, or the caller may not ask that.
pub async fn ask(
    State(site): State<Arc<Site>>,
    Extension(Caller(standing)): Extension<Caller>,
    Path(run): Path<String>,
    headers: HeaderMap,
    body: Result<Weighed<Json<Ask>>, JsonRejection>,
) -> Told<Answered> {
    let tried = format!("ask something of {run}");
    let Weighed(Json(ask), bytes) = body.map_err(|fault| unreadable(&tried, &fault))?;
    fits(&tried, &ask, bytes)?;
    let id = id_of(key(&headers)?)?;
    Ok(Json(put(&site, standing, &run, id, ask).await?))
}

/// Refuses what is asked in a body that is larger than it may be: only a plan may be as large as anything may.
///
/// # Errors
/// Where it is.
pub fn fits(tried: &str, ask: &Ask, bytes: usize) -> Result<(), Refused> {
    if matches!(ask, Ask::EditPlan(_)) || bytes <= BODY_BYTES {
        return Ok(());
    }
    let why = format!("it has more than {} KiB, and is no edit of a plan", BODY_BYTES >> 10);
    Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, tried, why))
}

/// Says that a body could not be read.
pub fn unreadable(tried: &str, fault: &JsonRejection) -> Refused {
    Refused::new(fault.status(), tried, fault.body_text()).next("GET /api/v1/openapi.json describes what is read")
}

/// Gives a request's key in a form that ids may have; nothing where it has none.
///
/// # Errors
/// Where it is empty or too long.
pub fn key(headers: &HeaderMap) -> Result<Option<String>, Refused> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    if value.is_empty() || value.len() > KEY_BYTES {
        let why = format!("`Idempotency-Key` is empty or longer than {KEY_BYTES} bytes");
        return Err(Refused::new(StatusCode::BAD_REQUEST, "name the request", why));
    }
    Ok(Some(hashed(value.as_bytes())))
}

fn hashed(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn id_of(key: Option<String>) -> Result<RequestId, Refused> {
    let text = key.map_or_else(|| format!("q-{:016x}", fastrand::u64(..)), |key| format!("k-{key}"));
    text.parse().map_err(|error: crate::model::ids::NotAnId| {
        Refused::new(StatusCode::BAD_REQUEST, "name the request", error.to_string())
    })
}

/// Names a request after the key that a form carries.
///
/// # Errors
/// Where that makes no name.
pub fn id_of_form(key: &str) -> Result<RequestId, Refused> {
    id_of(Some(hashed(key.as_bytes())))
}

/// Tells who may ask something.
pub fn needed(ask: &Ask) -> Standing {
    match ask {
        Ask::Approve(_)
        | Ask::ApproveGate { .. }
        | Ask::ApproveTask(_)
        | Ask::Deny { .. }
        | Ask::SendPlanBack(_)
        | Ask::DenyTask { .. }
        | Ask::ApproveCandidate { .. }
        | Ask::DenyCandidate { .. }
        | Ask::ApproveDelivery { .. }
        | Ask::DenyDelivery { .. }
        | Ask::Retry(_)
        | Ask::AnswerScope { .. }
        | Ask::AnswerQuestion { .. }
        | Ask::Steer { .. } => Standing::Approver,
        // A task of a plan may bring checks, which are commands.
        Ask::EditPlan(_)
        | Ask::Drain
        | Ask::Stop
        | Ask::Resume
        | Ask::Revert(_)
        | Ask::Deliver { .. }
        | Ask::Raise(_) => Standing::Operator,
    }
}

/// Stores a request, has the run hosted where nobody works on it, and waits for the answer. What the law would refuse as
/// the run stands is refused at once and not stored.
///
/// # Errors
/// Where there is no such run, it refuses, or the caller may not ask that.
pub async fn put(
    site: &Arc<Site>,
    standing: Standing,
    run: &str,
    id: RequestId,
    ask: Ask,
) -> Result<Answered, Refused> {
    let tried = format!("ask something of {run}");
    let needed = needed(&ask);
    if standing < needed {
        return Err(too_little(tried, standing, needed));
    }
    let stored = {
        let (id, tried) = (id.clone(), tried.clone());
        site.see(run, move |site, run, follower| {
            let is_known =
                site.place.journal.requests(run, 0).map_err(app::AppError::from)?.iter().any(|row| row.id == id);
            let why = follower.see(|loaded, _| app::refusal(&loaded.state, &ask)).filter(|_| !is_known);
            if let Some(why) = why {
                return Err(Refused::new(StatusCode::CONFLICT, tried, why));
            }
            if app::ask_as(&site.place, run, &id, &ask)? == Put::Other {
                let why = "another request of that `Idempotency-Key` was stored before, and stands";
                return Err(Refused::new(StatusCode::UNPROCESSABLE_ENTITY, tried, why));
            }
            Ok((run.clone(), site.followers.follow(run)?))
        })
        .await?
    };
    let (run, follower) = stored;
    if site.hosts.at_work().contains(&run) {
        // Its coordinator may be about to rest.
        site.hosts.take(&run);
    }
    let answer = wait(&follower, &id).await?;
    match answer {
        None => Ok(Answered { run, request: id, answer: Answer::Stored }),
        Some(Ok(())) => Ok(Answered { run, request: id, answer: Answer::CarriedOut }),
        Some(Err(why)) => Err(Refused::new(StatusCode::CONFLICT, tried, why)),
    }
}

async fn wait(follower: &Arc<Follower>, id: &RequestId) -> Result<Option<Result<(), String>>, Refused> {
    let until = Instant::now() + PATIENCE;
    loop {
        let (follower, id) = (Arc::clone(follower), id.clone());
        let look = move || {
            follower.look()?;
            Ok::<_, app::AppError>(follower.see(|loaded, _| loaded.state.answered.get(&id).cloned()))
        };
        let answer = blocking(look).await?;
        if answer.is_some() || Instant::now() >= until {
            return Ok(answer);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
