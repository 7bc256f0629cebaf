//! Owns `artel notify`: tries the channels by which people are told of runs. Tells nothing of a run itself.

use clap::Args;

use super::args::Format;
use super::columns::{Cell, Columns};
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::paint::Hue;
use super::seam::{self, Place};

/// Tries the channels of notices.
#[derive(Debug, Args)]
pub struct NotifyArgs {
    /// Channel, as `notify.toml` names it [default: all]
    #[arg(value_name = "CHANNEL")]
    channel: Option<String>,
    #[command(flatten)]
    format: Format,
}

/// Runs the verb.
///
/// # Errors
/// Where `notify.toml` is faulty, there is no such channel, or one did not take the notice.
pub fn notify(out: &Out, args: &NotifyArgs) -> Result<Exit, Fail> {
    let place = Place::open()?;
    let rows = seam::notify(&place, args.channel.as_deref())?;
    if args.format.json {
        out.json(&rows)?;
    } else {
        let mut table = Columns::indented(0);
        for row in &rows {
            let (hue, told) = row.fault.as_deref().map_or((Hue::Good, "took it"), |fault| (Hue::Bad, fault));
            table.row([Cell::new(&row.channel).hue(Hue::Strong), Cell::new(told).hue(hue)]);
        }
        out.lines(table.lines(out.width, out.paint))?;
    }
    Ok(if rows.iter().all(|row| row.fault.is_none()) { Exit::Done } else { Exit::Unfit })
}
