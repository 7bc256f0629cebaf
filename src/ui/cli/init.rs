//! Owns the verb `artel init`: says what was laid down and what was left alone. Never chooses what is.

use clap::Args;

use super::args::Format;
use super::columns::{Cell, Columns};
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::paint::Hue;
use super::seam;

/// Lays down artel.toml, an example goal with its rule and ignore lines.
#[derive(Debug, Args)]
pub struct InitArgs {
    #[command(flatten)]
    format: Format,
}

/// Runs the verb.
///
/// # Errors
/// Where the working directory is no repository or cannot be written.
pub fn init(out: &Out, args: &InitArgs) -> Result<Exit, Fail> {
    let laid = seam::init()?;
    if args.format.json {
        out.json(&laid)?;
        return Ok(Exit::Done);
    }
    let mut table = Columns::indented(0);
    for file in &laid {
        let (hue, word) = if file.written { (Hue::Good, "written") } else { (Hue::Faint, "left alone") };
        table.row([Cell::new(word).hue(hue), Cell::new(&file.path)]);
    }
    out.lines(table.lines(out.width, out.paint))?;
    out.line("next: write the goal, look at its plan with `artel plan goal.md`, then `artel run goal.md`")?;
    Ok(Exit::Done)
}
