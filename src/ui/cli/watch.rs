//! Owns `artel watch`: follows a run that another process works on, for as long as it does.

use clap::Args;

use super::args::{RunArg, Shown};
use super::exit::Exit;
use super::fail::Fail;
use super::live;
use super::out::Out;
use super::seam::{self, Place};

/// Follows a run until it rests or ends, or nobody works on it any more.
#[derive(Debug, Args)]
pub struct WatchArgs {
    #[command(flatten)]
    run: RunArg,
    #[command(flatten)]
    shown: Shown,
}

/// Runs the verb; Ctrl-C ends the watching and not the run.
///
/// # Errors
/// Where there is no such run, or the journal cannot be read.
pub fn watch(out: &Out, args: &WatchArgs) -> Result<Exit, Fail> {
    let place = Place::open_read_only()?;
    let run = seam::find(&place, args.run.text())?;
    let shape = args.shown.into();
    live::watch(out, &place, &run, shape)
}
