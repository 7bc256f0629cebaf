//! Owns `artel grant`: lets a task change what it has asked for beside what it owns, or does not.

use clap::Args;

use super::args::Format;
use super::asking::put_and_tell;
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::pick::{TaskRef, read};
use super::seam::Place;
use crate::machine::command::Ask;

/// Lets a task change what it has asked for beside what it owns, or says why not.
#[derive(Debug, Args)]
pub struct GrantArgs {
    /// The task, as t12 or RUN/t12
    #[arg(value_name = "TASK")]
    task: TaskRef,
    /// Why it may; the task is told
    #[arg(long, short = 'm', value_name = "TEXT", default_value = "a person has looked at it")]
    reason: String,
    /// Do not let it, for this reason; the task is told and tried again within its own paths
    #[arg(long, value_name = "TEXT", conflicts_with = "reason")]
    refuse: Option<String>,
    #[command(flatten)]
    format: Format,
}

/// Runs the verb.
///
/// # Errors
/// Where there is no such run or task, or it asks for nothing.
pub fn grant(out: &Out, args: &GrantArgs) -> Result<Exit, Fail> {
    let place = Place::open()?;
    let read = read(&place, args.task.run.as_deref())?;
    let task = args.task.task;
    let (granted, reason, done) = match &args.refuse {
        None => (true, &args.reason, format!("{task} may, and goes on")),
        Some(why) => (false, why, format!("{task} may not, and is told why")),
    };
    let ask = Ask::AnswerScope { task, granted, reason: reason.clone() };
    put_and_tell(out, &place, &read, ask, &done, args.format)
}
