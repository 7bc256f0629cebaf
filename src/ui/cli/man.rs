//! Owns `artel man`: manual pages, made from the command line's own shape.

use std::path::PathBuf;

use clap::Args;

use super::examples;
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;

/// Writes manual pages.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Folder to write them to, one for each verb; it is made where it is not there
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Runs the verb.
///
/// # Errors
/// Where they cannot be written.
pub fn man(out: &Out, args: &ManArgs) -> Result<Exit, Fail> {
    let failed = |error| Fail::new(Exit::Unfit, format!("write manual pages to {}", args.dir.display())).because(error);
    std::fs::create_dir_all(&args.dir).map_err(failed)?;
    clap_mangen::generate_to(examples::command(), &args.dir).map_err(failed)?;
    out.remark(&format!("`man -l {}` shows the first of them", args.dir.join("artel.1").display()));
    Ok(Exit::Done)
}
