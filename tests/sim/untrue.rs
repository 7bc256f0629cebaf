//! Owns the proof that the coordinator itself holds the laws: what would be untrue stops it before it is stored.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command as Process;
use std::sync::Arc;
use std::time::Duration;

use artel::actors::coordinator::{Coordinator, CoordinatorArgs, Tell};
use artel::actors::progress::{Lost, Progress};
use artel::actors::world::{Ground, World};
use artel::io::clock::SystemClock;
use artel::io::files::StateDir;
use artel::io::gateway::{Gateway, GatewayConfig, Prices};
use artel::io::git::{Pool, RefNames, Repo};
use artel::io::hands::{Hands, Local, Ports};
use artel::io::journal::format::FORMAT;
use artel::io::journal::memory::MemoryJournal;
use artel::io::journal::{Journal, NewEntry, NewRun};
use artel::machine::command::{Command, Opening, PlanStep};
use artel::machine::decide::decide;
use artel::machine::event::Recorded;
use artel::machine::evolve::evolve;
use artel::machine::state::State;
use artel::model::attempt::{Candidate, Handoff, Outcome, Usage};
use artel::model::goal::Budget;
use artel::model::ids::{AttemptId, Oid, ScopeId, TaskId};
use artel::model::paths::PathSet;
use artel::model::task::TaskDraft;
use fastrand::Rng;
use kameo::prelude::*;
use tokio::sync::watch;

use crate::goals;

const BASE: Oid = Oid([1; 20]);

fn opening() -> Opening {
    let mut opening = goals::opening(&mut Rng::with_seed(1), BASE, Oid([2; 20]));
    opening.goal.checks.clear();
    opening.goal.approve.clear();
    opening.goal.gating = Default::default();
    opening.goal.plan.sample = 0;
    opening.goal.budget = Budget::default();
    opening
}

/// Opens a run whose one task is being worked on, and writes that down.
fn begun(journal: &MemoryJournal, opening: Opening) -> State {
    let run = opening.run.clone();
    let new = NewRun { run: run.clone(), name: None, repo: "/repo".into(), opened_at_ms: 0 };
    journal.open_run(&new).expect("a run of its own");
    let epoch = journal.claim(&run, "a test").expect("nobody else is there");
    let task = TaskDraft {
        key: "a".to_owned(),
        title: String::new(),
        brief: String::new(),
        paths: PathSet::of_files(["a".to_owned()]),
        after: Default::default(),
        checks: Vec::new(),
        role: "worker".to_owned(),
        rules: Vec::new(),
        weight: 1,
        splits: PathSet::default(),
    };
    let planned = |step| Command::ReportPlan { scope: ScopeId(0), wake: 1, fence: 0, step };
    let mut state = State::default();
    for command in [
        Command::Open(Box::new(opening)),
        Command::Wake { epoch, sandbox: None },
        Command::ReportBranch { at: BASE },
        planned(PlanStep::Emit(vec![task])),
        planned(PlanStep::Done),
        Command::Advance,
    ] {
        for event in decide(&state, &command, 0).expect("the law allows it") {
            let data = serde_json::to_string(&event).expect("an event can be stored");
            let entry = NewEntry { at_ms: 0, kind: event.kind().to_owned(), v: FORMAT, data };
            journal.append(&run, epoch, state.seq, &[entry]).expect("it is the only writer");
            let recorded = Recorded { seq: state.seq + 1, at_ms: 0, event };
            state = evolve(state, &recorded);
        }
    }
    state
}

fn world(dir: &Path, journal: Arc<MemoryJournal>, opening: Arc<Opening>) -> World {
    let done = Process::new("git").args(["init", "--quiet"]).arg(dir.join("repo")).status().expect("git is there");
    assert!(done.success(), "git makes a repository");
    let repo = Repo::discover(&dir.join("repo")).expect("it was just made");
    let pool = |name: &str| Pool::open(&repo, dir.join(name), &[]);
    let (workshop, bench) = (pool("work").expect("a pool"), pool("check").expect("a pool"));
    let home = dir.join("home");
    World {
        refs: RefNames::new("artel", opening.run.clone()).expect("sound names"),
        ground: Arc::new(Ground::new(opening, repo)),
        workshop,
        bench,
        hands: Hands::Local(Local::new()),
        gateway: Gateway::new(GatewayConfig::default(), Prices::built_in(), Arc::new(SystemClock)).expect("a gateway"),
        till: Arc::default(),
        ports: Ports::default(),
        clock: Arc::new(SystemClock),
        journal,
        place: StateDir::locate(|name| (name == "ARTEL_HOME").then(|| home.clone().into())).expect("a home"),
        artel: "/proc/self/exe".into(),
        outer_env: BTreeMap::new(),
        secrets: Default::default(),
    }
}

#[tokio::test]
async fn what_would_be_untrue_stops_the_coordinator_before_it_is_stored() {
    let dir = tempfile::tempdir().expect("a folder");
    let journal = Arc::new(MemoryJournal::default());
    let state = begun(&journal, opening());
    let opening = state.opening.clone().expect("it is open");
    let run = opening.run.clone();
    let epoch = journal.claim(&run, "another").expect("it takes the run over");
    let (progress, mut seen) = watch::channel(Progress::default());
    let world = Arc::new(world(dir.path(), Arc::clone(&journal), opening));
    let coordinator = Coordinator::spawn(CoordinatorArgs { world, state, epoch, progress });
    // Its own fence, but a candidate on another base than the lease's: no rule looks at that, and a law does.
    let attempt = AttemptId { task: TaskId(1), number: 2 };
    let candidate = Candidate {
        commit: Oid([7; 20]),
        tree: Oid([8; 20]),
        base: Oid([9; 20]),
        files: 1,
        extent: Default::default(),
    };
    let report = Command::ReportAttempt {
        attempt,
        fence: 2,
        outcome: Outcome::Candidate(candidate),
        handoff: Handoff::default(),
        usage: Usage::default(),
    };
    coordinator.tell(Tell::report(report)).send().await.expect("it lives");
    let lost = tokio::time::timeout(Duration::from_secs(60), seen.wait_for(|now| now.lost.is_some())).await;
    let lost = lost.expect("it stops").expect("it says why").lost.clone();
    coordinator.wait_for_shutdown().await;
    let Some(Lost::Broken(broken)) = lost else { panic!("it stopped for another reason: {lost:?}") };
    assert!(broken.what.contains("not on its lease's"), "{broken}");
    let kinds: Vec<String> = journal.read(&run, 1, 1000).expect("a journal").into_iter().map(|it| it.kind).collect();
    assert!(kinds.ends_with(&["AttemptLost".to_owned(), "AttemptLeased".to_owned()]), "{kinds:?}");
}
