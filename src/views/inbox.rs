//! Owns the inbox: runs and tasks that need a person, failed or are finished, each in exactly one bucket or, while
//! it moves by itself, in none. Never shows it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ended::{Class, ended};
use super::limits::{LimitRow, of_a_person};
use super::waiting::{Waiting, asker, titled, waiting};
use super::words;
use crate::machine::event::{Rest, Subject};
use crate::machine::state::{State, Status, Task};
use crate::model::goal::Gate;
use crate::model::ids::{Oid, RunId, TaskId};
use crate::model::seat::Seat;

/// Names a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// It goes on once a person has said or mended something.
    NeedsInput,
    /// It ended without what was wanted.
    Failed,
    /// It ended well, or a person ended it.
    Finished,
}

impl Bucket {
    /// Names the bucket in words.
    pub fn word(self) -> &'static str {
        match self {
            Self::NeedsInput => "needs input",
            Self::Failed => "failed",
            Self::Finished => "finished",
        }
    }
}

/// Holds one thing in a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// The bucket.
    pub bucket: Bucket,
    /// The run.
    pub run: RunId,
    /// The task; none where it is the run itself.
    pub task: Option<TaskId>,
    /// What it is called.
    pub title: String,
    /// Why it is there.
    pub why: String,
    /// The command that a person would give next.
    pub next: String,
    /// What waits for a word there.
    pub waiting: Option<Waiting>,
}

impl Item {
    /// Notes where the branch stands into which a delivery waits to go.
    pub fn note_target(&mut self, at: Option<Oid>) {
        if let Some(waiting) = &mut self.waiting {
            waiting.note_target(at);
            self.why = waiting.words();
        }
    }

    /// Tells whether it is shown without being asked for: a task that is finished is not.
    pub fn is_open(&self) -> bool {
        self.task.is_none() || self.bucket != Bucket::Finished
    }
}

/// Tells of a run that cannot be read, and why; `name` is the user's own for it.
pub fn unreadable(run: &RunId, name: Option<&str>, why: &str) -> Item {
    Item {
        bucket: Bucket::NeedsInput,
        run: run.clone(),
        task: None,
        title: name.unwrap_or("a run that cannot be read").to_owned(),
        why: format!("cannot be read: {why}"),
        next: "artel doctor --repair".to_owned(),
        waiting: None,
    }
}

/// Sorts a run and its tasks into buckets; nothing for a run that is not open.
pub fn inbox(state: &State) -> Vec<Item> {
    let Some(opening) = &state.opening else { return Vec::new() };
    let run = &opening.run;
    let goal = &opening.goal.name;
    let item = |bucket, task, title: &str, why, next| Item {
        bucket,
        run: run.clone(),
        task,
        title: title.to_owned(),
        why,
        next,
        waiting: None,
    };
    let mut items = Vec::new();
    if let Some((bucket, next)) = inbox_of_run(state, run) {
        items.push(item(bucket, None, goal, ended(state).words, next));
    }
    for (id, task) in state.tasks.iter().filter(|(id, _)| !state.was_sent_back(**id)) {
        let Some((bucket, why, next)) = inbox_of_task(state, task, run, *id) else { continue };
        items.push(item(bucket, Some(*id), &task.draft.title, why, next));
    }
    for (on, waiting) in waiting(state) {
        match on {
            // The run itself says that it waits, once nothing else goes on.
            Subject::Gate(_) => {
                if let Some(item) = items.iter_mut().find(|it| it.task.is_none()) {
                    item.why = format!("{}: {}", item.why, waiting.reasons.join("; "));
                    if waiting.is_overdue {
                        item.why.push_str("; OVERDUE");
                    }
                    item.waiting = Some(waiting);
                }
            }
            Subject::Candidate(_) | Subject::Delivery | Subject::Question(_) => {
                if on == Subject::Delivery {
                    // The end of the run needs nobody while its delivery does.
                    items.retain(|it| it.task.is_some() || it.waiting.is_some());
                }
                let (task, title, why, next) = inbox_of_wait(state, on, &waiting);
                items.push(Item { waiting: Some(waiting), ..item(Bucket::NeedsInput, task, &title, why, next) });
            }
        }
    }
    for row in of_a_person(state) {
        let (task, title, why, next) = inbox_of_limit(state, &row);
        items.push(item(Bucket::NeedsInput, task, &title, why, next));
    }
    items.sort_by_key(|item| item.bucket);
    items
}

/// Names what a person is told of: the task, where it is one, what it is called, why, and what they would do.
pub(super) type Told = (Option<TaskId>, String, String, String);

/// Says of a limit that somebody has to lift who waits for it.
pub(super) fn inbox_of_limit(state: &State, row: &LimitRow) -> Told {
    let run = &state.opening().run;
    let verb = if row.tasks + row.seats == 1 { "waits" } else { "wait" };
    let first = row.first.and_then(|first| Some((first, state.tasks.get(&first)?)));
    let title = first.map_or(&state.opening().goal.name, |(_, task)| &task.draft.title);
    let why = format!("{} takes no work, and {} {verb}: {}", row.agent, row.waiting(), row.why);
    let next = first.map_or(format!("artel status {run}"), |(id, _)| format!("artel retry {run}/{id}"));
    (first.map(|(id, _)| id), title.clone(), why, next)
}

/// Says of what waits for a person's word what it is.
pub(super) fn inbox_of_wait(state: &State, on: Subject, waiting: &Waiting) -> Told {
    let (run, goal) = (&state.opening().run, &state.opening().goal.name);
    let task = match on {
        Subject::Candidate(id) | Subject::Question(Seat::Judge { attempt: id, .. } | Seat::Attempt(id)) => {
            Some(id.task)
        }
        Subject::Gate(_) | Subject::Delivery | Subject::Question(Seat::Planner { .. } | Seat::RunJudge { .. }) => None,
    };
    let title = match on {
        Subject::Question(seat) => titled(state, seat),
        Subject::Gate(_) | Subject::Candidate(_) | Subject::Delivery => {
            task.and_then(|id| state.tasks.get(&id)).map_or(goal, |task| &task.draft.title).clone()
        }
    };
    let next = match on {
        Subject::Candidate(id) => format!("artel approve {run}/{}", id.task),
        Subject::Gate(gate) => format!("artel approve {} --run {run}", words::gate(gate)),
        Subject::Delivery => format!("artel approve delivery --run {run}"),
        Subject::Question(seat) => format!("artel answer {run}/{} ANSWER", asker(seat)),
    };
    (task, title, waiting.words(), next)
}

/// Sorts a run itself into its bucket, with what a person would do.
pub(super) fn inbox_of_run(state: &State, run: &RunId) -> Option<(Bucket, String)> {
    let bucket = match ended(state).class {
        Class::Unopened | Class::Live => return None,
        Class::Done | Class::Denied => Bucket::Finished,
        Class::Incomplete => Bucket::Failed,
        Class::Waits | Class::Stopped | Class::Budget | Class::Trouble => Bucket::NeedsInput,
    };
    // Each candidate or question that waits stands for itself.
    if state.end.is_none() && matches!(state.rest, Some(Rest::Gate(Gate::Landing) | Rest::Question)) {
        return None;
    }
    let next = match (&state.rest, bucket) {
        (Some(Rest::Gate(gate)), _) => format!("artel approve {} --run {run}", words::gate(*gate)),
        (Some(Rest::Budget { .. }), _) => format!("artel resume {run} --attempts N"),
        (Some(Rest::Stopped | Rest::Trouble { .. }), _) => format!("artel resume {run}"),
        (None, Bucket::Finished)
            if state.end == Some(crate::machine::event::End::Done) && state.delivered_head != state.head =>
        {
            format!("artel deliver {run}")
        }
        (Some(Rest::Question) | None, Bucket::NeedsInput | Bucket::Failed | Bucket::Finished) => {
            format!("artel status {run}")
        }
    };
    Some((bucket, next))
}

/// Sorts a task into its bucket, with why and what a person would do.
pub(super) fn inbox_of_task(state: &State, task: &Task, run: &RunId, id: TaskId) -> Option<(Bucket, String, String)> {
    let show = || format!("artel show {run}/{id}");
    match &task.status {
        Status::Waiting | Status::Ready | Status::Running | Status::Judging | Status::Gated | Status::Queued => None,
        // Its planner is about to say.
        Status::Blocked { .. } if state.waits_for_planner(id) => None,
        Status::Blocked { missing } if task.wants.is_some() => {
            Some((Bucket::NeedsInput, format!("asks: {missing}"), format!("artel grant {run}/{id}")))
        }
        Status::Blocked { missing } => {
            Some((Bucket::NeedsInput, format!("missing: {missing}"), format!("artel answer {run}/{id} ANSWER")))
        }
        Status::Kept { why } => Some((Bucket::Failed, why.clone(), show())),
        Status::Landed { commit } => Some((Bucket::Finished, format!("landed as {}", commit.short()), show())),
        Status::Nothing => Some((Bucket::Finished, "there was nothing to do".to_owned(), show())),
        Status::Dropped { reason } => Some((Bucket::Finished, format!("given up: {reason}"), show())),
        Status::Reverted { by } => Some((Bucket::Finished, format!("taken back out by {by}"), show())),
    }
}
