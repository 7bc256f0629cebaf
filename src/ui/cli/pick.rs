//! Owns how runs, tasks and gates are named on the command line. Never reads the journal but to find them.

use std::str::FromStr;

use super::exit::Exit;
use super::fail::Fail;
use super::seam::{self, Place};
use crate::machine::state::State;
use crate::model::goal::Gate;
use crate::model::ids::{RunId, ScopeId, TaskId};
use crate::views::pace::Pace;

/// Names a task: `t12`, or `RUN:t12` or `RUN/t12` where it is not of the newest run of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRef {
    /// The run, as it was written.
    pub run: Option<String>,
    /// The task.
    pub task: TaskId,
}

/// Says that a text names no task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no task: write t12, or RUN/t12 for a task of another run")]
pub struct NotATask(String);

impl FromStr for TaskRef {
    type Err = NotATask;
    fn from_str(text: &str) -> Result<Self, NotATask> {
        let wrong = || NotATask(text.to_owned());
        let (run, task) = match text.rfind(['/', ':']) {
            Some(at) => (Some(&text[..at]), &text[at + 1..]),
            None => (None, text),
        };
        if run.is_some_and(str::is_empty) {
            return Err(wrong());
        }
        // An attempt's name, as boards show it, means its task.
        let task = task.split_once('.').map_or(task, |(task, _)| task);
        Ok(Self { run: run.map(str::to_owned), task: task.parse().map_err(|_| wrong())? })
    }
}

/// Names whoever asked something: a task, whose worker or judge did, a scope, whose planner did, or the run, whose judge did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskerRef {
    /// The run, as it was written.
    pub run: Option<String>,
    /// Who.
    pub asker: Asker,
}

/// Names whoever asked something in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// A task's worker or judge.
    Task(TaskId),
    /// A scope's planner.
    Scope(ScopeId),
    /// The run's judge.
    Run,
}

/// Says that a text names nobody who can ask.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names nobody who asks: write t12, s3 for a planner, run for the run's judge; RUN/t12 in another run")]
pub struct NotAnAsker(String);

impl FromStr for AskerRef {
    type Err = NotAnAsker;
    fn from_str(text: &str) -> Result<Self, NotAnAsker> {
        if let Ok(TaskRef { run, task }) = text.parse() {
            return Ok(Self { run, asker: Asker::Task(task) });
        }
        let wrong = || NotAnAsker(text.to_owned());
        let (run, who) = match text.rfind(['/', ':']) {
            Some(0) => return Err(wrong()),
            Some(at) => (Some(text[..at].to_owned()), &text[at + 1..]),
            None => (None, text),
        };
        let asker = if who == "run" { Asker::Run } else { Asker::Scope(who.parse().map_err(|_| wrong())?) };
        Ok(Self { run, asker })
    }
}

/// Names what a person gives their word on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A gate.
    Gate(Gate),
    /// A task that waits or is kept.
    Task(TaskRef),
    /// Whatever waits in a run.
    Run(String),
}

impl FromStr for Target {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match (text, text.parse()) {
            ("plan", _) => Self::Gate(Gate::Plan),
            ("sweep", _) => Self::Gate(Gate::Sweep),
            ("spend", _) => Self::Gate(Gate::Spend),
            ("delivery", _) => Self::Gate(Gate::Delivery),
            (_, Ok(task)) => Self::Task(task),
            (_, Err(NotATask(_))) => Self::Run(text.to_owned()),
        })
    }
}

/// Holds a run that was read.
#[derive(Debug)]
pub struct Read {
    /// The run.
    pub run: RunId,
    /// Its state.
    pub state: State,
    /// How fast it lands.
    pub pace: Pace,
}

/// Finds a run and folds it.
///
/// # Errors
/// Where there is none, or the journal cannot be read.
pub fn read(place: &Place, text: Option<&str>) -> Result<Read, Fail> {
    let run = seam::find(place, text)?;
    let (state, pace) = seam::load_paced(place, &run)?;
    Ok(Read { run, state, pace })
}

/// Says that a run has no such task.
pub fn no_task(run: &RunId, task: TaskId) -> Fail {
    Fail::new(Exit::Missing, format!("find task {task}"))
        .because(format!("run {run} has no such task"))
        .hint(format!("`artel status {run}` shows its tasks"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_named_alone_or_with_its_run() {
        let of = |run: Option<&str>, task| Ok(TaskRef { run: run.map(str::to_owned), task: TaskId(task) });
        assert_eq!("t12".parse(), of(None, 12));
        assert_eq!("r-7k2m/t3".parse(), of(Some("r-7k2m"), 3));
        assert_eq!("r-7k2m:t3".parse(), of(Some("r-7k2m"), 3));
        assert_eq!("team:TICKET-1:t3".parse(), of(Some("team:TICKET-1"), 3));
        assert_eq!("t12.2".parse(), of(None, 12));
        for wrong in ["", "12", "t", "t-1", "/t1", ":t1", "r/", "t99999999999", "T1"] {
            assert!(wrong.parse::<TaskRef>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn whoever_asks_is_named_by_a_task_a_scope_or_the_run() {
        let of = |run: Option<&str>, asker| Ok(AskerRef { run: run.map(str::to_owned), asker });
        assert_eq!("t12".parse(), of(None, Asker::Task(TaskId(12))));
        assert_eq!("r-7k2m/s3".parse(), of(Some("r-7k2m"), Asker::Scope(ScopeId(3))));
        assert_eq!("team:TICKET-1:run".parse(), of(Some("team:TICKET-1"), Asker::Run));
        for wrong in ["", "12", "s", "/s1", ":run", "r/", "s2/1", "t1/2", "runs"] {
            assert!(wrong.parse::<AskerRef>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_word_is_given_on_a_gate_a_task_or_whatever_waits() {
        assert_eq!("sweep".parse(), Ok(Target::Gate(Gate::Sweep)));
        assert_eq!("t1".parse(), Ok(Target::Task(TaskRef { run: None, task: TaskId(1) })));
        assert_eq!("r-7k2m".parse(), Ok(Target::Run("r-7k2m".to_owned())));
    }
}
