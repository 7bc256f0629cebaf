//! Owns what programs and pages are told of a run's past: its journal, sifted, and its board and plan as they were at any
//! event. Changes nothing.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;

use super::extract::{Path, Query};
use super::reads::{Told, board_of, named, not_open};
use super::refused::Refused;
use super::site::Site;
use crate::app::Loaded;
use crate::machine::state::State as RunState;
use crate::model::ids::{RunId, TaskId};
use crate::views::board::{Board, Outside, board};
use crate::views::graph::{self, Graph, Marks};
use crate::views::journal::{Page, Sieve};

/// Longest text that is looked for, in characters, as the document of the interface says.
const WORD_CHARS: usize = 400;

/// Says which moment is wanted.
#[derive(Debug, Default, Deserialize)]
pub struct At {
    /// The number of the last event that had happened; none is the present.
    at: Option<u64>,
}

/// Says which events are wanted, as a query or a form does: what is left empty is not asked.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// What their lines hold.
    pub text: String,
    /// Their kind.
    pub kind: String,
    /// A task that they are about.
    pub task: String,
    /// Whose doing they are.
    pub actor: String,
    /// Only those before this one.
    pub before: String,
    /// Only those after this one, the next ones first.
    pub after: String,
    /// How many at most.
    pub limit: String,
    /// The event at which the board is shown.
    pub at: String,
    /// The part of a page that is wanted alone.
    pub only: String,
}

impl Asked {
    /// Lists what is asked by name, as a query or a form says it.
    pub fn fields(&self) -> [(&'static str, &str); 7] {
        [
            ("text", &self.text),
            ("kind", &self.kind),
            ("task", &self.task),
            ("actor", &self.actor),
            ("before", &self.before),
            ("after", &self.after),
            ("at", &self.at),
        ]
    }

    /// Reads what is asked.
    ///
    /// # Errors
    /// Where a number or a task is none, or the text is too long.
    pub fn sieve(&self) -> Result<Sieve, Refused> {
        for (what, text) in [("text", &self.text), ("kind", &self.kind), ("task", &self.task), ("actor", &self.actor)] {
            if text.chars().count() > WORD_CHARS {
                let why = format!("`{what}` is longer than {WORD_CHARS} characters");
                return Err(Refused::new(StatusCode::BAD_REQUEST, "search the journal", why));
            }
        }
        let task = match self.task.trim() {
            "" => None,
            text => Some(named::<TaskId>(text)?),
        };
        Ok(Sieve {
            text: self.text.trim().to_owned(),
            kind: self.kind.clone(),
            task,
            actor: self.actor.clone(),
            before: number(&self.before)?,
            after: number(&self.after)?,
            limit: number(&self.limit)?.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        })
    }
}

/// Reads a number; nothing where none is given.
///
/// # Errors
/// Where it is none.
pub fn number(text: &str) -> Result<Option<u64>, Refused> {
    match text.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| {
            let why = format!("`{text}` is no number");
            Refused::new(StatusCode::BAD_REQUEST, "read the number of an event", why)
        }),
    }
}

/// Shows the board of a run, as it is or as it was.
///
/// # Errors
/// Where there is no such run, or it was not open then.
pub async fn run(State(site): State<Arc<Site>>, Path(run): Path<String>, Query(At { at }): Query<At>) -> Told<Board> {
    let made = match at {
        None => site.see(&run, board_of).await?,
        Some(at) => past(&site, &run, at, board_then).await?,
    };
    Ok(Json(made))
}

/// Reads the board of a run as it was.
pub fn board_then(loaded: &Loaded) -> Option<Board> {
    let outside = Outside { now_ms: loaded.state.last_ms, pace: loaded.pace.clone(), ..Outside::default() };
    board(&loaded.state, &outside)
}

/// Shows a run as it was.
///
/// # Errors
/// Where there is no such run, or it was not open then.
pub async fn past<T: Send + 'static>(
    site: &Arc<Site>,
    run: &str,
    at: u64,
    see: impl FnOnce(&Loaded) -> Option<T> + Send + 'static,
) -> Result<T, Refused> {
    let (site, text) = (Arc::clone(site), run.to_owned());
    crate::actors::world::blocking(move || {
        let run = site.place.find(Some(&text))?;
        site.pasts.at(&run, at, see)?.ok_or_else(|| not_open(&run))
    })
    .await
}

/// Shows the plan as a picture, as it is or as it was.
///
/// # Errors
/// Where there is no such run.
pub async fn graph(State(site): State<Arc<Site>>, Path(run): Path<String>, Query(At { at }): Query<At>) -> Told<Graph> {
    look(&site, &run, at, graph::graph).await
}

/// Shows how the tasks stand, as they do or as they did.
///
/// # Errors
/// Where there is no such run.
pub async fn marks(State(site): State<Arc<Site>>, Path(run): Path<String>, Query(At { at }): Query<At>) -> Told<Marks> {
    look(&site, &run, at, graph::marks).await
}

async fn look<T: Send + 'static>(site: &Arc<Site>, run: &str, at: Option<u64>, view: fn(&RunState) -> T) -> Told<T> {
    let see = move |loaded: &Loaded| loaded.state.opening.is_some().then(|| view(&loaded.state));
    Ok(Json(match at {
        Some(at) => past(site, run, at, see).await?,
        None => {
            let seen = move |_: &Site, run: &RunId, follower: &crate::app::Follower| {
                follower.see(|loaded, _| see(loaded)).ok_or_else(|| not_open(run))
            };
            site.see(run, seen).await?
        }
    }))
}

/// Shows a page of the journal.
///
/// # Errors
/// Where there is no such run, or what is asked cannot be read.
pub async fn journal(State(site): State<Arc<Site>>, Path(run): Path<String>, Query(asked): Query<Asked>) -> Told<Page> {
    let sieve = asked.sieve()?;
    let page = move |site: &Site, run: &RunId, _: &crate::app::Follower| {
        Ok(site.pasts.index(run, |index| index.page(run, &sieve))?)
    };
    Ok(Json(site.see(&run, page).await?))
}
