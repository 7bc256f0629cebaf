//! Owns how a run's journal reaches a collector of telemetry: read behind whoever works on the run, from where the last
//! reader came to. Nothing of the run waits for it; what is not taken stays in the journal, and is told later.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::folding::PAGE;
use super::gateway::read;
use super::{AppError, Place};
use crate::actors::progress::Progress;
use crate::actors::world::{blocking, told};
use crate::io::files::atomic_write;
use crate::io::otlp::{Collector, OtlpConfig, Unsent};
use crate::machine::evolve::evolve;
use crate::machine::state::State;
use crate::model::ids::RunId;
use crate::model::telemetry::Span;
use crate::views::telemetry::{Meters, Spans};

/// Names the file in which the user says where telemetry goes, in the state directory.
const FILE: &str = "telemetry.toml";
/// Names the file that says how far a run has been told.
const OFFSET: &str = "telemetry.json";
/// Spans of one request.
const PIECE: usize = 512;
/// How long events are gathered before they are told.
const GATHER: Duration = Duration::from_secs(1);
/// How often metrics are told while something happens.
const METRICS_EVERY: Duration = Duration::from_secs(10);
/// How long whoever hosted a run waits for the last of it to be taken.
const LAST_WORD: Duration = Duration::from_secs(3);
/// How long a collector is left alone after it failed, at first and at most.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_AT_MOST: Duration = Duration::from_secs(60);

/// Notes how far a run has been told.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Offset {
    /// The last event that is told, with all before it.
    seq: u64,
}

/// Tells a run for as long as it is hosted.
pub(super) struct Exporting {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Exporting {
    /// Begins to tell a run, where the user has said where to.
    pub(super) fn begin(place: &Place, run: &RunId, progress: watch::Receiver<Progress>) -> Option<Self> {
        let teller = Teller::open(place, run)?;
        let (stop, stopped) = oneshot::channel();
        Some(Self { stop, task: tokio::spawn(teller.follow(progress, stopped)) })
    }

    /// Tells the last of it, in bounded time.
    pub(super) async fn finish(self) {
        let Self { stop, mut task } = self;
        let _ = stop.send(());
        if tokio::time::timeout(LAST_WORD, &mut task).await.is_err() {
            task.abort();
        }
    }
}

impl Place {
    /// Tells the collector what it was not told of runs that nobody works on any more.
    ///
    /// # Errors
    /// Where the runs cannot be listed.
    pub async fn catch_up_telemetry(&self) -> Result<(), AppError> {
        let place = self.clone();
        for row in blocking(move || place.runs()).await? {
            let is_begun = offset_file(self, &row.run).exists();
            if !is_begun || offset(self, &row.run).seq >= row.last_seq || super::is_hosted(self, &row.run) {
                continue;
            }
            if let Some(mut teller) = Teller::open(self, &row.run) {
                teller.tell_all().await;
            }
        }
        Ok(())
    }
}

/// Reads a run's journal and tells it.
struct Teller {
    place: Place,
    run: RunId,
    collector: Collector,
    state: State,
    spans: Spans,
    meters: Meters,
    /// How far the run has been told.
    sent: Offset,
    /// What is over and was not taken yet: no more than a page of events gives.
    waiting: Vec<Span>,
    /// Up to which event metrics were told, and when.
    metered: (u64, Option<Instant>),
    is_failing: bool,
}

impl Teller {
    fn open(place: &Place, run: &RunId) -> Option<Self> {
        let opened = config(place).and_then(|config| {
            let config = config.map(|config| Collector::new(&config, &instance(place)));
            config.transpose()
        });
        let collector = match opened {
            Ok(collector) => collector?,
            Err(why) => {
                tell(place, format!("no telemetry is sent: {why}"));
                return None;
            }
        };
        Some(Self {
            place: place.clone(),
            run: run.clone(),
            collector,
            state: State::default(),
            spans: Spans::default(),
            meters: Meters::default(),
            sent: offset(place, run),
            waiting: Vec::new(),
            metered: (0, None),
            is_failing: false,
        })
    }

    /// Tells what happens until it is stopped, and then the rest.
    async fn follow(mut self, mut progress: watch::Receiver<Progress>, mut stopped: oneshot::Receiver<()>) {
        let mut pause = PAUSE;
        loop {
            let wait = match self.tell().await {
                Ok(()) => {
                    pause = PAUSE;
                    None
                }
                Err(Unsent::Later { wait, .. }) => {
                    let asked = wait.unwrap_or(pause);
                    pause = (pause * 2).min(PAUSE_AT_MOST);
                    Some(asked)
                }
                Err(Unsent::Never { .. }) => Some(PAUSE),
            };
            let rested = async {
                match wait {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => {
                        let is_gone = progress.changed().await.is_err();
                        tokio::time::sleep(if is_gone { PAUSE_AT_MOST } else { GATHER }).await;
                    }
                }
            };
            tokio::select! {
                () = rested => {}
                _ = &mut stopped => break,
            }
        }
        self.tell_all().await;
    }

    /// Tells all that there is once, with the metrics as they stand.
    async fn tell_all(&mut self) {
        self.metered.1 = None;
        // What is not taken is told when the run is hosted again.
        let _ = self.tell().await;
    }

    async fn tell(&mut self) -> Result<(), Unsent> {
        let told = self.try_tell().await;
        match &told {
            Ok(()) if self.is_failing => {
                self.is_failing = false;
                tell(&self.place, "telemetry is taken again".to_owned());
            }
            Err(why) if !self.is_failing => {
                self.is_failing = true;
                tell(&self.place, format!("telemetry waits, and the run does not: {why}"));
            }
            Ok(()) | Err(_) => {}
        }
        told
    }

    async fn try_tell(&mut self) -> Result<(), Unsent> {
        self.send_waiting().await?;
        while self.read_on().await? {
            self.send_waiting().await?;
        }
        self.send_metrics().await
    }

    /// Takes a page of events in; says whether there was one.
    async fn read_on(&mut self) -> Result<bool, Unsent> {
        let (place, run, from) = (self.place.clone(), self.run.clone(), self.state.seq + 1);
        let page = blocking(move || match place.journal.last_seq(&run)? {
            last if last < from => Ok(Vec::new()),
            _ => place.page(&run, from),
        })
        .await;
        let page = page.map_err(|error| Unsent::Later { why: told(&error), wait: Some(PAUSE_AT_MOST) })?;
        debug_assert!(page.len() as u64 <= PAGE, "what waits is bounded by a page");
        let (is_new, mut ended) = (!page.is_empty(), Vec::new());
        for recorded in page {
            self.state = evolve(std::mem::take(&mut self.state), &recorded);
            let over = self.spans.learn(&self.state, &recorded);
            self.meters.learn(&self.state, &recorded);
            if recorded.seq > self.sent.seq {
                ended.extend(over);
            }
        }
        // A transcript is a file of megabytes.
        let (place, run) = (self.place.clone(), self.run.clone());
        let with_tools = move || ended.into_iter().flat_map(|span| place.with_tools(&run, span)).collect::<Vec<_>>();
        self.waiting.extend(blocking(with_tools).await);
        Ok(is_new)
    }

    async fn send_waiting(&mut self) -> Result<(), Unsent> {
        while !self.waiting.is_empty() {
            let count = self.waiting.len().min(PIECE);
            let sent = self.collector.spans(&self.waiting[..count]).await;
            if let Err(later @ Unsent::Later { .. }) = sent {
                return Err(later);
            }
            // What will never be taken must not stand before what will.
            self.waiting.drain(..count);
            sent?;
        }
        if self.state.seq > self.sent.seq {
            self.sent.seq = self.state.seq;
            self.keep_offset();
        }
        Ok(())
    }

    async fn send_metrics(&mut self) -> Result<(), Unsent> {
        let (seq, at) = self.metered;
        if seq == self.state.seq || at.is_some_and(|at| at.elapsed() < METRICS_EVERY) {
            return Ok(());
        }
        let metrics = self.meters.metrics(&self.state);
        let span = (self.state.opened_ms, self.place.clock.now_ms());
        // As with spans, what is refused for good is not sent again.
        let told = self.collector.metrics(&metrics, span).await;
        if !matches!(told, Err(Unsent::Later { .. })) {
            self.metered = (self.state.seq, Some(Instant::now()));
        }
        told
    }

    fn keep_offset(&self) {
        let path = offset_file(&self.place, &self.run);
        let text = serde_json::to_vec(&self.sent).unwrap_or_default();
        if let Err(error) = atomic_write(&path, &text) {
            tracing::warn!(run = %self.run, "failed to note how far telemetry is: {}", told(&error));
        }
    }
}

fn tell(place: &Place, notice: String) {
    tracing::warn!("{notice}");
    place.notices.add(notice);
}

fn config(place: &Place) -> Result<Option<OtlpConfig>, String> {
    let (path, text) = read(&place.dir, FILE).map_err(|error| told(&error))?;
    OtlpConfig::read(&text, &place.env).map_err(|faults| {
        let what: Vec<&str> = faults.iter().map(|fault| fault.what.as_str()).collect();
        format!("{path}: {}", what.join("; "))
    })
}

/// Names this state among all that tell the same collector, without telling where it lies.
fn instance(place: &Place) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let hash = Sha256::digest(format!("{} {}", host.trim(), place.dir.root().display()));
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn offset_file(place: &Place, run: &RunId) -> PathBuf {
    place.dir.run_dir(run).join(OFFSET)
}

fn offset(place: &Place, run: &RunId) -> Offset {
    let text = std::fs::read(offset_file(place, run)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}
