//! Owns `artel revert`: takes a landed task back out of the run's branch; the checks run again.

use clap::Args;

use super::args::Format;
use super::asking::{Answer, put, tell};
use super::exit::Exit;
use super::fail::Fail;
use super::live;
use super::out::Out;
use super::pick::{TaskRef, read};
use super::seam::{self, Place};
use crate::machine::command::Ask;

/// Takes a landed task back out.
#[derive(Debug, Args)]
pub struct RevertArgs {
    /// Task, as t12 or RUN/t12
    #[arg(value_name = "TASK")]
    task: TaskRef,
    #[command(flatten)]
    format: Format,
}

/// Runs the verb; where nobody works on the run, this process carries the revert out.
///
/// # Errors
/// Where there is no such run or task, or it has not landed.
pub fn revert(out: &Out, args: &RevertArgs) -> Result<Exit, Fail> {
    let place = Place::open()?;
    let read = read(&place, args.task.run.as_deref())?;
    let answer = put(&place, &read.run, &read.state, Ask::Revert(args.task.task))?;
    if answer == Answer::Stored && !seam::is_answered(&place, &read.run) {
        return live::host(out, &place, &read.run, args.format.into());
    }
    let task = args.task.task;
    let told = format!("a task that takes {task} back out is queued: `artel watch {}` follows it", read.run);
    tell(out, &read.run, answer, &told, args.format)
}
