//! Owns `artel verify`: whether a run's journal is what was appended, and what landed is what was checked.

use clap::Args;

use super::args::{Format, RunArg};
use super::columns::{Cell, Columns};
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::paint::{Hue, Paint};
use super::seam::{self, Place};
use crate::app::{Finding, Proof};
use crate::model::inert::inert;

/// Looks whether a run's journal proves what it holds.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    run: RunArg,
    /// Hold the journal against this ref or commit, such as one that was fetched [default: the run's anchor]
    #[arg(long, value_name = "REF")]
    anchor: Option<String>,
    #[command(flatten)]
    format: Format,
}

/// Runs the verb; a journal that proves too little is no failure of the look, and the exit code says so.
///
/// # Errors
/// Where there is no such run, or the journal's file cannot be read.
pub fn verify(out: &Out, args: &VerifyArgs) -> Result<Exit, Fail> {
    let place = Place::open_read_only()?;
    let run = seam::find(&place, args.run.text())?;
    let proof = seam::verify(&place, &run, args.anchor.as_deref())?;
    if args.format.json {
        out.json(&proof)?;
    } else {
        out.lines(lines(&proof, out.width, out.paint))?;
    }
    Ok(if proof.flaws.is_empty() { Exit::Done } else { Exit::Unproven })
}

/// Writes what is proven, then each flaw with where it is.
pub fn lines(proof: &Proof, width: usize, paint: Paint) -> Vec<String> {
    let mut table = Columns::indented(0);
    let mut row = |name: &str, told: String| table.row([Cell::new(name), Cell::new(&told)]);
    row(
        "events",
        match proof.unlinked {
            0 => format!("{}, each bound to all before it", proof.events),
            some => format!("{}; the first {some} are older than the chain", proof.events),
        },
    );
    let up_to = |count: u64, to: u64| match count {
        0 => "none yet".to_owned(),
        _ => format!("{count}, sound up to event {to}"),
    };
    row("checkpoints", up_to(proof.checkpoints, proof.checkpointed_to));
    row("anchored", up_to(proof.anchors, proof.anchored_to));
    row("anchor", proof.anchor.clone());
    row("key", proof.key.clone().unwrap_or_else(|| "none".to_owned()));
    row("landed", format!("{} commits", proof.landed));
    row(
        "transcripts",
        match (proof.transcripts, proof.transcripts_are_cleared) {
            (0, _) => "none".to_owned(),
            (some, false) => format!("{some}, as the journal has them"),
            (some, true) => format!("{some} that were cleared away"),
        },
    );
    let mut lines = table.lines(width, paint);
    for wrong in &proof.flaws {
        lines.push(format!("{} {}", paint.on(Hue::Bad, "wrong:"), sentence(wrong)));
    }
    if let Some(tail) = &proof.unsealed {
        lines.push(sentence(tail));
    }
    let holds = "all that was looked at is as it was stored, signed and checked";
    if proof.flaws.is_empty() {
        lines.push(paint.on(Hue::Good, holds));
    }
    lines
}

fn sentence(found: &Finding) -> String {
    let what = inert(&found.what);
    match (found.from, found.to) {
        (Some(from), Some(to)) if from == to => format!("event {from}: {what}"),
        (Some(from), Some(to)) => format!("events {from} to {to}: {what}"),
        (Some(_) | None, _) => what,
    }
}
