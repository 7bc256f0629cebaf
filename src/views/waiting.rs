//! Owns what is shown of a thing that waits for a person's word: what will happen, why it is asked, and what has changed
//! since. Never shows it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::line::whose;
use super::words;
use crate::machine::awaited::{Shown, Wait};
use crate::machine::event::Subject;
use crate::machine::state::{Planning, State};
use crate::model::gating::{Extent, Reason, Then};
use crate::model::goal::Gate;
use crate::model::ids::{AttemptId, Oid};
use crate::model::seat::Seat;
use crate::model::spend::Usd;

/// How many rows a board has.
const ROWS: usize = 64;

/// How many paths are named in words.
const PATHS: usize = 4;

/// Shows a thing that waits for a word; holds paths of the repository, hence not inert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Waiting {
    /// What happens when it is approved, in words.
    pub then: String,
    /// All for which it waits, in words.
    pub reasons: Vec<String>,
    /// The attempt whose candidate it is, where it is one.
    pub attempt: Option<AttemptId>,
    /// The commit that lands or is delivered; a word is given on exactly that.
    pub commit: Option<Oid>,
    /// What is shown of a gate; a word is given on exactly that.
    #[serde(default)]
    pub shown: Option<Shown>,
    /// The commit that a candidate was made from, or a delivery's run was opened on.
    pub base: Option<Oid>,
    /// The seat at which a question was asked, where it is one.
    #[serde(default)]
    pub seat: Option<Seat>,
    /// Which question there it is, from 1; an answer is given to exactly that.
    #[serde(default)]
    pub number: Option<u32>,
    /// The branch that is delivered into.
    pub branch: Option<String>,
    /// Where that stood when it was asked, where that is known.
    #[serde(default)]
    pub onto: Option<Oid>,
    /// Where that stands, where whoever shows it has looked.
    #[serde(default)]
    pub onto_now: Option<Oid>,
    /// Where the run's branch stands.
    pub head: Option<Oid>,
    /// Whether the run's branch, or the one that is delivered into, has moved since it was asked.
    pub has_moved: bool,
    /// How much a candidate changes.
    pub extent: Option<Extent>,
    /// Since when it waits, in milliseconds since 1970.
    pub since_ms: i64,
    /// When the word is overdue, where it ever is.
    pub until_ms: Option<i64>,
    /// What happens then, in one word.
    pub lapse: Option<Then>,
    /// Whether the word is overdue.
    pub is_overdue: bool,
}

/// Shows on a board a candidate, a delivery or a question that waits for a word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AskedRow {
    /// What `artel approve` is told: a task, or `delivery`. Of a question, what `artel answer` is told: a task, a scope, or
    /// `run`.
    pub what: String,
    /// The task's title, or the branch.
    pub title: String,
    /// Why it waits; holds paths of the repository, hence not inert.
    pub why: String,
    /// The attempt whose candidate it is, where it is one.
    pub attempt: Option<AttemptId>,
    /// The commit that a word is given on.
    pub commit: Option<Oid>,
    /// The seat at which a question was asked, where it is one.
    #[serde(default)]
    pub seat: Option<Seat>,
    /// Which question there it is, from 1; an answer is given to exactly that.
    #[serde(default)]
    pub number: Option<u32>,
}

/// Lists the candidates, deliveries and questions that wait for a word, as boards show them; a delivery goes into a branch that
/// stands at `target`.
pub fn asked(state: &State, target: Option<Oid>) -> Vec<AskedRow> {
    let row = |(on, mut shown): (Subject, Waiting)| match on {
        Subject::Gate(_) => None,
        Subject::Candidate(id) => {
            let title = state.tasks.get(&id.task)?.draft.title.clone();
            let (what, why) = (id.task.to_string(), shown.words());
            Some(AskedRow { what, title, why, attempt: Some(id), commit: shown.commit, seat: None, number: None })
        }
        Subject::Delivery => {
            shown.note_target(target);
            let title = shown.branch.clone().unwrap_or_default();
            let (what, why) = ("delivery".to_owned(), shown.words());
            Some(AskedRow { what, title, why, attempt: None, commit: shown.commit, seat: None, number: None })
        }
        Subject::Question(seat) => {
            let (what, title, why) = (asker(seat), titled(state, seat), shown.words());
            Some(AskedRow { what, title, why, attempt: None, commit: None, seat: Some(seat), number: shown.number })
        }
    };
    waiting(state).into_iter().filter_map(row).take(ROWS).collect()
}

/// Lists what waits for a word, each once.
pub fn waiting(state: &State) -> Vec<(Subject, Waiting)> {
    if state.opening.is_none() {
        return Vec::new();
    }
    let shown = state.awaited().filter_map(|(on, wait)| {
        let shown = match on {
            Subject::Gate(gate) => Some(of_gate(state, gate, wait)),
            Subject::Candidate(id) => of_candidate(state, id),
            Subject::Delivery => of_delivery(state),
            Subject::Question(seat) => of_question(state, seat),
        };
        Some((on, shown?))
    });
    shown.collect()
}

fn bare(state: &State, wait: Wait) -> Waiting {
    let timeout = state.opening().goal.gating.timeout;
    Waiting {
        then: String::new(),
        reasons: Vec::new(),
        attempt: None,
        commit: None,
        shown: None,
        base: None,
        seat: None,
        number: None,
        branch: None,
        onto: None,
        onto_now: None,
        head: state.head,
        has_moved: false,
        extent: None,
        since_ms: wait.since_ms,
        until_ms: timeout.map(|it| it.overdue_ms(wait.since_ms)),
        lapse: timeout.map(|it| it.then),
        is_overdue: wait.is_overdue,
    }
}

fn of_gate(state: &State, gate: Gate, wait: Wait) -> Waiting {
    let reason = match gate {
        Gate::Plan => "the plan is to be approved before it starts".to_owned(),
        Gate::Sweep => "the sample has landed".to_owned(),
        Gate::Spend => format!("{} are spent", Usd(state.total_spent().spend.nano_usd)),
        Gate::Landing | Gate::Delivery => String::new(),
    };
    Waiting { then: past(state, gate), reasons: vec![reason], shown: Some(state.shown()), ..bare(state, wait) }
}

/// Says what happens when a gate of an open run is passed.
pub fn past(state: &State, gate: Gate) -> String {
    let opening = state.opening();
    let tasks = words::count((state.tally.ready + state.tally.waiting) as usize, "task");
    match gate {
        Gate::Plan => {
            let scopes =
                words::count(state.scopes.values().filter(|it| it.status != Planning::SentBack).count(), "scope");
            format!("{tasks} in {scopes} are begun as they are planned, {} at a time", opening.workers)
        }
        Gate::Sweep => format!("what the sample showed is done to all that is left: {tasks}"),
        Gate::Spend => {
            let step = Usd(opening.goal.gating.nano_usd.unwrap_or_default());
            format!("work goes on until it has cost {step} more")
        }
        Gate::Landing | Gate::Delivery => "what waits goes on".to_owned(),
    }
}

/// Shows a candidate that waits.
pub fn of_candidate(state: &State, id: AttemptId) -> Option<Waiting> {
    let asked = state.asked.candidates.get(&id)?;
    let candidate = state.attempt(id)?.candidate()?;
    let extent = Extent { files: candidate.files, ..candidate.extent.clone() };
    let (commit, base) = (candidate.commit, candidate.base);
    let then = match state.head {
        Some(head) if head != base => format!(
            "{} is merged and checked again on {}, to which the run's branch has moved from its base {}",
            commit.short(),
            head.short(),
            base.short()
        ),
        Some(_) | None => format!("{} lands on {}, on which it was made", commit.short(), base.short()),
    };
    Some(Waiting {
        then,
        reasons: asked.reasons.iter().map(reason).collect(),
        attempt: Some(id),
        commit: Some(commit),
        base: Some(base),
        has_moved: asked.head != state.head,
        extent: Some(extent),
        ..bare(state, asked.wait)
    })
}

/// Shows a delivery that waits.
pub fn of_delivery(state: &State) -> Option<Waiting> {
    let asked = state.asked.delivery.as_ref()?;
    let base = state.opening().base;
    let landed = words::count(state.landings as usize, "landing");
    let failed = asked.failed.as_ref().map(|why| format!("it had its word and did not go out: {why}"));
    let reasons = std::iter::once("every delivery waits".to_owned()).chain(failed).collect();
    Some(Waiting {
        then: format!("{} goes into {}: {landed} on {}", asked.head.short(), asked.branch, base.short()),
        reasons,
        commit: Some(asked.head),
        base: Some(base),
        branch: Some(asked.branch.clone()),
        onto: asked.onto,
        has_moved: asked.asked != asked.head,
        ..bare(state, asked.wait)
    })
}

/// Shows a question that waits for an answer.
pub fn of_question(state: &State, seat: Seat) -> Option<Waiting> {
    let (number, question) = state.open_question(seat)?;
    let who = whose(seat);
    Some(Waiting {
        then: format!("{who} goes on with your answer in its brief"),
        reasons: vec![format!("{who} lacks {}", question.missing)],
        seat: Some(seat),
        number: Some(number),
        ..bare(state, question.wait)
    })
}

/// Names whoever asked at a seat, as a person does who answers: by its task, its scope, or as the run.
pub fn asker(seat: Seat) -> String {
    match seat {
        Seat::Attempt(attempt) | Seat::Judge { attempt, .. } => attempt.task.to_string(),
        Seat::Planner { scope, .. } => scope.to_string(),
        Seat::RunJudge { .. } => "run".to_owned(),
    }
}

/// Gives the title of what somebody at a seat is at.
pub(super) fn titled(state: &State, seat: Seat) -> String {
    let title = match seat {
        Seat::Attempt(attempt) | Seat::Judge { attempt, .. } => {
            state.tasks.get(&attempt.task).map(|task| &task.draft.title)
        }
        Seat::Planner { scope, .. } => state.scopes.get(&scope).map(|scope| &scope.draft.title),
        Seat::RunJudge { .. } => None,
    };
    title.unwrap_or(&state.opening().goal.name).clone()
}

impl Waiting {
    /// Notes where the branch stands into which it would be delivered.
    pub fn note_target(&mut self, at: Option<Oid>) {
        self.onto_now = at;
        self.has_moved |= self.target_moved().is_some();
    }

    fn target_moved(&self) -> Option<(Oid, Oid)> {
        self.onto.zip(self.onto_now).filter(|(then, now)| then != now)
    }

    /// Says what has moved since it was asked.
    pub fn moved(&self) -> Option<String> {
        if let (Some(branch), Some((then, now))) = (&self.branch, self.target_moved()) {
            let (then, now) = (then.short(), now.short());
            return Some(format!(
                "{branch} has moved from {then} to {now} since it was asked: a merge with that is checked before it goes out"
            ));
        }
        self.has_moved.then(|| "the run's branch has moved since it was asked".to_owned())
    }

    /// Says in one line why it waits, how large it is, and what has changed since it was asked.
    pub fn words(&self) -> String {
        let mut parts = self.reasons.clone();
        if let Some(extent) = &self.extent {
            parts.push(size(extent));
        }
        parts.extend(self.moved());
        if self.is_overdue {
            parts.push("OVERDUE".to_owned());
        }
        let what = if self.seat.is_some() { "answer" } else { "word" };
        format!("waits for your {what}: {}", parts.join("; "))
    }
}

/// Says how much a change changes: `3 files, 40 lines`.
pub fn size(extent: &Extent) -> String {
    let files = words::count(extent.files as usize, "file");
    if extent.lines == 0 { files } else { format!("{files}, {}", words::count(extent.lines as usize, "line")) }
}

/// Says one reason in words.
pub fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Landing => "every landing waits".to_owned(),
        Reason::Role(role) => format!("what {role} makes waits"),
        Reason::Paths(paths) => {
            let shown = paths.iter().take(PATHS).cloned().collect::<Vec<_>>().join(", ");
            let more = paths.len().saturating_sub(PATHS);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("it changes {shown}{more}")
        }
        Reason::Lines { lines, limit } => {
            format!("it changes {}, more than {limit}", words::count(*lines as usize, "line"))
        }
        Reason::Files { files, limit } => {
            format!("it changes {}, more than {limit}", words::count(*files as usize, "file"))
        }
    }
}

/// Names what a word is awaited on.
pub fn subject(on: Subject) -> String {
    match on {
        Subject::Gate(gate) => format!("the {}", words::gate(gate)),
        Subject::Candidate(id) => format!("the candidate of {id}"),
        Subject::Delivery => "the delivery".to_owned(),
        Subject::Question(seat) => format!("what {} asks", whose(seat)),
    }
}
