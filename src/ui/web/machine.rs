//! Owns what programs are told of the server's machine and of repositories on it, and what they may have done there beside
//! runs. Folders are named by whoever may open runs in them, from the root on.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::extract::Query;
use super::reads::{Any, Told};
use super::refused::Refused;
use super::site::Site;
use super::writes::{Opening, unreadable};
use crate::actors::world::blocking;
use crate::app::{self, AppError, Fact, Left, Place, RoleRow};
use crate::io::agents::KnownAgent;
use crate::io::git::Repo;
use crate::views::plan_tree::plan_tree;

/// Says which repository is meant, where one is.
#[derive(Debug, Deserialize)]
pub struct Within {
    /// A folder in it.
    repo: Option<PathBuf>,
}

/// Says which repository is meant.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Of {
    /// A folder in it, on the server's machine, named from the root on.
    #[schemars(extend("pattern" = "^/"))]
    repo: PathBuf,
}

/// Says which channel is meant.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// The channel, as `notify.toml` names it; none is all.
    channel: Option<String>,
}

/// Looks that a folder is named from the root on.
///
/// # Errors
/// Where it is not.
pub fn from_root(folder: PathBuf, tried: &str) -> Result<PathBuf, Refused> {
    if folder.is_absolute() {
        return Ok(folder);
    }
    let why = "the folder of the repository is not named from the root on";
    Err(Refused::new(StatusCode::UNPROCESSABLE_ENTITY, tried, why))
}

/// Tells whether the machine is fit, and a repository where one is named.
///
/// # Errors
/// Where the folder is not named from the root on.
pub async fn doctor(State(site): State<Arc<Site>>, Query(Within { repo }): Query<Within>) -> Told<Vec<Fact>> {
    let repo = repo.map(|repo| from_root(repo, "look whether a repository is fit")).transpose()?;
    let (env, cwd) = (site.place.env.clone(), site.place.cwd.clone());
    Ok(Json(blocking(move || app::doctor(env, &cwd, repo.as_deref())).await))
}

/// Looks through every run of the journal; empties caches that do not fit.
///
/// # Errors
/// Where the key stands for something else.
pub async fn repair(State(site): State<Arc<Site>>, headers: HeaderMap) -> Told<Any> {
    let (env, cwd) = (site.place.env.clone(), site.place.cwd.clone());
    let work = async move { Ok(blocking(move || app::repair(env, &cwd)).await) };
    site.once.done(&headers, ("look through the journal", &()), work).await
}

/// Lists the roles as a run of a repository would have them.
///
/// # Errors
/// Where there is no such repository, or a role file or setting is faulty.
pub async fn roles(Query(asked): Query<Vec<(String, String)>>) -> Told<Vec<RoleRow>> {
    let (mut repo, mut settings) = (None, Vec::new());
    for (name, value) in asked {
        match name.as_str() {
            "repo" => repo = Some(from_root(value.into(), "list the roles of a repository")?),
            "role" => settings.push(value),
            _ => {}
        }
    }
    let rows = blocking(move || {
        let repo = repo.map(|repo: PathBuf| Repo::discover(&repo)).transpose()?;
        app::role_rows(repo.as_ref(), &settings)
    });
    Ok(Json(rows.await?))
}

/// Lists what is known of agents, and which of them the machine has.
pub async fn agents(State(site): State<Arc<Site>>) -> Json<Vec<KnownAgent>> {
    Json(blocking(move || app::agents_here(&site.place.env, &site.place.cwd)).await)
}

fn at(site: &Site, repo: PathBuf, tried: &str) -> Result<Place, Refused> {
    Ok(Place { cwd: from_root(repo, tried)?, ..site.place.clone() })
}

/// Says what is cleared.
const CLEAR: &str = "clear away what ended runs of a repository have left";

/// Lists what could be cleared away.
///
/// # Errors
/// Where no repository is named, or it cannot be read.
pub async fn garbage(State(site): State<Arc<Site>>, Query(Of { repo }): Query<Of>) -> Told<Vec<Left>> {
    let place = at(&site, repo, CLEAR)?;
    Ok(Json(blocking(move || app::garbage(&place)).await?))
}

/// Clears away what can be, and lists what that was.
///
/// # Errors
/// Where no repository is named, or something cannot be removed.
pub async fn clear(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    body: Result<Json<Of>, JsonRejection>,
) -> Told<Any> {
    let Json(of) = body.map_err(|fault| unreadable(CLEAR, &fault))?;
    let place = at(&site, of.repo.clone(), CLEAR)?;
    let work = async move {
        let cleared = blocking(move || {
            let found = app::garbage(&place)?;
            app::clear(&place)?;
            Ok::<_, AppError>(found)
        });
        Ok(cleared.await?)
    };
    site.once.done(&headers, (CLEAR, &of), work).await
}

/// Sends a test notice by each channel, or by one.
///
/// # Errors
/// Where the channels are faulty, or there is none that is meant.
pub async fn notify(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    body: Result<Json<Channel>, JsonRejection>,
) -> Told<Any> {
    let tried = "send a test notice";
    let Json(wanted) = body.map_err(|fault| unreadable(tried, &fault))?;
    let (place, channel) = (site.place.clone(), wanted.channel.clone());
    let work = async move { Ok(app::try_channels(&place, channel.as_deref()).await?) };
    site.once.done(&headers, (tried, &wanted), work).await
}

/// Plans a goal file of the server's machine and creates nothing.
///
/// # Errors
/// Where the goal is faulty or the repository not fit.
pub async fn plan(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    body: Result<Json<Opening>, JsonRejection>,
) -> Told<Any> {
    let tried = "plan a goal";
    let Json(wanted) = body.map_err(|fault| unreadable(tried, &fault))?;
    let opening = wanted.clone();
    let work = async move {
        let (repo, options) = opening.options()?;
        let planned = app::draft_plan(&repo, &options).await?;
        plan_tree(&planned).ok_or_else(|| Refused::missing(tried, "the planned run was never opened"))
    };
    site.once.done(&headers, (tried, &wanted), work).await
}
