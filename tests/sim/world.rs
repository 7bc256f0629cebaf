//! Owns the world around the machine: the journal, what is in flight, the mail on its way, the clock and the crashes.
//! It turns the ring exactly as a coordinator does: decide, append, fold, start what is owed.

use std::collections::{BTreeMap, VecDeque};

use artel::machine::command::{Ask, Command, PlanStep};
use artel::machine::due::{Effect, due};
use artel::machine::event::{Event, Recorded};
use artel::machine::laws::{follows, moves_or_rests};
use artel::machine::state::State;
use artel::model::ids::{AttemptId, Oid, RequestId, TaskId};
use artel::model::means::Means;
use fastrand::Rng;

use crate::crew;
use crate::goals;
use crate::laws::{self, Broken, Law, Ledger, broken, law};
use crate::mutants::{self, Mutant};
use crate::repo::Repo;
use crate::story::Story;

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
    /// Whether this step is one in which nothing goes wrong by chance.
    pub is_calm: bool,
    /// What was made wrong in the machine or its surroundings, to see whether a law finds it.
    pub mutant: Option<Mutant>,
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
    pub journal: Vec<Recorded>,
    /// The last event after which every law was held.
    stood: u64,
    epoch: u64,
    /// A coordinator that was passed over and does not know it yet, with the number that it writes under.
    pub stale: Option<(State, u64)>,
    pub flight: BTreeMap<Effect, Job>,
    pub mail: Vec<Mail>,
    pub requests: Vec<(RequestId, Ask)>,
    /// Where the run's branch stood before somebody moved it, and where to.
    pub tampered: Option<(Option<Oid>, Option<Oid>)>,
    /// Which tasks kill every worker: one in so many, where any does.
    pub poison: Option<u32>,
}

impl World {
    pub fn new(seed: u64, story: Story, mutant: Option<Mutant>) -> Self {
        let mut rng = Rng::with_seed(seed);
        let flakiness = [0.0, 0.1, 0.2, 0.3][rng.usize(0..4)];
        let (clashes, slowness) = ([5, 15, 60][rng.usize(0..3)], [1, 4, 12][rng.usize(0..3)]);
        let poison = (rng.u8(0..6) == 0).then(|| rng.u32(2..6));
        Self {
            rng,
            repo: Repo::default(),
            state: State::default(),
            mood: Mood::Wild,
            is_calm: false,
            mutant,
            flakiness,
            clashes,
            slowness,
            count: 1000,
            now_ms: 1_000_000,
            story,
            ledger: Ledger::default(),
            journal: Vec::new(),
            stood: 0,
            epoch: 0,
            stale: None,
            flight: BTreeMap::new(),
            mail: Vec::new(),
            requests: Vec::new(),
            tampered: None,
            poison,
        }
    }

    pub fn fresh(&mut self) -> u32 {
        self.count += 1;
        self.count
    }

    /// Tells whether this happens in a wild world.
    pub fn chance(&mut self, percent: u8) -> bool {
        self.mood == Mood::Wild && !self.is_calm && self.rng.u8(0..100) < percent
    }

    /// Gives chances of their own to what runs did not hold from the first, so that seeds give the runs that they gave.
    pub fn beside(&self, salt: u64) -> Rng {
        Rng::with_seed(self.state.seq.wrapping_mul(0x9e37_79b9) ^ self.now_ms.unsigned_abs() ^ (salt << 40))
    }

    /// Tells whether this happens in a wild world, by chances of their own.
    pub fn beside_chance(&self, salt: u64, percent: u8) -> bool {
        self.is_wild() && self.beside(salt).u8(0..100) < percent
    }

    /// Tells whether anything may happen that is not kind.
    pub fn is_wild(&self) -> bool {
        self.mood == Mood::Wild && !self.is_calm
    }

    /// Tells whether a task kills every worker that takes it up.
    pub fn is_poison(&self, task: TaskId) -> bool {
        self.poison.is_some_and(|one_in| task.0 % one_in == 1)
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
        law(self.state.running.is_empty(), || "what a dead coordinator had running goes on".to_owned())?;
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
        let events = match mutants::decide(self.mutant, &self.state, command, self.now_ms) {
            Ok(_) if must == Must::BeRefused => return Err(broken(format!("this must be refused: {command:?}"))),
            Ok(events) => events,
            Err(why) => {
                self.story.refused(name(command), why);
                return Ok(());
            }
        };
        laws::answers_to(&self.state, command, &events)?;
        if events.is_empty() {
            return Ok(());
        }
        for event in events {
            self.append(event)?;
        }
        if let Command::Request { id, .. } = command {
            law(self.state.answered.contains_key(id), || format!("request {id} got no answer"))?;
        }
        Ok(())
    }

    fn append(&mut self, event: Event) -> Law {
        let recorded = Recorded { seq: self.state.seq + 1, at_ms: self.now_ms, event };
        self.story.event(&recorded);
        follows(&self.state, &recorded.event)?;
        self.ledger.before(&self.state, &recorded.event, &self.repo, self.tampered.is_some())?;
        self.state = mutants::fold(self.mutant, std::mem::take(&mut self.state), &recorded);
        let accounted = self.state.accounted();
        let used = self.ledger.calls.values().copied().fold(Means::default(), Means::plus);
        law(used.fits(accounted), || format!("{accounted} are accounted and {used} were used"))?;
        if !mutants::forgets_to_store(self.mutant, &recorded) {
            self.journal.push(recorded);
        }
        Ok(())
    }

    /// Stores what a coordinator wrote that somebody else may have passed over; the journal takes the newest's only.
    pub fn store(&mut self, epoch: u64, events: Vec<Event>) {
        if epoch != self.epoch && self.mutant != Some(Mutant::EpochNotChecked) {
            return self.story.world(format!("the journal takes nothing more from coordinator {epoch}"));
        }
        for event in events {
            let seq = self.journal.len() as u64 + 1;
            self.journal.push(Recorded { seq, at_ms: self.now_ms, event });
        }
    }

    /// Handles one command as a coordinator does, and dies after it where chance says so.
    pub fn handle(&mut self, mail: Mail) -> Law {
        let before = self.state.seq;
        if self.chance(1) {
            self.story.world(format!("what {} makes happen is not stored any more", name(&mail.command)));
            return self.crash();
        }
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
            let before = self.state.seq;
            self.command(&Command::Advance, Must::Anything)?;
            if self.state.seq == before {
                return self.stand();
            }
            if self.chance(1) {
                return self.crash();
            }
        }
        Err(broken("time alone brings events without end"))
    }

    /// Holds every law of a run at a standstill, and starts and cancels what it owes.
    fn stand(&mut self) -> Law {
        if self.stood != self.state.seq {
            laws::hold(&self.state)?;
            self.stood = self.state.seq;
        }
        let until = |id: &AttemptId| self.state.attempt(*id).map_or(0, |it| it.until_ms);
        let lapsed = self.state.running.iter().find(|id| until(id) < self.now_ms);
        law(lapsed.is_none() || !self.state.is_live(), || format!("{lapsed:?} runs on and its lease has lapsed"))?;
        let owed = due(&self.state);
        moves_or_rests(&self.state, &owed)?;
        laws::owed(&self.state, &owed)?;
        let cancelled: Vec<Effect> = self.flight.keys().filter(|effect| !owed.contains(effect)).cloned().collect();
        for effect in cancelled {
            self.flight.remove(&effect);
            if self.chance(30) {
                crew::half_done(self, &effect);
            }
        }
        for effect in owed {
            if !self.flight.contains_key(&effect) && !mutants::forgets(self.mutant, &effect, self.epoch) {
                let job = crew::start(self, &effect);
                self.flight.insert(effect, job);
            }
        }
        Ok(())
    }

    /// Dies: what is in flight and on its way is gone; the journal and the repository stay.
    pub fn crash(&mut self) -> Law {
        self.story.world("the coordinator is killed");
        self.lose_flight();
        self.stale = None;
        self.state = self.replayed()?;
        self.take_over()
    }

    /// Has another coordinator take the run over while the first, frozen, knows nothing of it.
    pub fn usurp(&mut self) -> Law {
        self.story.world("another coordinator takes the run over from one that is frozen");
        self.stale = Some((self.state.clone(), self.epoch));
        self.lose_flight();
        self.take_over()
    }

    fn lose_flight(&mut self) {
        for effect in std::mem::take(&mut self.flight).into_keys() {
            if self.rng.bool() {
                crew::half_done(self, &effect);
            }
        }
        self.mail.clear();
    }

    /// Folds the journal anew and compares.
    pub fn replayed(&self) -> Result<State, Broken> {
        let state = self.journal.iter().fold(State::default(), |state, event| mutants::fold(self.mutant, state, event));
        law(state == self.state, || "replay differs from live".to_owned())?;
        Ok(state)
    }

    /// Holds that every event is read back as it was written.
    pub fn stored(&self) -> Law {
        for recorded in &self.journal {
            let json = serde_json::to_string(&recorded.event).map_err(|fault| broken(fault.to_string()))?;
            let read = serde_json::from_str::<Event>(&json).map_err(|fault| broken(format!("{fault} in {json}")))?;
            law(read == recorded.event, || format!("what is read back is another event: {json}"))?;
        }
        Ok(())
    }
}

fn name(command: &Command) -> &'static str {
    match command {
        Command::Open(_) => "Open",
        Command::Wake { .. } => "Wake",
        Command::Advance => "Advance",
        Command::LetLapse => "LetLapse",
        Command::Request { .. } => "Request",
        Command::ReportBranch { .. } => "ReportBranch",
        Command::ReportBaseline { .. } => "ReportBaseline",
        Command::ReportPlan { .. } => "ReportPlan",
        Command::RenewLease { .. } => "RenewLease",
        Command::ReportAttempt { .. } => "ReportAttempt",
        Command::AskAllowance { .. } => "AskAllowance",
        Command::ReturnAllowance { .. } => "ReturnAllowance",
        Command::ReportCall { .. } => "ReportCall",
        Command::KeepTranscript { .. } => "KeepTranscript",
        Command::ReportOutOfMoney { .. } => "ReportOutOfMoney",
        Command::ReportLimited { .. } => "ReportLimited",
        Command::ReportLost { .. } => "ReportLost",
        Command::LeaveSeat { .. } => "LeaveSeat",
        Command::ReportHeard { .. } => "ReportHeard",
        Command::ReportReview { .. } => "ReportReview",
        Command::ReportRunVerdict { .. } => "ReportRunVerdict",
        Command::ReportVerdict { .. } => "ReportVerdict",
        Command::ReportMerge { .. } => "ReportMerge",
        Command::ReportPrefix { .. } => "ReportPrefix",
        Command::ReportLanding { .. } => "ReportLanding",
        Command::ReportBranchMoved { .. } => "ReportBranchMoved",
        Command::ReportConditions { .. } => "ReportConditions",
        Command::ReportDelivery { .. } => "ReportDelivery",
        Command::ReportSpace { .. } => "ReportSpace",
        Command::ReportTrouble { .. } => "ReportTrouble",
    }
}
