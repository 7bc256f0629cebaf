//! Owns `artel inbox`: what needs a person, failed or is finished, in all runs or one. Sorts nothing itself.

use clap::Args;

use super::args::Format;
use super::exit::Exit;
use super::fail::Fail;
use super::list;
use super::out::Out;
use super::seam::{self, Place};

/// Shows what needs you.
#[derive(Debug, Args)]
pub struct InboxArgs {
    /// Run, by id, a unique beginning of it, or its name [default: all runs]
    #[arg(value_name = "RUN")]
    run: Option<String>,
    /// Finished tasks too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    format: Format,
}

/// Runs the verb.
///
/// # Errors
/// Where there is no such run, or the journal cannot be read.
pub fn inbox(out: &Out, args: &InboxArgs) -> Result<Exit, Fail> {
    let place = Place::open_read_only()?;
    let runs = match &args.run {
        Some(text) => vec![seam::find(&place, Some(text))?],
        None => seam::runs(&place)?.into_iter().map(|row| row.run).collect(),
    };
    list::show_inbox(out, &place, &runs, args.all, args.format)
}
