//! Owns `artel cost`: what a run has cost, by agent and by role.

use clap::Args;

use super::args::{Format, RunArg};
use super::columns::{Cell, Columns};
use super::exit::Exit;
use super::fail::Fail;
use super::out::Out;
use super::paint::{Hue, Paint};
use super::pick::read;
use super::seam::Place;
use crate::model::goal::Budget;
use crate::model::inert::inert;
use crate::model::login::AS_TOLD;
use crate::model::means::Bounds;
use crate::model::spend::{Spend, Usd};
use crate::views::cost::{Cost, CostRow, cost as cost_view};
use crate::views::words;

/// Shows what a run has cost.
#[derive(Debug, Args)]
pub struct CostArgs {
    #[command(flatten)]
    run: RunArg,
    #[command(flatten)]
    format: Format,
}

/// Runs the verb.
///
/// # Errors
/// Where there is no such run, or the journal cannot be read.
pub fn cost(out: &Out, args: &CostArgs) -> Result<Exit, Fail> {
    let place = Place::open_read_only()?;
    let read = read(&place, args.run.text())?;
    let Some(view) = cost_view(&read.state) else {
        return Err(Fail::new(Exit::Missing, format!("read run {}", read.run)).because("it is not open"));
    };
    if args.format.json {
        out.json(&view)?;
    } else {
        out.lines(lines(&view, out.width, out.paint))?;
    }
    Ok(Exit::Done)
}

/// Writes the cost as a table.
pub fn lines(view: &Cost, width: usize, paint: Paint) -> Vec<String> {
    let mut table = Columns::indented(0);
    let has_calls = view.total.spend != Spend::default();
    let mut headings = vec!["of", "count", "wall", "processor", "output", "leaked"];
    if has_calls {
        headings.extend(["calls", "tokens in", "cached", "out", "money"]);
    }
    table.headings(&headings);
    let mut add = |row: &CostRow, hue| {
        let mut cells = vec![
            Cell::new(&row.of).hue(hue),
            Cell::number(row.count),
            Cell::number(words::duration(row.usage.wall_ms)),
            Cell::number(words::duration(row.usage.cpu_ms)),
            Cell::number(words::size(row.usage.output_bytes)),
            Cell::number(row.usage.leaked),
        ];
        if has_calls {
            let Spend { calls, tokens, nano_usd, .. } = row.spend;
            cells
                .extend([calls, tokens.input + tokens.cache_write, tokens.cache_read, tokens.output].map(Cell::number));
            cells.push(Cell::number(Usd(nano_usd)));
        }
        table.row(cells);
    };
    view.by_agent.iter().for_each(|row| add(row, Hue::Plain));
    add(&view.total, Hue::Strong);
    for row in &view.by_role {
        let of = format!("role {}", row.of);
        add(&CostRow { of, ..row.clone() }, Hue::Faint);
    }
    let mut lines = table.lines(width, paint);
    for row in view.by_agent.iter().filter(|row| row.spend.told > 0) {
        let sessions = words::count(usize::try_from(row.spend.told).unwrap_or(usize::MAX), "session");
        let lacks = match (row.spend.tokens.total(), row.spend.nano_usd) {
            (0, 0) => ", which told nothing: counted as nothing",
            (_, 0) => ", which told no price: counted as none",
            (_, _) => "",
        };
        lines.push(paint.on(Hue::Faint, &format!("{AS_TOLD}: {sessions} of {}{lacks}", inert(&row.of))));
    }
    if view.held_nano_usd > 0 {
        let held = Usd(view.held_nano_usd);
        lines.push(paint.on(Hue::Faint, &format!("{held} held for calls to models that are not told yet")));
    }
    let budget = &view.budget;
    let of = budget.attempts.map(|limit| format!(" of {limit}")).unwrap_or_default();
    let mut limits = vec![format!("{}{of} attempts", view.attempts)];
    if let Some(s) = budget.cpu_s {
        limits.push(format!("{} of processor time", words::limit(s)));
    }
    limits.extend(budget.bounds().written());
    if let Some(s) = budget.wall_s {
        limits.push(format!("{} of wall time", words::limit(s)));
    }
    let of = |holder: &str, bounds: &Bounds| {
        bounds.written().into_iter().map(|most| format!("{most} for {holder}")).collect()
    };
    limits.extend::<Vec<String>>(of("each task", &budget.task));
    for (role, bounds) in &budget.roles {
        limits.extend::<Vec<String>>(of(&format!("role {}", inert(role)), bounds));
    }
    let unlimited = if *budget == Budget::default() { "; no limit is set" } else { "" };
    lines.push(paint.on(Hue::Faint, &format!("budget: {}{unlimited}", limits.join(", "))));
    lines
}
