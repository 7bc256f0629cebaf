//! Owns `artel stop`: drains a run, or stops it at once.

use clap::Args;

use super::args::{Format, RunArg};
use super::asking::put_and_tell;
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::pick::read;
use super::seam::Place;
use crate::machine::command::Ask;

/// Stops a run.
#[derive(Debug, Args)]
pub struct StopArgs {
    #[command(flatten)]
    run: RunArg,
    /// End what runs at once; it is tried again after `artel resume`
    #[arg(long)]
    now: bool,
    #[command(flatten)]
    format: Format,
}

/// Runs the verb.
///
/// # Errors
/// Where there is no such run, or it has ended.
pub fn stop(out: &Out, args: &StopArgs) -> Result<Exit, Fail> {
    let place = Place::open()?;
    let read = read(&place, args.run.text())?;
    let (ask, done) = if args.now {
        (Ask::Stop, "stopping at once".to_owned())
    } else {
        (Ask::Drain, format!("stopping; what runs is finished first: `artel watch {}` follows it", read.run))
    };
    put_and_tell(out, &place, &read, ask, &done, args.format)
}
