//! Owns `artel deny`: refuses at a gate, or gives a kept task up.

use clap::Args;

use super::approve::{Subject, subject};
use super::args::{Format, RunFlag};
use super::asking::put_and_tell;
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::pick::Target;
use super::seam::Place;
use crate::machine::command::Ask;
use crate::views::words;

/// Refuses at a gate, or gives a kept task up.
#[derive(Debug, Args)]
pub struct DenyArgs {
    /// What: plan, sweep, a kept task as t12, or a run [default: the gate that waits]
    #[arg(value_name = "WHAT")]
    what: Option<Target>,
    /// Why; it is kept with the run
    #[arg(long, short = 'm', value_name = "TEXT", default_value = "no reason was given")]
    reason: String,
    #[command(flatten)]
    run: RunFlag,
    #[command(flatten)]
    format: Format,
}

/// Runs the verb.
///
/// # Errors
/// Where there is no such run, or it refuses.
pub fn deny(out: &Out, args: &DenyArgs) -> Result<Exit, Fail> {
    let place = Place::open()?;
    let (read, subject) = subject(&place, args.what.as_ref(), args.run.text())?;
    let reason = args.reason.clone();
    let (ask, done) = match subject {
        Subject::Gate(gate) => (Ask::Deny { gate, reason }, format!("the {} is refused", words::gate(gate))),
        Subject::Task(task) => (Ask::DenyTask { task, reason }, format!("{task} is given up")),
    };
    put_and_tell(out, &place, &read, ask, &done, args.format)
}
