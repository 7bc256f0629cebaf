//! Owns `artel diff`: what a task's last candidate changes.

use std::io::IsTerminal;

use clap::Args;
use serde::Serialize;

use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::paint::{Hue, Paint};
use super::pick::{TaskRef, no_task};
use super::seam::{self, Place};
use crate::model::inert::inert_lines;

/// Shows what a task's last candidate changes.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Task, as t12 or RUN/t12
    #[arg(value_name = "TASK")]
    task: TaskRef,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct DiffJson {
    run: String,
    task: String,
    patch: String,
}

/// Runs the verb. A pipe gets the patch byte for byte, a terminal gets it inert.
///
/// # Errors
/// Where there is no such run or task, or it has no candidate.
pub fn diff(out: &Out, args: &DiffArgs) -> Result<Exit, Fail> {
    let place = Place::open_read_only()?;
    let run = seam::find(&place, args.task.run.as_deref())?;
    let task = args.task.task;
    if !seam::load(&place, &run)?.0.tasks.contains_key(&task) {
        return Err(no_task(&run, task));
    }
    let patch = seam::patch(&place, &run, task)?;
    if args.json {
        out.json(&DiffJson { run: run.to_string(), task: task.to_string(), patch })?;
    } else if std::io::stdout().is_terminal() {
        out.lines(lines(&patch, out.paint))?;
    } else {
        out.raw(patch.as_bytes())?;
    }
    Ok(Exit::Done)
}

/// Colours a patch for a terminal.
pub fn lines(patch: &str, paint: Paint) -> Vec<String> {
    let shown = inert_lines(patch);
    let hue = |line: &str| match line.as_bytes() {
        [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => Hue::Strong,
        [b'd', b'i', b'f', b'f', ..] => Hue::Strong,
        [b'+', ..] => Hue::Good,
        [b'-', ..] => Hue::Bad,
        [b'@', b'@', ..] => Hue::Busy,
        _ => Hue::Plain,
    };
    shown.lines().map(|line| paint.on(hue(line), line)).collect()
}
