//! Owns `artel gc`: shows what is no longer needed and clears it away.

use clap::Args;

use super::args::RepoFlag;
use super::columns::{Cell, Columns};
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::paint::{Hue, Paint};
use super::seam::{self, Garbage, Place};
use crate::views::words;

/// Clears away what is no longer needed; heads that never landed are kept.
#[derive(Debug, Args)]
pub struct GcArgs {
    /// Only show what would be cleared away
    #[arg(long, short = 'n')]
    dry_run: bool,
    #[command(flatten)]
    repo: RepoFlag,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
///
/// # Errors
/// Where the state directory cannot be read or something cannot be removed.
pub fn gc(out: &Out, args: &GcArgs) -> Result<Exit, Fail> {
    let place = Place::open()?;
    let repo = args.repo.folder();
    let found = if args.dry_run { seam::garbage(&place, repo)? } else { seam::clear(&place, repo)? };
    if args.json {
        out.json(&found)?;
    } else {
        out.lines(lines(&found, args.dry_run, out.width, out.paint))?;
    }
    Ok(Exit::Done)
}

/// Writes what was found.
pub fn lines(found: &[Garbage], is_dry: bool, width: usize, paint: Paint) -> Vec<String> {
    if found.is_empty() {
        return vec!["nothing to clear away".to_owned()];
    }
    let mut table = Columns::indented(0);
    for item in found {
        table.row([
            Cell::new(&item.what),
            Cell::number(words::size(item.bytes)),
            Cell::new(&item.why).hue(Hue::Faint),
            Cell::new(&item.path),
        ]);
    }
    let mut lines = table.lines(width, paint);
    let bytes = words::size(found.iter().map(|item| item.bytes).sum());
    let verb = if is_dry { "would be cleared away" } else { "cleared away" };
    lines.push(paint.on(Hue::Strong, &format!("{}, {bytes}, {verb}", words::count(found.len(), "thing"))));
    lines
}
