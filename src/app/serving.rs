//! Owns which runs this process hosts when it serves a machine: all that are open and move, and each that somebody asks
//! something of, for as long as it has work. Never decides what a run does.

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram as Plain;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::UnixDatagram;
use tokio::sync::{mpsc, watch};

use super::telling;
use super::{AppError, Hosted, Place, host, is_hosted};
use crate::actors::feed;
use crate::actors::progress::Progress;
use crate::actors::world::{blocking, told};
use crate::io::clock::pass;
use crate::io::files::{RunLock, atomic_write, make_private};
use crate::io::journal::RunRow;
use crate::io::process::give_back_memory;
use crate::machine::command::Ask;
use crate::machine::due::deadline;
use crate::machine::state::State;
use crate::model::ids::RunId;
use crate::views::ended::ended;

/// Longest name of a run that a server is told.
const NAME_BYTES: usize = 64;
/// Pause after the system could not give what it was told.
const BREATH: Duration = Duration::from_millis(50);

/// Says what became of a hosted run, for whoever keeps a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The run.
    pub run: RunId,
    /// What became of it, in words.
    pub words: String,
}

/// Hosts runs.
pub struct Hosts {
    place: Place,
    held: Mutex<Held>,
    /// What becomes of runs; a line for each coming and going of one, so that they may pile up until they are read.
    notes: mpsc::UnboundedSender<Note>,
    _lock: RunLock,
}

#[derive(Default)]
struct Held {
    /// The runs that are hosted, and whether somebody has asked for each since it was last looked at.
    at_work: BTreeMap<RunId, bool>,
    /// Why a run could not be hosted when that was last tried.
    troubles: BTreeMap<RunId, Unhosted>,
}

/// Says why a run could not be hosted.
#[derive(Debug, Clone)]
pub enum Unhosted {
    /// What whoever hosts it elsewhere would meet too.
    Error(Arc<AppError>),
    /// What hosted it broke, in words.
    Broke(String),
}

impl Unhosted {
    /// Says it in words.
    pub fn words(&self) -> String {
        match self {
            Self::Error(error) => told(error.as_ref()),
            Self::Broke(why) => why.clone(),
        }
    }
}

impl Hosts {
    /// Becomes the one server of this state; what becomes of runs is told on the way that is returned.
    ///
    /// # Errors
    /// [`AppError::Files`] where another process serves it already.
    pub fn open(place: &Place) -> Result<(Arc<Self>, mpsc::UnboundedReceiver<Note>), AppError> {
        make_private(&place.dir.serve_dir())?;
        let lock = RunLock::try_acquire(&place.dir.serve_lock())?;
        let (notes, read) = mpsc::unbounded_channel();
        Ok((Arc::new(Self { place: place.clone(), held: Mutex::default(), notes, _lock: lock }), read))
    }

    /// Hosts every run that is open and moves, or that somebody has asked something of; gives how many.
    ///
    /// # Errors
    /// Where the runs cannot be listed.
    pub async fn wake(self: &Arc<Self>) -> Result<usize, AppError> {
        let place = self.place.clone();
        let rows = blocking(move || place.runs()).await?;
        let mut count = 0;
        for row in rows {
            if row.ended.is_none() && self.has_work(&row.run).await {
                self.take(&row.run);
                count += 1;
            } else {
                self.tell_rest(&row);
                if row.ended.is_none() {
                    self.wait_for_word(&row.run).await;
                }
            }
        }
        Ok(count)
    }

    /// Tells what was not told yet of a run that nobody hosts.
    fn tell_rest(&self, row: &RunRow) {
        // Nobody makes progress: it ends when all is told.
        let progress = watch::channel(Progress::default()).1;
        if telling::is_owed(&self.place, &row.run, row.last_seq)
            && !is_hosted(&self.place, &row.run)
            && let Err(error) = telling::begin(&self.place, &row.run, progress)
        {
            self.note(&row.run, told(&error));
        }
    }

    /// Hosts a run until it rests or ends; where it is hosted already, it is looked at once more after that.
    pub fn take(self: &Arc<Self>, run: &RunId) {
        let mut held = self.held();
        if let Some(is_asked_for) = held.at_work.get_mut(run) {
            *is_asked_for = true;
            return;
        }
        held.at_work.insert(run.clone(), false);
        drop(held);
        tokio::spawn(Arc::clone(self).keep(run.clone()));
    }

    /// Tells which runs are hosted here.
    pub fn at_work(&self) -> Vec<RunId> {
        self.held().at_work.keys().cloned().collect()
    }

    /// Tells why a run could not be hosted when that was last tried.
    pub fn trouble(&self, run: &RunId) -> Option<Unhosted> {
        self.held().troubles.get(run).cloned()
    }

    /// Begins to listen for runs that other processes tell of.
    ///
    /// # Errors
    /// Where nothing can be listened to.
    pub fn listen(&self) -> Result<UnixDatagram, AppError> {
        let path = self.place.dir.serve_socket()?;
        feed::listen(&path).map_err(|source| AppError::Read { what: "the socket", path, source })
    }

    /// Takes the runs that are told of, for as long as it is polled.
    pub async fn follow(self: Arc<Self>, socket: UnixDatagram) {
        let mut name = [0; NAME_BYTES + 1];
        loop {
            let Ok(length) = socket.recv(&mut name).await else {
                tokio::time::sleep(BREATH).await;
                continue;
            };
            let run = std::str::from_utf8(&name[..length]).ok().and_then(|text| RunId::from_str(text).ok());
            let Some(run) = run else { continue };
            // One that is hosted here may be about to rest; one that another process hosts is that one's affair.
            let is_ours = self.held().at_work.contains_key(&run);
            if is_ours || (!is_hosted(&self.place, &run) && self.has_work(&run).await) {
                self.take(&run);
            }
        }
    }

    /// Has a run that rests taken up again when a word that it waits for is overdue.
    async fn wait_for_word(self: &Arc<Self>, run: &RunId) {
        let (place, run_of) = (self.place.clone(), run.clone());
        if let Ok(state) = blocking(move || place.load(&run_of)).await {
            self.take_when_overdue(run, &state);
        }
    }

    /// Takes a run up again when a word that it waits for is overdue. Until then it holds nothing but this timer.
    fn take_when_overdue(self: &Arc<Self>, run: &RunId, state: &State) {
        let Some(at_ms) = deadline(state, i64::MIN).filter(|_| !state.is_live()) else { return };
        let (hosts, run) = (Arc::clone(self), run.clone());
        tokio::spawn(async move {
            loop {
                let left = at_ms.saturating_sub(hosts.place.clock.now_ms());
                if left <= 0 {
                    break;
                }
                pass(Duration::from_millis(left.unsigned_abs())).await;
            }
            if hosts.has_work(&run).await {
                hosts.take(&run);
            }
        });
    }

    async fn keep(self: Arc<Self>, run: RunId) {
        self.note(&run, "taken".to_owned());
        loop {
            let (place, run_of) = (self.place.clone(), run.clone());
            let hosting = tokio::spawn(async move { host(&place, &run_of).await });
            let (words, trouble) = match hosting.await {
                Ok(Ok(Hosted { state })) => {
                    self.take_when_overdue(&run, &state);
                    (ended(&state).words, None)
                }
                // Whoever holds it answers for it.
                Ok(Err(error @ AppError::Held { .. })) => (told(&error), None),
                Ok(Err(error)) => (told(&error), Some(Unhosted::Error(Arc::new(error)))),
                Err(broken) => (format!("broke: {broken}; this is a bug"), Some(Unhosted::Broke(broken.to_string()))),
            };
            match trouble {
                Some(why) => drop(self.held().troubles.insert(run.clone(), why)),
                None => drop(self.held().troubles.remove(&run)),
            }
            self.note(&run, words);
            let _ = tokio::task::spawn_blocking(give_back_memory).await;
            loop {
                {
                    let mut held = self.held();
                    let is_asked_for = held.at_work.get_mut(&run).map(std::mem::take);
                    if is_asked_for != Some(true) {
                        held.at_work.remove(&run);
                        return;
                    }
                }
                if self.has_work(&run).await {
                    break;
                }
            }
        }
    }

    /// Tells whether a run moves by itself, or has an open request.
    async fn has_work(&self, run: &RunId) -> bool {
        let (place, run_of) = (self.place.clone(), run.clone());
        match blocking(move || has_work(&place, &run_of)).await {
            Ok(has_work) => has_work,
            Err(error) => {
                self.note(run, told(&error));
                self.held().troubles.insert(run.clone(), Unhosted::Error(Arc::new(error)));
                false
            }
        }
    }

    fn note(&self, run: &RunId, words: String) {
        // Nobody keeps a log when nobody reads it.
        let _ = self.notes.send(Note { run: run.clone(), words });
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing that panics is done under the lock.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn has_work(place: &Place, run: &RunId) -> Result<bool, AppError> {
    let state = place.load(run)?;
    Ok(state.is_live() || is_due(place, run, &state)?)
}

/// Tells whether a run that rests has something to do all the same: what was asked of it and nobody has answered, or a word
/// that is overdue.
///
/// # Errors
/// Where the requests cannot be read.
pub fn is_due(place: &Place, run: &RunId, state: &State) -> Result<bool, AppError> {
    let now_ms = place.clock.now_ms();
    if deadline(state, i64::MIN).is_some_and(|at_ms| at_ms <= now_ms) {
        return Ok(true);
    }
    let rows = place.journal.requests(run, 0)?;
    let is_open = |row: &crate::io::journal::RequestRow| {
        !state.answered.contains_key(&row.id) && serde_json::from_str::<Ask>(&row.body).is_ok()
    };
    Ok(rows.iter().any(is_open))
}

/// Tells whether a process serves this state.
pub fn is_served(place: &Place) -> bool {
    RunLock::is_held(&place.dir.serve_lock())
}

/// Tells the server of a run that it should host; says whether one listens.
pub fn tell_server(place: &Place, run: &RunId) -> bool {
    let send = || -> Result<(), Box<dyn std::error::Error>> {
        let socket = Plain::unbound()?;
        socket.set_nonblocking(true)?;
        socket.send_to(run.as_str().as_bytes(), place.dir.serve_socket()?)?;
        Ok(())
    };
    is_served(place) && send().is_ok()
}

/// Says where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Where it is reached from its own machine.
    pub url: String,
    /// Its process.
    pub process: u32,
}

impl Hosts {
    /// Notes where this server listens, for whoever on this machine looks for it.
    ///
    /// # Errors
    /// Where that cannot be written.
    pub fn note_address(&self, url: &str) -> Result<(), AppError> {
        let address = Address { url: url.to_owned(), process: std::process::id() };
        let text = match serde_json::to_vec(&address) {
            Ok(text) => text,
            Err(error) => panic!("bug: an address could not be written as JSON: {error}"),
        };
        Ok(atomic_write(&address_file(&self.place), &text)?)
    }
}

/// Gives the address of the server of this state, where one lives and has noted it.
pub fn address(place: &Place) -> Option<Address> {
    let text = std::fs::read(address_file(place)).ok()?;
    let address: Address = serde_json::from_slice(&text).ok()?;
    (RunLock::holder(&place.dir.serve_lock()) == Some(address.process)).then_some(address)
}

fn address_file(place: &Place) -> PathBuf {
    place.dir.serve_dir().join("address.json")
}
