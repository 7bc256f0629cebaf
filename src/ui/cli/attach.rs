//! Owns `artel attach`: follows a run to its end from any of its events on, whoever works on it.

use clap::Args;

use super::args::{RunArg, Shown};
use super::exit::Exit;
use super::fail::Fail;
use super::live;
use super::out::Out;
use super::seam::{self, Place};

/// Follows a run to its end, from any event on, also while nobody works on it.
#[derive(Debug, Args)]
pub struct AttachArgs {
    #[command(flatten)]
    run: RunArg,
    /// First event to show, by its number [default: what happens from here on]
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,
    #[command(flatten)]
    shown: Shown,
}

/// Runs the verb; Ctrl-C ends the following and not the run.
///
/// # Errors
/// Where there is no such run, or it cannot be read.
pub fn attach(out: &Out, args: &AttachArgs) -> Result<Exit, Fail> {
    let place = Place::open_read_only()?;
    let run = seam::find(&place, args.run.text())?;
    live::attend(out, &place, &run, args.shown.into(), args.from)
}
