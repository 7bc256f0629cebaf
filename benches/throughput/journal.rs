//! Owns the measuring of the journal: appends that are durable when they are answered, waking a long run, looking at
//! it.

use std::collections::BTreeMap;
use std::process::Command;

use artel::app::Place;
use artel::io::journal::format::FORMAT;
use artel::io::journal::{Journal, NewEntry, NewRun, SqliteJournal};
use artel::machine::event::Recorded;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::figure::{cost, quantile};
use super::ground::{Lab, folder};
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

/// An event to store, and whom to tell when it is durable.
type Asked = (NewEntry, oneshot::Sender<()>);

/// Tells how fast durable appends are, as the medians of some rounds.
pub struct Appends {
    /// Appends a second by many at once.
    pub by_many: f64,
    /// Appends a second by one.
    pub by_one: f64,
    /// How many times as many the many did as the one did just before or after.
    pub ratio: f64,
}

/// Has many and one append in turns, so many times each: how long a disk takes to flush changes from one second to the
/// next, and a ratio means something only of what met the same disk.
pub fn in_turns(rounds: usize, many: (usize, usize), one: (usize, usize)) -> Appends {
    let round = |number: usize| {
        let mut taken = [many, one];
        taken.rotate_left(number % 2);
        let mut taken = taken.map(|(appenders, each)| appends(appenders, each));
        taken.rotate_left(number % 2);
        taken
    };
    let rounds: Vec<[f64; 2]> = (0..rounds).map(round).collect();
    let of = |value: fn(&[f64; 2]) -> f64| quantile(&mut rounds.iter().map(value).collect::<Vec<_>>(), 0.5);
    Appends { by_many: of(|it| it[0]), by_one: of(|it| it[1]), ratio: of(|it| it[0] / it[1]) }
}

/// Has appenders store one event at a time each, as tasks of a runtime, grouped as the coordinator does: whatever waits
/// while the disk is busy goes with the next write. Gives appends a second.
fn appends(appenders: usize, each: usize) -> f64 {
    let dir = folder();
    let journal = SqliteJournal::open(&dir.join("journal.db")).expect("a journal");
    let run = new_run();
    journal.open_run(&run).expect("a run");
    let epoch = journal.claim(&run.run, "bench").expect("a claim");
    let runtime = Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let ((), cost) = cost(|| {
        let (tell, mut told) = unbounded_channel::<Asked>();
        for tell in std::iter::repeat_n(tell, appenders) {
            runtime.spawn(append_all(tell, each));
        }
        let (mut seq, mut asked) = (0, Vec::new());
        while told.blocking_recv_many(&mut asked, usize::MAX) > 0 {
            let (entries, answers): (Vec<_>, Vec<_>) = asked.drain(..).unzip();
            seq = journal.append(&run.run, epoch, seq, &entries).expect("an append");
            for answer in answers {
                answer.send(()).expect("who waits is there");
            }
        }
        assert!(seq == (appenders * each) as u64, "each is stored");
    });
    (appenders * each) as f64 / cost.wall_s
}

async fn append_all(tell: UnboundedSender<Asked>, each: usize) {
    for _ in 0..each {
        let (answer, answered) = oneshot::channel();
        tell.send((small(), answer)).expect("the journal lives");
        answered.await.expect("an answer");
    }
}

/// Tells what it costs to read a long run back.
pub struct Waking {
    /// Seconds until a coordinator that wakes has the state, from its events alone.
    pub by_events_s: f64,
    /// The same from a snapshot.
    pub by_snapshot_s: f64,
    /// Seconds of `artel status`, from its start to its end.
    pub status_s: f64,
    /// Seconds of `git status` in a repository of 300 files.
    pub git_status_s: f64,
}

/// Stores a run, and reads it back as a coordinator that wakes does and as a person who looks does.
pub fn waking(events: &[Recorded]) -> Waking {
    let dir = folder();
    let home = dir.to_string_lossy().into_owned();
    let place = Place::open(BTreeMap::from([("ARTEL_HOME".to_owned(), home)]), dir.clone()).expect("a place");
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
    let (by_events, events_cost) = cost(|| place.load_paced(&run.run).expect("the run"));
    assert!(by_events.replayed == events.len() as u64, "all events are read back");
    place.keep_snapshot(&run.run, &by_events).expect("a snapshot");
    let (by_snapshot, snapshot_cost) = cost(|| place.load_paced(&run.run).expect("the run"));
    assert!(by_snapshot.state == by_events.state, "the snapshot is what the events give");
    assert!(by_snapshot.replayed == 0 || events.len() < 10_000, "no event is folded again");
    // As it is installed: a file that was copied is mapped in larger pieces than one that a linker has just written, and git's
    // was copied too.
    let installed = dir.join("artel");
    std::fs::copy(env!("CARGO_BIN_EXE_artel"), &installed).expect("a copy");
    let mut status = Command::new(&installed);
    status.args(["status", run.run.as_str()]).env("ARTEL_HOME", &dir);
    let lab = Lab::new(300);
    let mut git = Command::new("git");
    git.args(["status", "--porcelain"]).current_dir(lab.repo());
    let [status_s, git_status_s] = medians([&mut status, &mut git]);
    Waking { by_events_s: events_cost.wall_s, by_snapshot_s: snapshot_cost.wall_s, status_s, git_status_s }
}

/// Runs programs in turns; gives the median of each one's seconds.
fn medians<const N: usize>(mut programs: [&mut Command; N]) -> [f64; N] {
    let mut taken = [(); N].map(|()| Vec::new());
    for _ in 0..11 {
        for (program, taken) in programs.iter_mut().zip(&mut taken) {
            let (output, cost) = cost(|| program.output().expect("it runs"));
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            taken.push(cost.wall_s);
        }
    }
    taken.map(|mut each| {
        each.sort_by(f64::total_cmp);
        each[each.len() / 2]
    })
}
