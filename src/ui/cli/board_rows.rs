//! Owns the rows of a board that the live view and the board as text share: what stands in each, in which hue. Never lays them
//! out on a page, and never reads a state.

use super::columns::{Cell, Columns, Pieces};
use super::paint::Hue;
use crate::model::ids::AttemptId;
use crate::model::inert::{fit, headline, width_of};
use crate::views::board::{Board, ConditionRow, LandedRow, ScopeRow};
use crate::views::ended::Class;
use crate::views::words;

/// Widest that a progress bar is drawn.
const BAR_AT_MOST: usize = 40;

/// Names the run and its goal, and says how long it has taken, in `width` columns.
pub fn title(board: &Board, width: usize) -> Pieces {
    let name = board.name.as_ref().map(|name| format!("  {name}")).unwrap_or_default();
    let elapsed = words::duration(board.elapsed_ms);
    let room = width.saturating_sub(width_of(&elapsed) + 2);
    let title = headline(&format!("{}{name}  {}", board.run, board.goal), room);
    let pad = " ".repeat(width.saturating_sub(width_of(&title) + width_of(&elapsed)));
    vec![(Hue::Strong, title), (Hue::Plain, pad), (Hue::Faint, elapsed)]
}

/// Says how a run stands; text of people and of the world, hence not inert.
pub fn stands(board: &Board) -> (Hue, &str) {
    let hue = match board.stands.class {
        Class::Live if !board.coordinated => return (Hue::Warning, "nobody works on it: `artel resume` goes on"),
        Class::Live => Hue::Busy,
        Class::Done => Hue::Good,
        Class::Incomplete | Class::Denied | Class::Trouble => Hue::Bad,
        Class::Waits | Class::Stopped | Class::Budget | Class::Unopened => Hue::Warning,
    };
    (hue, &board.stands.words)
}

/// Draws how far a run is in at most `width` columns; nothing before there are tasks.
pub fn progress(board: &Board, width: usize) -> Option<Pieces> {
    let counts = board.counts;
    if counts.total == 0 {
        return None;
    }
    let through = counts.landed + counts.nothing;
    let left = counts.kept + counts.blocked + counts.dropped + counts.reverted;
    let mut told = format!("{through} of {}", counts.total);
    if board.iteration > 1 {
        told.push_str(&format!(" · iteration {}", board.iteration));
    }
    let bar = width.saturating_sub(width_of(&told) + 2).clamp(10, BAR_AT_MOST);
    let cells = |n: u32| (n as usize * bar) / counts.total as usize;
    let (good, bad) = (cells(through), cells(through + left) - cells(through));
    Some(vec![
        (Hue::Good, "━".repeat(good)),
        (Hue::Bad, "╍".repeat(bad)),
        (Hue::Faint, "─".repeat(bar - good - bad)),
        (Hue::Plain, format!("  {}", fit(&told, width.saturating_sub(bar + 2)))),
    ])
}

/// Shows a scope in a row.
pub fn of_scope(row: &ScopeRow) -> [Cell; 5] {
    let hue = match &*row.planner {
        "failed" => Hue::Bad,
        "planning" => Hue::Busy,
        _ => Hue::Faint,
    };
    let left = if row.left > 0 { format!("{} left", row.left) } else { String::new() };
    [
        Cell::new(row.scope.to_string()).hue(Hue::Faint),
        Cell::number(format!("{}/{}", row.through, row.tasks)),
        Cell::new(&*row.planner).hue(hue),
        Cell::new(format!("{}{}", "· ".repeat(row.depth as usize), row.title)),
        Cell::new(left).hue(Hue::Bad),
    ]
}

/// Shows somebody at work in a row: an attempt, or a session that plans or judges.
pub fn of_work(who: String, elapsed_ms: u64, agent: &str, title: &str, last: &str) -> [Cell; 5] {
    let took = Cell::number(words::duration(elapsed_ms));
    [Cell::new(who).hue(Hue::Busy), took, Cell::new(agent), Cell::new(title), Cell::new(last).hue(Hue::Faint)]
}

/// Adds a row for each thing that is between an attempt and the run's branch.
pub fn on_the_way(board: &Board, table: &mut Columns) {
    let joined = |ids: &[AttemptId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if !board.judging.is_empty() {
        table.row([Cell::new("judging"), Cell::new(joined(&board.judging))]);
    }
    if !board.queue.is_empty() {
        table.row([Cell::new("queued"), Cell::new(joined(&board.queue))]);
    }
    if let Some(batch) = &board.batch {
        let told = format!("{}: {}", batch.step, joined(&batch.members));
        table.row([Cell::new(format!("batch {}", batch.batch)).hue(Hue::Busy), Cell::new(told)]);
    }
    if let Some(row) = &board.checking {
        let since = words::duration(words::between_ms(row.since_ms, board.now_ms));
        let line = row.last_line.as_deref().unwrap_or_default();
        table.row([Cell::new("checking"), Cell::new(format!("{}, {since}  {}", row.check, line.trim()))]);
    }
}

/// Shows a landing in a row.
pub fn of_landing(row: &LandedRow) -> [Cell; 4] {
    let files = words::count(row.files as usize, "file");
    let tries = if row.attempts > 1 { format!(", {} attempts", row.attempts) } else { String::new() };
    [
        Cell::new(row.task.to_string()).hue(Hue::Good),
        Cell::new(row.commit.short()).hue(Hue::Warning),
        Cell::new(&row.title),
        Cell::new(format!("{}, {files}{tries}", row.agent)).hue(Hue::Faint),
    ]
}

/// Shows a done-condition in a row.
pub fn of_condition(row: &ConditionRow) -> [Cell; 3] {
    let (hue, word) = match row.holds {
        Some(true) => (Hue::Good, "holds"),
        Some(false) => (Hue::Bad, "does not hold"),
        None => (Hue::Faint, "not looked at"),
    };
    let why = Cell::new(row.why.as_deref().unwrap_or_default()).hue(Hue::Faint);
    [Cell::new(&row.name), Cell::new(word).hue(hue), why]
}
