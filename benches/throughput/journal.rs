//! Owns the measuring of the journal: appends that are durable when they are answered, and waking a long run.

use std::collections::BTreeMap;
use std::sync::mpsc::{Sender, channel, sync_channel};

use artel::app::Place;
use artel::io::journal::format::FORMAT;
use artel::io::journal::{Journal, NewEntry, NewRun, SqliteJournal};
use artel::machine::event::Recorded;

use super::figure::cost;
use super::ground::folder;
use super::queue;

/// Events that are stored at once when a journal is prepared.
const SLICE: usize = 5_000;

fn new_run() -> NewRun {
    let opening = queue::opening();
    NewRun { run: opening.run, name: None, repo: "/".into(), opened_at_ms: 0 }
}

fn small() -> NewEntry {
    let data = r#"{"LeaseRenewed":{"attempt":"t1.1","until_ms":1}}"#.to_owned();
    NewEntry { at_ms: 0, kind: "LeaseRenewed".to_owned(), v: FORMAT, data }
}

/// Has appenders store one event at a time each, grouped as the coordinator does: whatever waits while the disk is
/// busy goes with the next write. Gives appends a second.
pub fn appends(appenders: usize, each: usize) -> f64 {
    let dir = folder();
    let journal = SqliteJournal::open(&dir.join("journal.db")).expect("a journal");
    let run = new_run();
    journal.open_run(&run).expect("a run");
    let epoch = journal.claim(&run.run, "bench").expect("a claim");
    let ((), cost) = cost(|| {
        let (tell, told) = channel::<(NewEntry, std::sync::mpsc::SyncSender<()>)>();
        std::thread::scope(|scope| {
            for tell in std::iter::repeat_n(tell, appenders) {
                scope.spawn(move || append_all(&tell, each));
            }
            let mut seq = 0;
            while let Ok(first) = told.recv() {
                let (entries, answers): (Vec<_>, Vec<_>) = std::iter::once(first).chain(told.try_iter()).unzip();
                seq = journal.append(&run.run, epoch, seq, &entries).expect("an append");
                for answer in answers {
                    answer.send(()).expect("who waits is there");
                }
            }
        });
    });
    (appenders * each) as f64 / cost.wall_s
}

fn append_all(tell: &Sender<(NewEntry, std::sync::mpsc::SyncSender<()>)>, each: usize) {
    for _ in 0..each {
        let (answer, answered) = sync_channel(1);
        tell.send((small(), answer)).expect("the journal lives");
        answered.recv().expect("an answer");
    }
}

/// Stores a run and reads it back as a coordinator that wakes does; gives seconds.
pub fn waking(events: &[Recorded]) -> f64 {
    let dir = folder();
    let home = dir.to_string_lossy().into_owned();
    let place = Place::open(BTreeMap::from([("ARTEL_HOME".to_owned(), home)]), dir).expect("a place");
    let run = new_run();
    place.journal.open_run(&run).expect("a run");
    let epoch = place.journal.claim(&run.run, "bench").expect("a claim");
    let mut seq = 0;
    for slice in events.chunks(SLICE) {
        let entry = |recorded: &Recorded| NewEntry {
            at_ms: recorded.at_ms,
            kind: recorded.event.kind().to_owned(),
            v: FORMAT,
            data: serde_json::to_string(&recorded.event).expect("an event is JSON"),
        };
        let entries: Vec<NewEntry> = slice.iter().map(entry).collect();
        seq = place.journal.append(&run.run, epoch, seq, &entries).expect("an append");
    }
    let (state, cost) = cost(|| place.load(&run.run).expect("the run"));
    assert!(state.seq == events.len() as u64, "all events are read back");
    cost.wall_s
}
