//! Owns `artel retry`: has kept or blocked tasks tried again, and those that wait for a usage limit at once.

use clap::Args;

use super::args::Format;
use super::asking::put_and_tell;
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::pick::{TaskRef, read};
use super::seam::Place;
use crate::machine::command::Ask;

/// Has kept or blocked tasks tried again, and those that wait for a usage limit at once.
#[derive(Debug, Args)]
pub struct RetryArgs {
    /// Tasks, as t12 or RUN/t12
    #[arg(value_name = "TASK", required = true)]
    tasks: Vec<TaskRef>,
    #[command(flatten)]
    format: Format,
}

/// Runs the verb.
///
/// # Errors
/// Where there is no such run or task, or it is neither kept nor blocked and waits for no limit.
pub fn retry(out: &Out, args: &RetryArgs) -> Result<Exit, Fail> {
    let place = Place::open()?;
    for task in &args.tasks {
        let read = read(&place, task.run.as_deref())?;
        let done = format!("{} is tried again", task.task);
        put_and_tell(out, &place, &read, Ask::Retry(task.task), &done, args.format)?;
    }
    Ok(Exit::Done)
}
