//! Owns `artel completions`: completions for a shell, made from the command line's own shape.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::args::Cli;
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;

/// Prints completions.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

/// Runs the verb.
///
/// # Errors
/// Where they cannot be written.
pub fn completions(out: &Out, args: &CompletionsArgs) -> Result<Exit, Fail> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "artel", &mut text);
    out.raw(&text)?;
    Ok(Exit::Done)
}
