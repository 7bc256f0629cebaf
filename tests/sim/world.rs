//! Owns the world around the machine: the journal, what is in flight, the mail on its way, the clock and the crashes.
//! It turns the ring exactly as a coordinator does: decide, append, fold, start what is owed.

use std::collections::{BTreeMap, VecDeque};

use artel::machine::command::{Ask, Command, PlanStep};
use artel::machine::decide::decide;
use artel::machine::due::{Effect, due};
use artel::machine::event::{Event, Recorded};
use artel::machine::evolve::{evolve, replay};
use artel::machine::state::State;
use artel::model::ids::{Oid, RequestId};
use fastrand::Rng;

use crate::crew;
use crate::goals;
use crate::laws::{self, Ledger};
use crate::repo::Repo;
use crate::story::Story;

/// Holds, or says which law was broken.
pub type Law = Result<(), String>;

/// Says how the world treats a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Everything may go wrong.
    Wild,
    /// Everything goes well.
    Kind,
}

/// Says how far something in flight is.
pub enum Job {
    /// It goes on; a silent one never reports.
    Going { silent: bool },
    /// A planner has these moves left.
    Planning(VecDeque<(PlanStep, Must)>),
    /// Its report is on its way; a planner has these moves left.
    Reported(VecDeque<(PlanStep, Must)>),
}

/// Says what the law must answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Must {
    /// Yes or no.
    Anything,
    /// No.
    BeRefused,
}

/// Holds a command on its way.
#[derive(Clone)]
pub struct Mail {
    pub command: Command,
    pub must: Must,
    /// What ends with it.
    pub of: Option<Effect>,
}

pub struct World {
    pub rng: Rng,
    pub repo: Repo,
    pub state: State,
    pub mood: Mood,
    pub flakiness: f64,
    /// How many of a hundred edits clash with others of their kind.
    pub clashes: u8,
    /// How seldom landings go on: once in so many steps.
    pub slowness: u8,
    /// What makes the next edit, plan key or request another.
    pub count: u32,
    pub now_ms: i64,
    pub story: Story,
    pub ledger: Ledger,
    journal: Vec<(u64, i64, String)>,
    epoch: u64,
    pub flight: BTreeMap<Effect, Job>,
    pub mail: Vec<Mail>,
    pub requests: Vec<(RequestId, Ask)>,
    /// Where the run's branch stood before somebody moved it, and where to.
    pub tampered: Option<(Option<Oid>, Option<Oid>)>,
}

impl World {
    pub fn new(seed: u64, keep: usize) -> Self {
        let mut rng = Rng::with_seed(seed);
        let flakiness = [0.0, 0.0, 0.1, 0.3][rng.usize(0..4)];
        let (clashes, slowness) = ([5, 15, 60][rng.usize(0..3)], [1, 4, 12][rng.usize(0..3)]);
        Self {
            rng,
            repo: Repo::default(),
            state: State::default(),
            mood: Mood::Wild,
            flakiness,
            clashes,
            slowness,
            count: 1000,
            now_ms: 1_000_000,
            story: Story::new(keep),
            ledger: Ledger::default(),
            journal: Vec::new(),
            epoch: 0,
            flight: BTreeMap::new(),
            mail: Vec::new(),
            requests: Vec::new(),
            tampered: None,
        }
    }

    pub fn fresh(&mut self) -> u32 {
        self.count += 1;
        self.count
    }

    /// Tells whether this happens in a wild world.
    pub fn chance(&mut self, percent: u8) -> bool {
        self.mood == Mood::Wild && self.rng.u8(0..100) < percent
    }

    /// Opens the run.
    pub fn open(&mut self) -> Law {
        let tree = goals::tree(&mut self.rng);
        let (base, base_tree) = self.repo.commit(tree, &[]);
        let opening = goals::opening(&mut self.rng, base, base_tree);
        self.command(&Command::Advance, Must::BeRefused)?;
        self.command(&Command::Open(Box::new(opening.clone())), Must::Anything)?;
        self.command(&Command::Open(Box::new(opening)), Must::BeRefused)?;
        self.take_over()
    }

    fn take_over(&mut self) -> Law {
        self.epoch += 1;
        self.command(&Command::Wake { epoch: self.epoch, sandbox: None }, Must::Anything)?;
        laws::law(self.state.running.is_empty(), || "what a dead coordinator had running goes on".to_owned())?;
        self.command(&Command::Wake { epoch: self.epoch, sandbox: None }, Must::BeRefused)?;
        for (id, ask) in self.requests.clone() {
            if !self.state.answered.contains_key(&id) {
                self.post(Command::Request { id, ask }, Must::Anything, None);
            }
        }
        self.settle()
    }

    pub fn post(&mut self, command: Command, must: Must, of: Option<Effect>) {
        self.mail.push(Mail { command, must, of });
    }

    /// Gives one command to the law and makes its events true.
    fn command(&mut self, command: &Command, must: Must) -> Law {
        let events = match decide(&self.state, command, self.now_ms) {
            Ok(_) if must == Must::BeRefused => return Err(format!("this must be refused: {command:?}")),
            Ok(events) => events,
            Err(why) => {
                self.story.refused(name(command), why);
                return Ok(());
            }
        };
        laws::answers_to(&self.state, command, &events)?;
        for event in events {
            self.append(event)?;
        }
        if let Command::Request { id, .. } = command
            && !self.state.answered.contains_key(id)
        {
            return Err(format!("request {id} got no answer"));
        }
        laws::hold(&self.state)
    }

    fn append(&mut self, event: Event) -> Law {
        let json = serde_json::to_string(&event).map_err(|fault| fault.to_string())?;
        let recorded = Recorded { seq: self.state.seq + 1, at_ms: self.now_ms, event };
        self.story.event(&recorded);
        self.ledger.before(&self.state, &recorded.event, &self.repo, self.tampered.is_some())?;
        self.journal.push((recorded.seq, recorded.at_ms, json));
        self.state = evolve(std::mem::take(&mut self.state), &recorded);
        Ok(())
    }

    /// Handles one command as a coordinator does, and dies after it where chance says so.
    pub fn handle(&mut self, mail: Mail) -> Law {
        let before = self.state.seq;
        self.command(&mail.command, mail.must)?;
        if let Some(effect) = mail.of {
            match self.flight.remove(&effect) {
                Some(Job::Reported(moves)) if !moves.is_empty() => {
                    self.flight.insert(effect, Job::Planning(moves));
                }
                Some(Job::Reported(_)) | None => {}
                Some(job @ (Job::Going { .. } | Job::Planning(_))) => {
                    self.flight.insert(effect, job);
                }
            }
        }
        if self.state.seq > before && self.chance(2) {
            return self.crash();
        }
        self.settle()
    }

    /// Starts and cancels until time alone brings nothing more.
    pub fn settle(&mut self) -> Law {
        for _ in 0..300 {
            self.sync()?;
            let before = self.state.seq;
            self.command(&Command::Advance, Must::Anything)?;
            if self.state.seq == before {
                return self.stuck();
            }
            if self.chance(1) {
                return self.crash();
            }
        }
        Err("time alone brings events without end".to_owned())
    }

    /// A live run always owes something to the world.
    fn stuck(&self) -> Law {
        if self.state.is_live() && due(&self.state).is_empty() {
            return Err("deadlock: the run is live, owes nothing, and time brings nothing".to_owned());
        }
        Ok(())
    }

    fn sync(&mut self) -> Law {
        let owed = due(&self.state);
        laws::owed(&self.state, &owed)?;
        let cancelled: Vec<Effect> = self.flight.keys().filter(|effect| !owed.contains(effect)).cloned().collect();
        for effect in cancelled {
            self.flight.remove(&effect);
            if self.chance(30) {
                crew::half_done(self, &effect);
            }
        }
        for effect in owed {
            if !self.flight.contains_key(&effect) {
                let job = crew::start(self, &effect);
                self.flight.insert(effect, job);
            }
        }
        Ok(())
    }

    /// Dies: what is in flight and on its way is gone; the journal and the repository stay.
    pub fn crash(&mut self) -> Law {
        self.story.world("the coordinator is killed");
        for effect in std::mem::take(&mut self.flight).into_keys() {
            if self.rng.bool() {
                crew::half_done(self, &effect);
            }
        }
        self.mail.clear();
        self.state = self.replayed()?;
        self.take_over()
    }

    /// Folds the journal anew and compares.
    pub fn replayed(&self) -> Result<State, String> {
        let mut events = Vec::with_capacity(self.journal.len());
        for (seq, at_ms, json) in &self.journal {
            let event = serde_json::from_str(json).map_err(|fault| format!("{fault} in {json}"))?;
            events.push(Recorded { seq: *seq, at_ms: *at_ms, event });
        }
        let state = replay(&events);
        if state == self.state { Ok(state) } else { Err("replay differs from live".to_owned()) }
    }

    pub fn events(&self) -> usize {
        self.journal.len()
    }
}

fn name(command: &Command) -> &'static str {
    match command {
        Command::Open(_) => "Open",
        Command::Wake { .. } => "Wake",
        Command::Advance => "Advance",
        Command::Request { .. } => "Request",
        Command::ReportBranch { .. } => "ReportBranch",
        Command::ReportBaseline { .. } => "ReportBaseline",
        Command::ReportPlan { .. } => "ReportPlan",
        Command::RenewLease { .. } => "RenewLease",
        Command::ReportAttempt { .. } => "ReportAttempt",
        Command::ReportLost { .. } => "ReportLost",
        Command::ReportVerdict { .. } => "ReportVerdict",
        Command::ReportMerge { .. } => "ReportMerge",
        Command::ReportPrefix { .. } => "ReportPrefix",
        Command::ReportLanding { .. } => "ReportLanding",
        Command::ReportBranchMoved { .. } => "ReportBranchMoved",
        Command::ReportConditions { .. } => "ReportConditions",
        Command::ReportDelivery { .. } => "ReportDelivery",
        Command::ReportTrouble { .. } => "ReportTrouble",
    }
}
