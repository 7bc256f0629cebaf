//! Owns `artel list`: runs of all repositories, or what needs a person, sorted into buckets.

use clap::Args;
use jiff::tz::TimeZone;

use super::args::Format;
use super::asked_text;
use super::columns::{Cell, Columns};
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::paint::{Hue, Paint};
use super::seam::{self, Place, RunRow};
use crate::views::inbox::{Bucket, Item};

/// Lists runs, or what needs you.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Show runs and tasks by what they need: input, a look at a failure, or nothing more
    #[arg(long)]
    inbox: bool,
    /// With --inbox: finished tasks too
    #[arg(long, requires = "inbox")]
    all: bool,
    #[command(flatten)]
    format: Format,
}

/// Runs the verb.
///
/// # Errors
/// Where the journal cannot be read.
pub fn list(out: &Out, args: &ListArgs) -> Result<Exit, Fail> {
    if args.inbox {
        return show_inbox(out, (None, args.all), args.format);
    }
    let place = Place::open_read_only()?;
    let runs = seam::runs(&place)?;
    if args.format.json {
        out.json(&runs)?;
    } else {
        out.lines(run_lines(&runs, out.width, out.paint, &TimeZone::system()))?;
    }
    Ok(Exit::Done)
}

/// Shows what of a run, or of all, needs a person, failed or is finished; finished tasks only where all is wanted.
///
/// # Errors
/// Where there is no such run, or the journal cannot be read.
pub fn show_inbox(out: &Out, (run, all): (Option<&str>, bool), format: Format) -> Result<Exit, Fail> {
    let place = Place::open_read_only()?;
    let mut items = match run {
        Some(run) => seam::inbox_of(&place, run)?,
        None if all => seam::whole_inbox(&place)?,
        None => seam::inbox(&place)?,
    };
    items.retain(|item| all || item.is_open());
    items.sort_by_key(|item| item.bucket);
    if format.json {
        out.json(&items)?;
    } else {
        out.lines(inbox_lines(&items, out.width, out.paint))?;
    }
    Ok(Exit::Done)
}

/// Writes runs as a table.
pub fn run_lines(runs: &[RunRow], width: usize, paint: Paint, zone: &TimeZone) -> Vec<String> {
    if runs.is_empty() {
        return vec!["no runs yet: `artel run goal.md` opens one".to_owned()];
    }
    let mut table = Columns::indented(0);
    table.headings(&["run", "opened", "events", "state", "name", "repository"]);
    for row in runs {
        let at = jiff::Timestamp::from_millisecond(row.opened_at_ms).unwrap_or_default().to_zoned(zone.clone());
        let (hue, state) = if row.ended { (Hue::Faint, "ended") } else { (Hue::Busy, "open") };
        table.row([
            Cell::new(row.run.as_str()).hue(Hue::Strong),
            Cell::new(at.strftime("%Y-%m-%d %H:%M").to_string()),
            Cell::number(row.last_seq),
            Cell::new(state).hue(hue),
            Cell::new(row.name.as_deref().unwrap_or("-")),
            Cell::new(row.repo.strip_suffix("/.git").unwrap_or(&row.repo)),
        ]);
    }
    table.lines(width, paint)
}

/// Writes the inbox, bucket by bucket.
pub fn inbox_lines(items: &[Item], width: usize, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    for bucket in [Bucket::NeedsInput, Bucket::Failed, Bucket::Finished] {
        let mut table = Columns::indented(2);
        let items: Vec<&Item> = items.iter().filter(|item| item.bucket == bucket).collect();
        for item in &items {
            let id = item.task.map_or_else(|| item.run.to_string(), |task| format!("{}/{task}", item.run));
            table.row([
                Cell::new(id).hue(Hue::Strong),
                Cell::new(&item.title),
                Cell::new(&item.why),
                Cell::new(&item.next).hue(Hue::Busy),
            ]);
        }
        let rows = table.lines(width, paint);
        if !rows.is_empty() {
            let hue = match bucket {
                Bucket::NeedsInput => Hue::Warning,
                Bucket::Failed => Hue::Bad,
                Bucket::Finished => Hue::Good,
            };
            lines.push(paint.on(hue, &format!("{} ({})", bucket.word(), rows.len())));
            for (row, item) in rows.into_iter().zip(items) {
                let is_delivery = item.waiting.as_ref().is_some_and(|waiting| waiting.branch.is_some());
                let why = if is_delivery { asked_text::below(&item.why, &row, width) } else { Vec::new() };
                lines.push(row);
                lines.extend(why.iter().map(|line| paint.on(Hue::Faint, line)));
            }
        }
    }
    if lines.is_empty() {
        lines.push("nothing needs you".to_owned());
    }
    lines
}
