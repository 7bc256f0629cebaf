//! Owns `artel approve`: lets a gate pass, or a kept task's candidate land.

use clap::Args;

use super::args::{Format, RunFlag};
use super::asking::put_and_tell;
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::pick::{Read, Target, read};
use super::seam::Place;
use crate::machine::command::Ask;
use crate::model::goal::Gate;
use crate::views::words;

/// Lets a gate pass, or a kept task's candidate land.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// What: plan, sweep, a kept task as t12, or a run [default: the gate that waits]
    #[arg(value_name = "WHAT")]
    what: Option<Target>,
    #[command(flatten)]
    run: RunFlag,
    #[command(flatten)]
    format: Format,
}

/// Names what a person gives their word on, in a run that was read.
pub enum Subject {
    /// A gate.
    Gate(Gate),
    /// A task.
    Task(crate::model::ids::TaskId),
}

/// Runs the verb.
///
/// # Errors
/// Where there is no such run, or it refuses.
pub fn approve(out: &Out, args: &ApproveArgs) -> Result<Exit, Fail> {
    let place = Place::open()?;
    let (read, subject) = subject(&place, args.what.as_ref(), args.run.text())?;
    let (ask, done) = match subject {
        Subject::Gate(gate) => (Ask::Approve(gate), format!("the {} is approved", words::gate(gate))),
        Subject::Task(task) => (Ask::ApproveTask(task), format!("{task} may land, if its checks hold")),
    };
    put_and_tell(out, &place, &read, ask, &done, args.format)
}

/// Finds the run and what in it is meant.
///
/// # Errors
/// Where there is no such run, or nothing in it waits.
pub fn subject(place: &Place, what: Option<&Target>, run: Option<&str>) -> Result<(Read, Subject), Fail> {
    match what {
        Some(Target::Gate(gate)) => Ok((read(place, run)?, Subject::Gate(*gate))),
        Some(Target::Task(task)) => Ok((read(place, task.run.as_deref().or(run))?, Subject::Task(task.task))),
        Some(Target::Run(text)) => waiting(read(place, Some(text))?),
        None => waiting(read(place, run)?),
    }
}

fn waiting(read: Read) -> Result<(Read, Subject), Fail> {
    match read.state.waiting {
        Some(gate) => Ok((read, Subject::Gate(gate))),
        None => Err(Fail::new(Exit::Refused, format!("give your word in {}", read.run))
            .because("nothing waits for it")
            .hint("name a kept task, as t12, to let its candidate land or to give it up")),
    }
}
