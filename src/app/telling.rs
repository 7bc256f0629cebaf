//! Owns that people are told of runs while nobody looks: what happened is read from the journal, each notice is sent by
//! each channel in order and until it is taken, and how far a channel has been told is kept beside the run. What was
//! taken and could not be noted as such before a crash is sent once more, under the same name.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::gateway::read;
use super::{AppError, Place};
use crate::actors::progress::Progress;
use crate::actors::world::{blocking, told};
use crate::io::files::{RunLock, StateDir, atomic_write};
use crate::io::notify::{Channel, NotifyConfig, Sender};
use crate::machine::evolve::evolve;
use crate::machine::state::State;
use crate::model::ids::RunId;
use crate::model::notice::{Cause, Notice};
use crate::views::notices::Noticing;

/// Names the file of channels.
const CHANNELS: &str = "notify.toml";
/// How often a notice is tried before it is given up: for some minutes.
const TRIES: u32 = 10;
/// Pause before a notice is tried again; each further one is twice as long, up to the longest.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);
/// Pause before it is looked again whether another process still tells a channel.
const BREATH: Duration = Duration::from_millis(100);
/// After how many events in which there was nothing to tell that is noted.
const NOTED_EVERY: u64 = 500;
/// How long whoever has hosted a run waits for its last notices to be taken.
const GRACE: Duration = Duration::from_secs(10);

/// Reads where the user wants to be told of runs.
///
/// # Errors
/// Where the file cannot be read, or with all that is wrong with it.
pub fn read_channels(dir: &StateDir, env: &BTreeMap<String, String>) -> Result<NotifyConfig, AppError> {
    let (name, text) = read(dir, CHANNELS)?;
    let what = "the channels of notices";
    NotifyConfig::from_toml(&text, env).map_err(|faults| AppError::Faults { what, name, text, faults })
}

/// Says up to which notice a channel was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    seq: u64,
    number: u32,
}

impl Mark {
    /// Says that all was told up to an event.
    fn after(seq: u64) -> Self {
        Self { seq, number: u32::MAX }
    }

    fn of(notice: &Notice) -> Self {
        Self { seq: notice.seq, number: notice.number }
    }

    fn read(text: &str) -> Option<Self> {
        let (seq, number) = text.trim().split_once(' ')?;
        Some(Self { seq: seq.parse().ok()?, number: number.parse().ok()? })
    }
}

/// Holds one channel of one run.
struct Way {
    name: String,
    channel: Channel,
    place: Place,
    run: RunId,
}

impl Way {
    fn file(&self, end: &str) -> PathBuf {
        self.place.dir.run_dir(&self.run).join("told").join(format!("{}{end}", self.name))
    }

    fn mark(&self) -> Option<Mark> {
        Mark::read(&std::fs::read_to_string(self.file("")).ok()?)
    }

    fn note(&self, mark: Mark) {
        if let Err(error) = atomic_write(&self.file(""), format!("{} {}\n", mark.seq, mark.number).as_bytes()) {
            tracing::warn!(channel = self.name, "failed to {}", told(&error));
        }
    }
}

/// Tells of a run for as long as it is hosted, and of its end.
pub(super) struct Telling(JoinHandle<()>);

impl Telling {
    /// Waits until the last notices are taken, for a while; those that are not are sent when the run is next hosted.
    pub(super) async fn end(self, place: &Place, run: &RunId) {
        let Self(mut task) = self;
        if tokio::time::timeout(GRACE, &mut task).await.is_err() {
            task.abort();
            place.notices.add(format!("not all was told of {run}: `artel resume {run}` or `artel serve` tries again"));
        }
    }
}

/// Begins to tell what happens in a run from here on, and what was not told before; nothing where nobody is to be told.
/// Ends when no more progress is made.
///
/// # Errors
/// Where the channels are not written as they should be, or the journal cannot be read.
pub(super) fn begin(
    place: &Place,
    run: &RunId,
    progress: watch::Receiver<Progress>,
) -> Result<Option<Telling>, AppError> {
    let config = read_channels(&place.dir, &place.env)?;
    if config.channels.is_empty() {
        return Ok(None);
    }
    let last = place.journal.last_seq(run)?;
    let way = |(name, channel)| Way { name, channel, place: place.clone(), run: run.clone() };
    let ways: Vec<Way> = config.channels.into_iter().map(way).collect();
    crate::io::files::make_private(&place.dir.run_dir(run).join("told"))?;
    let mut from = last;
    for way in &ways {
        match way.mark() {
            Some(mark) => from = from.min(mark.seq),
            // What happened before a channel was there is not told.
            None => way.note(Mark::after(last)),
        }
    }
    let fold = Fold { place: place.clone(), run: run.clone(), state: State::default(), noticing: Noticing::default() };
    Ok(Some(Telling(tokio::spawn(tell(fold, from, ways, progress)))))
}

/// Tells whether a channel was not told all of a run that nobody hosts.
pub(super) fn is_owed(place: &Place, run: &RunId, last_seq: u64) -> bool {
    let Ok(marks) = std::fs::read_dir(place.dir.run_dir(run).join("told")) else { return false };
    let marks = marks.flatten().filter_map(|entry| Mark::read(&std::fs::read_to_string(entry.path()).ok()?));
    marks.into_iter().any(|mark| mark.seq < last_seq)
}

/// Folds a run as far as it was noticed.
struct Fold {
    place: Place,
    run: RunId,
    state: State,
    noticing: Noticing,
}

impl Fold {
    /// Begins where a run was told of up to an event.
    fn begin(mut self, from: u64) -> Result<Self, AppError> {
        let state = self.place.load(&self.run)?;
        if state.seq == from {
            (self.noticing, self.state) = (Noticing::of(&state), state);
        }
        Ok(self)
    }

    /// Takes in what happened; gives what is to be told of it.
    fn look(mut self) -> Result<(Self, Vec<Notice>), AppError> {
        let mut notices = Vec::new();
        loop {
            let page = self.place.page(&self.run, self.state.seq + 1)?;
            if page.is_empty() {
                return Ok((self, notices));
            }
            for recorded in page {
                self.state = evolve(std::mem::take(&mut self.state), &recorded);
                notices.extend(self.noticing.learn(&self.state, &recorded));
            }
        }
    }
}

async fn tell(fold: Fold, from: u64, ways: Vec<Way>, mut progress: watch::Receiver<Progress>) {
    let mut senders = Vec::new();
    let mut workers = JoinSet::new();
    for way in ways {
        let (sender, notices) = mpsc::unbounded_channel();
        senders.push((sender, way.channel.on.clone()));
        workers.spawn(serve(way, notices));
    }
    let (run, begun) = (fold.run.clone(), blocking(move || fold.begin(from)).await);
    let mut fold = match begun {
        Ok(fold) => fold,
        Err(error) => return tracing::warn!(%run, "nobody is told: failed to {}", told(&error)),
    };
    let mut is_over = false;
    loop {
        let notices;
        (fold, notices) = match blocking(move || fold.look()).await {
            Ok(looked) => looked,
            Err(error) => return tracing::warn!(%run, "nobody is told any more: failed to {}", told(&error)),
        };
        for notice in notices.into_iter().map(Arc::new) {
            for (sender, on) in &senders {
                if on.contains(&notice.cause) {
                    // A worker lives until its sender is gone.
                    let _ = sender.send(Item::Notice(Arc::clone(&notice)));
                }
            }
        }
        for (sender, _) in &senders {
            let _ = sender.send(Item::UpTo(fold.state.seq));
        }
        if is_over {
            break;
        }
        is_over = progress.changed().await.is_err();
    }
    drop(senders);
    while workers.join_next().await.is_some() {}
}

/// Holds what a channel is given.
enum Item {
    /// Something to be told.
    Notice(Arc<Notice>),
    /// Nothing more up to this event.
    UpTo(u64),
}

/// Sends one channel's notices one after the other, as the only one who does so for this run.
async fn serve(way: Way, mut items: mpsc::UnboundedReceiver<Item>) {
    let lock = way.file(".lock");
    let _lock = loop {
        match RunLock::try_acquire(&lock) {
            Ok(lock) => break lock,
            Err(crate::io::files::FilesError::Held { .. }) => tokio::time::sleep(BREATH).await,
            Err(error) => return tracing::warn!("failed to {}", told(&error)),
        }
    };
    let mut mark = way.mark().unwrap_or(Mark { seq: 0, number: 0 });
    let mut noted = mark;
    let sender = Sender::new(&way.channel);
    while let Some(item) = items.recv().await {
        let (next, is_due) = match &item {
            Item::Notice(notice) => (Mark::of(notice), true),
            Item::UpTo(seq) => (Mark::after(*seq), *seq >= noted.seq + NOTED_EVERY),
        };
        if next <= mark {
            continue;
        }
        if let Item::Notice(notice) = &item {
            send(&way, &sender, notice).await;
        }
        mark = next;
        if is_due {
            way.note(mark);
            noted = mark;
        }
    }
    if mark > noted {
        way.note(mark);
    }
}

/// Tries until a notice is taken, or there is no use in trying further.
async fn send(way: &Way, sender: &Sender, notice: &Notice) {
    let mut pause = PAUSE;
    for tried in 1..=TRIES {
        let Err(unsent) = sender.send(notice, way.place.clock.now_ms()).await else { return };
        let (name, why) = (&way.name, &unsent.why);
        if unsent.is_final || tried == TRIES {
            way.place.notices.add(format!("`{name}` was not told of {}: {why}", notice.id));
            return;
        }
        if tried == 1 {
            way.place.notices.add(format!("`{name}` is told of {} again later: {why}", notice.id));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
    }
}

/// Tells what became of a notice that was sent by one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Became {
    /// The channel, as `notify.toml` names it.
    pub channel: String,
    /// Why it was not taken, without what is secret; none where it was.
    pub fault: Option<String>,
}

/// Sends one notice that says nothing by each channel, or by one; gives what became of it. Nobody tries again.
///
/// # Errors
/// Where the channels are not written as they should be, or there is none that is meant.
pub async fn try_channels(place: &Place, only: Option<&str>) -> Result<Vec<Became>, AppError> {
    let config = read_channels(&place.dir, &place.env)?;
    let at_ms = place.clock.now_ms();
    let run: RunId = match "r-test".parse() {
        Ok(run) => run,
        Err(error) => panic!("bug: {error}"),
    };
    let notice = Notice {
        id: format!("test-{at_ms}"),
        cause: Cause::NeedsInput,
        run,
        name: None,
        task: None,
        title: "a test of this channel".to_owned(),
        why: "nothing is the matter".to_owned(),
        next: "artel inbox".to_owned(),
        percent: None,
        seq: 0,
        number: 1,
        at_ms,
    };
    let mut became = Vec::new();
    for (name, channel) in config.channels.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        let sent = Sender::new(channel).send(&notice, at_ms).await;
        became.push(Became { channel: name.clone(), fault: sent.err().map(|unsent| unsent.why) });
    }
    if became.is_empty() {
        let (wanted, file) = (only.map(str::to_owned), place.dir.root().join(CHANNELS));
        return Err(AppError::NoChannel { wanted, file });
    }
    Ok(became)
}
