//! Owns `artel notify`: tries the channels by which people are told of runs. Tells nothing of a run itself.

use clap::Args;
use serde::Serialize;

use super::args::Format;
use super::blame::blame;
use super::columns::{Cell, Columns};
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::paint::Hue;
use super::seam::Place;
use crate::app;

/// Tries the channels of notices.
#[derive(Debug, Args)]
pub struct NotifyArgs {
    /// Channel, as `notify.toml` names it [default: all]
    #[arg(value_name = "CHANNEL")]
    channel: Option<String>,
    #[command(flatten)]
    format: Format,
}

/// What became of a notice, for programs.
#[derive(Debug, Serialize)]
struct Became<'a> {
    channel: &'a str,
    /// Why it was not taken; none where it was.
    fault: Option<&'a str>,
}

/// Runs the verb.
///
/// # Errors
/// Where `notify.toml` is faulty, there is no such channel, or one did not take the notice.
pub fn notify(out: &Out, args: &NotifyArgs) -> Result<Exit, Fail> {
    let place = Place::open()?;
    let here = place.here()?;
    let runtime = super::live::runtime()?;
    let became = runtime.block_on(app::try_channels(here, args.channel.as_deref())).map_err(blame)?;
    let file = here.dir.root().join("notify.toml");
    if became.is_empty() {
        let what = args.channel.as_ref().map_or("a channel".to_owned(), |name| format!("the channel `{name}`"));
        return Err(Fail::new(Exit::Missing, format!("find {what}"))
            .because(format!("{} names none", file.display()))
            .hint("docs/notify.md says what stands there"));
    }
    let rows: Vec<Became<'_>> = became
        .iter()
        .map(|(channel, sent)| Became { channel, fault: sent.as_ref().err().map(String::as_str) })
        .collect();
    if args.format.json {
        out.json(&rows)?;
    } else {
        let mut table = Columns::indented(0);
        for row in &rows {
            let (hue, told) = row.fault.map_or((Hue::Good, "took it"), |fault| (Hue::Bad, fault));
            table.row([Cell::new(row.channel).hue(Hue::Strong), Cell::new(told).hue(hue)]);
        }
        out.lines(table.lines(out.width, out.paint))?;
    }
    Ok(if rows.iter().all(|row| row.fault.is_none()) { Exit::Done } else { Exit::Unfit })
}
