//! Owns that the transcript of a session is noted in the journal as it grows, that beside it stands when it grew where that
//! tells when tools were called, and that it is packed when it is over. Never reads what it says, and stops no session for
//! what cannot be noted.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kameo::prelude::WeakActorRef;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::coordinator::{Coordinator, Tell};
use super::world::{World, blocking};
use crate::io::agents::Stream;
use crate::io::clock::Clock;
use crate::io::transcripts::{Mark, Seal, Shelf, Stamps};
use crate::machine::command::Command;
use crate::model::role::AgentRef;
use crate::model::seat::Seat;
use crate::views::telemetry::agent_name;

/// How often a transcript that grows is looked at. One that does not wakes nobody.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Bytes after which it is noted how far it is: an event is some hundred bytes.
const MARK_BYTES: u64 = 1 << 20;

/// How close together two lengths of a transcript are noted beside it, where that is done.
const STAMP_EVERY: Duration = Duration::from_millis(20);

/// Time after which what was added is noted however little it is.
const MARK_EVERY: Duration = Duration::from_secs(30);

/// Bytes of the transcript of a program that asks no model from which on it is worth waiting for the disk.
const LASTING_BYTES: u64 = 64 << 10;

/// The clock by which it is noted when a transcript grew, and what notes it.
type Stamping = (Arc<dyn Clock>, Arc<Mutex<Stamps>>);

/// Keeps the transcript of one session.
pub struct Keeping {
    shelf: Shelf,
    coordinator: WeakActorRef<Coordinator>,
    seat: (Seat, u64),
    record: String,
    /// Whether what was noted must be on the disk by then: what a model said can be had a second time for money only.
    lasts: bool,
    seal: Arc<Mutex<Seal>>,
    /// Notes when it grew, where its agent tells what tools it calls and no time.
    stamps: Option<Stamping>,
    /// Told whenever the session has written something.
    grown: Arc<Notify>,
}

impl Keeping {
    /// Prepares to keep what a session is about to write, under a name that no other transcript has.
    pub fn begin(
        world: &World,
        seat: (Seat, u64),
        (name, agent): (&str, &AgentRef),
        coordinator: &WeakActorRef<Coordinator>,
    ) -> Self {
        let shelf = world.shelf();
        let record = shelf.fresh(name);
        let stamps = Stream::of(agent_name(agent))
            .map(|_| (Arc::clone(&world.clock), Arc::new(Mutex::new(Stamps::of(&shelf, &record)))));
        Self { stamps, ..Self::of(shelf, seat, (record, !agent.providers().is_empty()), coordinator) }
    }

    fn of(
        shelf: Shelf,
        seat: (Seat, u64),
        (record, lasts): (String, bool),
        coordinator: &WeakActorRef<Coordinator>,
    ) -> Self {
        let seal = Arc::new(Mutex::new(Seal::of(shelf.file(&record))));
        let coordinator = coordinator.clone();
        Self { shelf, coordinator, seat, record, lasts, seal, stamps: None, grown: Arc::default() }
    }

    /// Names the transcript.
    pub fn record(&self) -> &str {
        &self.record
    }

    /// Gives the file that the session writes.
    pub fn file(&self) -> PathBuf {
        self.shelf.file(&self.record)
    }

    /// Gives what whoever writes the transcript tells.
    pub fn grown(&self) -> Arc<Notify> {
        Arc::clone(&self.grown)
    }

    /// Notes how far the transcript is while something is done that writes it, and when that is done.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let done = tokio::select! {
            done = work => done,
            never = self.follow() => match never {},
        };
        self.stamp().await;
        self.note(1).await;
        done
    }

    async fn follow(&self) -> std::convert::Infallible {
        // When what was added is noted, however little it is.
        let mut due: Option<Instant> = None;
        loop {
            tokio::select! {
                () = self.grown.notified() => {
                    let at = *due.get_or_insert_with(|| Instant::now() + MARK_EVERY);
                    self.stamp_until(at.min(Instant::now() + LOOK_EVERY)).await;
                    if self.note(MARK_BYTES).await {
                        due = None;
                    }
                }
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.note(1).await;
                    due = None;
                }
            }
        }
    }

    /// Waits until then, and notes meanwhile when the transcript grows, where that is done.
    async fn stamp_until(&self, until: Instant) {
        let stamping = async {
            while self.stamps.is_some() {
                self.stamp().await;
                tokio::time::sleep(STAMP_EVERY).await;
                self.grown.notified().await;
            }
            std::future::pending::<std::convert::Infallible>().await
        };
        // Whoever is told of a growth and is broken off before it is noted, notes it next time.
        tokio::select! {
            () = tokio::time::sleep_until(until) => {}
            never = stamping => match never {},
        }
    }

    /// Notes how long the transcript is by now, where that is done.
    async fn stamp(&self) {
        let Some((clock, stamps)) = &self.stamps else { return };
        let (now_ms, stamps) = (clock.now_ms(), Arc::clone(stamps));
        let noted = blocking(move || stamps.lock().unwrap_or_else(PoisonError::into_inner).note(now_ms)).await;
        if let Err(error) = noted {
            tracing::debug!(record = self.record, %error, "it is not noted when its transcript grew");
        }
    }

    /// Notes how far the transcript is, where at least so many bytes were added; tells whether they were.
    async fn note(&self, least: u64) -> bool {
        let (seal, lasts) = (Arc::clone(&self.seal), self.lasts);
        // Nothing that panics is done under the lock but reading, after which the seal is as it was.
        let take = move || {
            let mut seal = seal.lock().unwrap_or_else(PoisonError::into_inner);
            let mark = seal.take(least, lasts);
            match mark {
                Ok(Some(mark)) if !lasts && mark.bytes >= LASTING_BYTES => seal.take(least, true),
                Ok(_) | Err(_) => mark,
            }
        };
        match blocking(take).await {
            Ok(Some(mark)) => {
                self.tell(&mark).await;
                true
            }
            Ok(None) => false,
            Err(error) => {
                tracing::warn!(record = self.record, %error, "its transcript cannot be read, and is not noted");
                false
            }
        }
    }

    async fn tell(&self, mark: &Mark) {
        let Some(coordinator) = self.coordinator.upgrade() else { return };
        let ((seat, fence), record) = (self.seat, self.record.clone());
        let Mark { bytes, sha256 } = mark.clone();
        let keep = Command::KeepTranscript { seat, fence, record, bytes, sha256 };
        if coordinator.tell(Tell::report(keep)).send().await.is_ok() {
            self.seal.lock().unwrap_or_else(PoisonError::into_inner).noted(mark);
        }
    }

    /// Packs the transcript, which nobody writes any longer.
    pub async fn pack(self) {
        let Self { shelf, record, .. } = self;
        let packed = {
            let record = record.clone();
            blocking(move || shelf.pack(&record)).await
        };
        if let Err(error) = packed {
            tracing::warn!(record, %error, "its transcript stays as it was written");
        }
    }
}

/// Notes and packs what the commands of an attempt of artel's own loop wrote, whose names begin so.
pub async fn keep_all(world: &World, seat: (Seat, u64), beginning: &str, coordinator: &WeakActorRef<Coordinator>) {
    let shelf = world.shelf();
    for record in shelf.named(beginning) {
        let keeping = Keeping::of(shelf.clone(), seat, (record, true), coordinator);
        keeping.note(1).await;
        keeping.pack().await;
    }
}
