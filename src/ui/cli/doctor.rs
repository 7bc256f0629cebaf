//! Owns `artel doctor`: says whether this machine and repository are fit, and what to do where they are not.

use clap::Args;

use super::args::{Format, RepoFlag};
use super::columns::{Cell, Columns};
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::paint::{Hue, Paint};
use super::seam::{self, Fact, Fit};
use crate::model::inert::fit;

/// Looks whether this machine and repository are fit.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Look through every run of the journal, explain what is damaged, and drop caches that do not fit; no event is
    /// ever changed
    #[arg(long, conflicts_with = "repo")]
    repair: bool,
    #[command(flatten)]
    repo: RepoFlag,
    #[command(flatten)]
    format: Format,
}

/// Runs the verb; something unfit is no failure of the look, but of the machine, and the exit code says so.
///
/// # Errors
/// Where the answer cannot be written.
pub fn doctor(out: &Out, args: &DoctorArgs) -> Result<Exit, Fail> {
    let facts = if args.repair { seam::repair()? } else { seam::facts(args.repo.folder())? };
    if args.format.json {
        out.json(&facts)?;
    } else {
        out.lines(lines(&facts, out.width, out.paint))?;
    }
    let is_unfit = facts.iter().any(|fact| fact.fit == Fit::Unfit);
    Ok(if is_unfit { Exit::Unfit } else { Exit::Done })
}

/// Writes the facts as a table, each with what to do about it below.
pub fn lines(facts: &[Fact], width: usize, paint: Paint) -> Vec<String> {
    let mut table = Columns::indented(0);
    for fact in facts {
        let (hue, word) = match fact.fit {
            Fit::Good => (Hue::Good, "good"),
            Fit::Weak => (Hue::Warning, "weak"),
            Fit::Unfit => (Hue::Bad, "unfit"),
        };
        table.row([Cell::new(word).hue(hue), Cell::new(&fact.name), Cell::new(&fact.found)]);
    }
    let mut lines = Vec::new();
    for (row, fact) in table.lines(width, paint).into_iter().zip(facts) {
        lines.push(row);
        if let Some(advice) = &fact.advice {
            lines.push(paint.on(Hue::Faint, &format!("       → {}", fit(advice, width.saturating_sub(9)))));
        }
    }
    lines
}
