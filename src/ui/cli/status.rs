//! Owns `artel status`: the board of a run, and its timeline.

use clap::Args;

use super::args::{Format, RunArg};
use super::board_text::{Depth, board as board_lines, glance as glance_lines};
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::paint::{Hue, Paint};
use super::pick::read;
use super::seam::{self, Place};
use crate::views::board::board;
use crate::views::timeline::{Mark, Timeline, timeline};
use crate::views::words;

/// Shows where a run stands.
#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    run: RunArg,
    /// Show attempts by worker slot over time
    #[arg(long)]
    timeline: bool,
    #[command(flatten)]
    format: Format,
}

/// Runs the verb.
///
/// # Errors
/// Where there is no such run, or the journal cannot be read.
pub fn status(out: &Out, args: &StatusArgs) -> Result<Exit, Fail> {
    let place = Place::open_read_only()?;
    if !args.timeline && !args.format.json {
        let run = seam::find(&place, args.run.text())?;
        if let Some(glance) = seam::glance(&place, &run)? {
            out.lines(glance_lines(&glance, Depth::FULL, out.width, out.paint))?;
            return Ok(Exit::Done);
        }
    }
    let read = read(&place, args.run.text())?;
    let nothing = || Fail::new(Exit::Missing, format!("read run {}", read.run)).because("it is not open");
    if args.timeline {
        let timeline = timeline(&read.state, seam::now_ms()).ok_or_else(nothing)?;
        if args.format.json {
            out.json(&timeline)?;
        } else {
            out.lines(timeline_lines(&timeline, out.width, out.paint))?;
        }
        return Ok(Exit::Done);
    }
    let view = board(&read.state, &seam::outside(&place, &read.run, &read.state, &read.pace)).ok_or_else(nothing)?;
    if args.format.json {
        out.json(&view)?;
    } else {
        out.lines(board_lines(&view, Depth::FULL, out.width, out.paint))?;
    }
    Ok(Exit::Done)
}

/// Draws the timeline, one line a worker slot.
pub fn timeline_lines(timeline: &Timeline, width: usize, paint: Paint) -> Vec<String> {
    let room = width.saturating_sub(4).max(10);
    let span = words::between_ms(timeline.from_ms, timeline.to_ms).max(1);
    let column = |at_ms: i64| (words::between_ms(timeline.from_ms, at_ms) * room as u64 / span) as usize;
    let mut lines = Vec::new();
    for (number, slot) in (1..).zip(&timeline.slots) {
        let mut line = format!("{number:>2}  ");
        let mut at = 0;
        for bar in slot {
            let start = column(bar.start_ms).max(at).min(room);
            let end = column(bar.end_ms).clamp((start + 1).min(room), room);
            line.push_str(&" ".repeat(start - at));
            let (hue, fill) = marked(bar.mark);
            let name = bar.attempt.to_string();
            let name = if name.len() < end - start { name } else { String::new() };
            let rest = fill.to_string().repeat(end - start - name.len());
            line.push_str(&paint.on(hue, &format!("{name}{rest}")));
            at = end;
        }
        lines.push(line.trim_end().to_owned());
    }
    let total = words::duration(span);
    lines.push(paint.on(Hue::Faint, &format!("    0{total:>width$}", width = room - 1)));
    let legend = [Mark::Landed, Mark::Candidate, Mark::Running, Mark::Nothing, Mark::Failed, Mark::Lost];
    let legend = legend.map(|mark| {
        let (hue, fill) = marked(mark);
        paint.on(hue, &format!("{fill} {}", mark.word()))
    });
    lines.push(format!("    {}", legend.join("  ")));
    lines
}

fn marked(mark: Mark) -> (Hue, char) {
    match mark {
        Mark::Landed => (Hue::Good, '━'),
        Mark::Candidate => (Hue::Plain, '─'),
        Mark::Running => (Hue::Busy, '┄'),
        Mark::Nothing => (Hue::Faint, '·'),
        Mark::Failed => (Hue::Bad, '×'),
        Mark::Lost => (Hue::Warning, '?'),
    }
}
