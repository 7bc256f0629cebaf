//! Owns what a run is at one moment: the fold of its events. Never changes but in `evolve`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::asked::{Decided, Granted, Heard};
use super::awaited::Asked;
use super::bisect::{BadRate, Search};
use super::command::{Link, Opening};
use super::event::{End, Next, Rest, Turn};
use super::flakes::FlakeRate;
use super::limits::AgentLimit;
use super::seats::{ParkedSession, Ruled, Sitting};
use super::tally::{Spent, Tally};
use super::tasks::Tasks;
use crate::model::attempt::{Candidate, Handoff, Outcome, Parked, ScopeAsk, Usage};
use crate::model::check::{Baseline, CheckResult};
use crate::model::goal::{Budget, Gate};
use crate::model::ids::{AttemptId, BatchId, Oid, RequestId, ScopeId, TaskId};
use crate::model::means::Means;
use crate::model::review::Review;
use crate::model::role::{AgentRef, Role};
use crate::model::sandbox::Tier;
use crate::model::seat::Seat;
use crate::model::spend::Spend;
use crate::model::task::{ScopeDraft, TaskDraft, Work};
use crate::model::verdict::{Finding, Verdict};

/// Holds everything that is true of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    /// What the run was opened with; none before it is open.
    #[serde(with = "super::snapshot::opening")]
    pub opening: Option<Arc<Opening>>,
    /// How many events are folded in.
    pub seq: u64,
    /// When the run was opened, in milliseconds since 1970.
    pub opened_ms: i64,
    /// When the last event was decided.
    pub last_ms: i64,
    /// The coordinator that may write.
    pub epoch: u64,
    /// How it holds agents and checks apart from the machine, as far as it was told.
    pub sandbox: Option<Tier>,
    /// Where the run's branch stands; none before it is made.
    pub head: Option<Oid>,
    /// The tree of that commit.
    pub head_tree: Option<Oid>,
    /// What the checks answered on the base.
    pub baseline: Option<Baseline>,
    /// Which planning this is, from 1.
    pub iteration: u32,
    /// The tree that this planning looks at; the same however often a planner is called again.
    pub plan_tree: Option<Oid>,
    /// Landings since the iteration began.
    pub landed_in_iteration: u32,
    /// How many attempts have landed.
    pub landings: u64,
    /// Whether planning anew is over for good, because a person reverted or gave up a task.
    pub planning_closed: bool,

    /// All scopes.
    pub scopes: BTreeMap<ScopeId, Scope>,
    /// Scopes whose planners are owed a call.
    pub planning: BTreeSet<ScopeId>,
    /// Scopes by key.
    pub scope_keys: BTreeMap<String, ScopeId>,
    /// Who takes which decision.
    pub decisions: BTreeMap<String, ScopeId>,
    /// What was decided, once for the whole run.
    pub decided: BTreeMap<String, Decided>,
    /// What tasks were let change beside what they owned, in order.
    pub granted: Vec<Granted>,
    /// Tasks that split a file and have not come to their end.
    pub splits: BTreeSet<TaskId>,
    /// Tasks that have split one.
    pub has_split: BTreeSet<TaskId>,

    /// All tasks.
    pub tasks: Tasks,
    /// Tasks by key.
    pub task_keys: BTreeMap<String, TaskId>,
    /// Tasks that may be leased, most urgent first.
    pub ready: BTreeSet<Urgency>,
    /// Leased attempts.
    pub running: BTreeSet<AttemptId>,
    /// Attempts whose candidates wait for a verdict, in order of arrival.
    pub judging: VecDeque<AttemptId>,
    /// Attempts whose candidates passed their checks and wait for what a judge's session says, in order of arrival.
    pub reviewing: VecDeque<AttemptId>,
    /// Whose turn it is at the seats where somebody has failed.
    pub turns: BTreeMap<Seat, Turn>,
    /// Who plans or judges in a session at present.
    pub sitting: BTreeMap<Seat, Sitting>,
    /// Sessions that a limit or a question ended and that are taken up again, by the seat at which they were.
    pub parked: BTreeMap<Seat, ParkedSession>,
    /// How often somebody sat down.
    pub seatings: u64,
    /// Cost of planners' and judges' sessions, by role.
    pub seated: BTreeMap<String, Spent>,
    /// Accepted attempts that wait to land, in order.
    pub queue: VecDeque<AttemptId>,
    /// The batch that is landing.
    pub batch: Option<Batch>,
    /// Batches so far.
    pub batches: u32,
    /// How likely a queued candidate is bad, as far as is known.
    pub bad_rate: BadRate,
    /// How likely the checks are red on a good tree, as far as is known.
    pub flake_rate: FlakeRate,
    /// How many tasks stand where.
    pub tally: Tally,
    /// Fences given out so far.
    pub fences: u64,

    /// Whether the sample has landed, or none was asked for.
    pub sample_accepted: bool,
    /// Gates that were passed.
    pub passed: BTreeSet<Gate>,
    /// The gate that waits.
    pub waiting: Option<Gate>,
    /// What else waits for a person's word, and what has one.
    pub asked: Asked,
    /// What the run may use at present.
    pub budget: Budget,
    /// Whether work is handed out.
    pub flow: Flow,
    /// What is free and what must be, while the disk is short of space.
    pub short: Option<String>,
    /// Why the run rests, where it does.
    pub rest: Option<Rest>,
    /// How the run ended, where it has.
    pub end: Option<End>,
    /// When it last came to rest or ended, in milliseconds since 1970.
    pub rested_ms: i64,
    /// The last look at the done-conditions.
    pub conditions: Option<(Oid, Vec<CheckResult>)>,
    /// What the run's judge said last.
    pub ruled: Option<Ruled>,
    /// Done-conditions that did not hold before this iteration.
    pub red: Vec<CheckResult>,
    /// A delivery that is owed.
    pub delivery: Option<String>,
    /// The last delivery and how it went.
    pub delivered: Option<(String, Result<Oid, String>)>,
    /// Where the run's branch stood when it was last delivered.
    pub delivered_head: Option<Oid>,
    /// Requests that were answered, and how.
    pub answered: BTreeMap<RequestId, Result<(), String>>,
    /// What everybody is told.
    pub steering: Vec<String>,
    /// Cost by agent; judging and landing stand under `checks`.
    pub spent: BTreeMap<String, Spent>,
    /// Whether somebody had to end because the run's calls had used all that they may, and no more has been given since.
    pub is_money_short: bool,
    /// Roles of which somebody had to, because those who play it had used all that they may.
    pub short_roles: BTreeSet<String>,
    /// Limits that agents met and have done nothing since to show that they are over, by account.
    pub limits: BTreeMap<String, AgentLimit>,
    /// Checks that gave two answers on one tree, and how often.
    pub flakes: BTreeMap<String, u32>,
}

/// Says whether work is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Flow {
    /// Yes.
    #[default]
    Open,
    /// No more; what runs is finished.
    Draining,
    /// No, and what runs is ended.
    Stopping,
}

/// Holds a planner's scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// What its parent, or the goal, gave it.
    pub draft: ScopeDraft,
    /// Its parent.
    pub parent: Option<ScopeId>,
    /// How deep it lies; the root is 0.
    pub depth: u32,
    /// The iteration that it was opened in.
    pub iteration: u32,
    /// Its sub-scopes.
    pub children: Vec<ScopeId>,
    /// How many tasks it has emitted.
    pub emitted: u32,
    /// How many of them are not settled.
    pub open: u32,
    /// How often its planner was called, from 1.
    pub wake: u32,
    /// Whether its planner has finished.
    pub status: Planning,
    /// Attempts whose handoffs were not yet delivered.
    pub inbox: Vec<AttemptId>,
    /// Attempts whose handoffs this waking was given.
    pub given: Vec<AttemptId>,
}

/// Says how far a planner is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Planning {
    /// It plans.
    Active,
    /// It has nothing more to plan until a handoff comes.
    Finished,
    /// It failed.
    Failed(String),
    /// A person sent the plan back of which it was a part.
    SentBack,
}

/// Holds a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// What its planner wrote.
    pub draft: TaskDraft,
    /// What sort of work it is.
    pub work: Work,
    /// Whose it is.
    pub scope: ScopeId,
    /// Whether it belongs to the sample.
    pub sample: bool,
    /// What it still waits for.
    pub waits_for: BTreeSet<TaskId>,
    /// What it waited for from the first.
    pub after: Vec<TaskId>,
    /// What waits for it.
    pub followers: Vec<TaskId>,
    /// The longest chain of work that hangs on it, itself included, in units of weight.
    pub rank: u64,
    /// Where it stands.
    pub status: Status,
    /// How it is tried next.
    pub again: super::event::Again,
    /// How often it conflicted on landing.
    pub conflicts: u32,
    /// How often its worker was lost without a report.
    pub lost: u32,
    /// Its attempts, in order; the first has number 1.
    pub attempts: Vec<Attempt>,
    /// What the next attempt is shown.
    pub findings: Vec<Finding>,
    /// What the next attempt is told.
    pub steering: Vec<String>,
    /// What it asks to change beside what it owns, and waits for.
    pub wants: Option<ScopeAsk>,
    /// How often it has asked for that.
    pub asked: u32,
}

/// Says where a task stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// It waits for other tasks.
    Waiting,
    /// It may be leased.
    Ready,
    /// An attempt is under way.
    Running,
    /// A candidate waits for its verdict.
    Judging,
    /// A candidate waits for a person's word before it lands.
    Gated,
    /// A candidate waits to land, or is landing.
    Queued,
    /// It is an ancestor of the run's branch.
    Landed {
        /// The merge commit.
        commit: Oid,
    },
    /// There was nothing to do.
    Nothing,
    /// It failed and is kept for a person.
    Kept {
        /// Why.
        why: String,
    },
    /// It cannot go on until something is there.
    Blocked {
        /// What is missing.
        missing: String,
    },
    /// It was given up by a person.
    Dropped {
        /// Why.
        reason: String,
    },
    /// It had landed and was taken back out.
    Reverted {
        /// The task that took it out.
        by: TaskId,
    },
}

impl Status {
    /// Names the status in one word, as boards and JSON show it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Judging => "judging",
            Self::Gated => "gated",
            Self::Queued => "queued",
            Self::Landed { .. } => "landed",
            Self::Nothing => "nothing",
            Self::Kept { .. } => "kept",
            Self::Blocked { .. } => "blocked",
            Self::Dropped { .. } => "dropped",
            Self::Reverted { .. } => "reverted",
        }
    }

    /// Tells whether tasks that wait for this one may start.
    pub fn lets_followers_start(&self) -> bool {
        matches!(self, Self::Landed { .. } | Self::Nothing)
    }

    /// Tells whether nothing more happens without a person or another task.
    pub fn is_settled(&self) -> bool {
        match self {
            Self::Ready | Self::Running | Self::Judging | Self::Gated | Self::Queued | Self::Waiting => false,
            Self::Landed { .. }
            | Self::Nothing
            | Self::Kept { .. }
            | Self::Blocked { .. }
            | Self::Dropped { .. }
            | Self::Reverted { .. } => true,
        }
    }
}

/// Orders ready tasks: the sample first, then the longest chain, then the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Urgency {
    /// Whether it comes after the sample.
    pub after_sample: bool,
    /// The complement of the rank, so that a longer chain sorts first.
    pub slack: u64,
    /// The task.
    pub task: TaskId,
}

/// Holds one try at a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The agent that plays it.
    pub agent: AgentRef,
    /// Where it stands on the run's branch.
    pub base: Oid,
    /// The candidate from whose files it goes on, or what an attempt that a limit ended had made.
    pub from: Option<Oid>,
    /// The number of the attempt whose session it takes up again.
    pub resumes: Option<u32>,
    /// The number that its report must carry.
    pub fence: u64,
    /// When its lease lapses, in milliseconds since 1970.
    pub until_ms: i64,
    /// When it was leased.
    pub started_ms: i64,
    /// When its outcome was known.
    pub ended_ms: Option<i64>,
    /// How it ended; none while it runs.
    pub outcome: Option<Outcome>,
    /// What it reported upward.
    pub handoff: Option<Handoff>,
    /// What its judge said.
    pub verdict: Option<Verdict>,
    /// What sessions of its judge said beside, a lens each.
    pub reviews: Vec<Review>,
    /// What it cost, judging excluded.
    pub usage: Usage,
    /// What became of it, in the words of the last event about it.
    pub next: Option<Next>,
    /// Why it was lost, where it was.
    pub lost: Option<String>,
    /// The limit that ended it, where one did.
    pub limited: Option<String>,
    /// What it left to go on from then.
    pub parked: Option<Parked>,
    /// Why it did not land, where it did not.
    pub ejected: Vec<Finding>,
    /// The merge commit, once landed.
    pub landed: Option<Oid>,
    /// How many attempts had landed on what it stands on.
    pub stands_after: u64,
    /// Which landing of the run its was, from 1, once landed.
    pub landing: Option<u64>,
    /// Whether it plays the goal's resolver, not the role of its task.
    pub resolves: bool,
    /// What was held for its calls to models, all together.
    pub granted: Means,
    /// What its calls to models used.
    pub spend: Spend,
    /// What its session has heard of what people say.
    pub heard: Heard,
}

impl Attempt {
    /// Gives the candidate, where it left one.
    pub fn candidate(&self) -> Option<&Candidate> {
        match &self.outcome {
            Some(Outcome::Candidate(candidate)) => Some(candidate),
            Some(Outcome::Nothing | Outcome::Failed { .. } | Outcome::Blocked { .. }) | None => None,
        }
    }
}

/// Holds the batch that is landing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Its name.
    pub id: BatchId,
    /// Its members in order.
    pub members: Vec<AttemptId>,
    /// Where the run's branch stood.
    pub onto: Oid,
    /// How far it is.
    pub step: BatchStep,
}

/// Says how far a batch is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BatchStep {
    /// It is merged in memory.
    Merging,
    /// Its prefixes are checked.
    Checking {
        /// The merge commits.
        chain: Vec<Link>,
        /// How far the search for the first bad member is.
        search: Search,
        /// Whether a prefix was green only as a flaky check.
        flaky: bool,
        /// The checks that made the shortest red prefix red.
        reds: Vec<String>,
    },
    /// A green prefix is landed.
    Landing {
        /// The merge commits.
        chain: Vec<Link>,
        /// How many of them land.
        upto: u32,
        /// The tree that was checked.
        checked: Oid,
        /// The member that made the next longer prefix red, with what its checks said.
        culprit: Option<(AttemptId, Vec<CheckResult>)>,
        /// Whether a check of the landing prefix was flaky.
        flaky: bool,
    },
}

impl State {
    /// Gives what the run was opened with.
    ///
    /// # Panics
    /// Never on a state that holds an event: `RunOpened` is the first of each journal, and `decide` refuses
    /// every other command before it.
    pub fn opening(&self) -> &Opening {
        match &self.opening {
            Some(opening) => opening,
            None => panic!("bug: the run was read before it was opened"),
        }
    }

    /// Finds an attempt.
    pub fn attempt(&self, id: AttemptId) -> Option<&Attempt> {
        self.tasks.get(&id.task)?.attempts.get(id.number.checked_sub(1)? as usize)
    }

    /// Finds the role that does a task at present: its own, or the resolver's.
    pub fn role_of(&self, task: &Task) -> Option<&Role> {
        let opening = self.opening();
        match &opening.goal.plan.resolver {
            Some(resolver) if task.again.resolves => opening.roles.get(resolver),
            Some(_) | None => opening.roles.get(&task.draft.role),
        }
    }

    /// Tells whether the run still moves by itself.
    pub fn is_live(&self) -> bool {
        self.opening.is_some() && self.end.is_none() && self.rest.is_none()
    }

    /// Counts the attempts of all tasks.
    pub fn attempts_made(&self) -> u64 {
        self.fences
    }
}
