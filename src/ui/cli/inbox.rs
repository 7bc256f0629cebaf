//! Owns `artel inbox`: what needs a person, failed or is finished, in all runs or one. Sorts nothing itself.

use clap::Args;

use super::args::Format;
use super::exit::Exit;
use super::fail::Fail;
use super::list;
use super::out::Out;

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
    list::show_inbox(out, (args.run.as_deref(), args.all), args.format)
}
