//! Owns `artel steer`: tells the next attempts something.

use clap::Args;

use super::args::{Format, RunFlag};
use super::asking::put_and_tell;
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::pick::{TaskRef, read};
use super::seam::Place;
use crate::machine::command::Ask;

/// Tells the next attempts something.
#[derive(Debug, Args)]
pub struct SteerArgs {
    /// What they are told
    #[arg(value_name = "MESSAGE")]
    message: String,
    /// Only the attempts of this task, as t12 or RUN/t12
    #[arg(long, value_name = "TASK")]
    task: Option<TaskRef>,
    #[command(flatten)]
    run: RunFlag,
    #[command(flatten)]
    format: Format,
}

/// Runs the verb.
///
/// # Errors
/// Where there is no such run or task.
pub fn steer(out: &Out, args: &SteerArgs) -> Result<Exit, Fail> {
    let place = Place::open()?;
    let run = args.task.as_ref().and_then(|task| task.run.as_deref()).or(args.run.text());
    let read = read(&place, run)?;
    let task = args.task.as_ref().map(|task| task.task);
    let whom = task.map_or_else(|| "every next attempt".to_owned(), |task| format!("the next attempt of {task}"));
    let ask = Ask::Steer { task, message: args.message.clone() };
    put_and_tell(out, &place, &read, ask, &format!("{whom} is told"), args.format)
}
