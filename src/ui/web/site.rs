//! Owns what all answers of a server are made from: the folds of runs, who hosts them, who may ask. Never answers itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use crate::actors::world::blocking;
use crate::app::{Access, AppError, Follower, Followers, Hosts, Pasts, Place, States};
use crate::io::journal::RunRow;
use crate::model::ids::RunId;
use crate::views::summary::{Summary, summary};

use super::limits::Limits;
use super::once::Once;
use super::refused::Refused;
use super::transcripts::TRANSCRIPTS;

/// A run with how it stands, or why it cannot be read.
pub type Summed = (RunRow, Result<Summary, String>);

/// Holds what all answers are made from.
pub struct Site {
    /// The state directory and the journal.
    pub place: Place,
    /// The runs that are hosted here.
    pub hosts: Arc<Hosts>,
    /// The folds of runs.
    pub followers: Followers,
    /// The runs as they were.
    pub pasts: Pasts,
    /// Who may do what.
    pub access: Access,
    /// How much anybody may ask.
    pub limits: Limits,
    /// The names by which this server may be called, each with its port where that is not the usual one.
    pub names: BTreeSet<String>,
    /// Whether it may be called by any address of this port too: it is only names that somebody else can bind to it.
    pub any_address: Option<u16>,
    /// The name of the cookie by which a browser is known.
    pub cookie: String,
    /// What was done under which key beside runs.
    pub once: Once,
    /// Who reads a transcript has one of these, so that slow readers do not hold all files and memory.
    pub transcripts: Arc<Semaphore>,
    /// The states of runs that need a person.
    pub states: States,
    summaries: Mutex<BTreeMap<RunId, (u64, Summary)>>,
}

impl Site {
    /// Puts a site together.
    pub fn new(place: Place, hosts: Arc<Hosts>, access: Access, at: SocketAddr, names: &[String]) -> Self {
        let port = at.port();
        let own = ["127.0.0.1", "localhost", "[::1]"].map(str::to_owned);
        let own = own.iter().chain(names).flat_map(|name| [format!("{name}:{port}"), name.clone()]);
        Self {
            followers: Followers::new(place.clone()),
            pasts: Pasts::new(place.clone()),
            place,
            hosts,
            access,
            limits: Limits::default(),
            names: own.map(|name| name.to_ascii_lowercase()).collect(),
            any_address: (!at.ip().is_loopback()).then_some(port),
            cookie: format!("artel-{port}"),
            once: Once::default(),
            transcripts: Arc::new(Semaphore::new(TRANSCRIPTS)),
            states: States::default(),
            summaries: Mutex::default(),
        }
    }

    /// Finds a run by id, name or the beginning of an id.
    ///
    /// # Errors
    /// Where none or several fit.
    pub async fn find(self: &Arc<Self>, text: &str) -> Result<RunId, Refused> {
        let (site, text) = (Arc::clone(self), text.to_owned());
        Ok(blocking(move || site.place.find(Some(&text))).await?)
    }

    /// Shows the fold of a run, with all that its journal holds taken in.
    ///
    /// # Errors
    /// Where there is no such run, or it cannot be read.
    pub async fn see<T: Send + 'static>(
        self: &Arc<Self>,
        run: &str,
        see: impl FnOnce(&Self, &RunId, &Follower) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let (site, text) = (Arc::clone(self), run.to_owned());
        blocking(move || {
            let run = site.place.find(Some(&text))?;
            let follower = site.followers.follow(&run)?;
            see(&site, &run, &follower)
        })
        .await
    }

    /// Lists all runs, the newest first, with how each stands. Blocks on the disk.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    pub fn summaries(&self) -> Result<Vec<Summed>, AppError> {
        let mut rows = self.place.runs()?;
        rows.reverse();
        Ok(rows.into_iter().map(|row| self.summed(row)).collect())
    }

    fn summed(&self, row: RunRow) -> Summed {
        let held = || self.summaries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, kept)) = held().get(&row.run).filter(|(seq, _)| *seq == row.last_seq) {
            let kept = kept.clone();
            return (row, Ok(kept));
        }
        let made = match self.place.load(&row.run) {
            Ok(state) => summary(&state).map(|made| (state.seq, made)).ok_or_else(|| "it is not open".to_owned()),
            Err(error) => Err(crate::actors::world::told(&error)),
        };
        let made = made.map(|(seq, made)| {
            held().insert(row.run.clone(), (seq, made.clone()));
            made
        });
        (row, made)
    }
}
