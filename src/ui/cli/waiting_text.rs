//! Owns the rows of a board that tell what waits, and for what.

use super::columns::{Cell, Columns};
use super::paint::Hue;
use crate::views::board::Board;
use crate::views::words;

/// Lists the files that are being split.
pub(super) fn frozen(board: &Board) -> Columns {
    let mut table = Columns::indented(2);
    for row in &board.frozen {
        table.row([
            Cell::new(row.paths.join(", ")).hue(Hue::Warning),
            Cell::new(format!("by {}", row.by)),
            Cell::new(words::count(row.tasks as usize, "task")),
            Cell::new(&row.title).hue(Hue::Faint),
        ]);
    }
    table
}

/// Lists the agents that wait for a limit.
pub(super) fn limits(board: &Board) -> Columns {
    let mut table = Columns::indented(2);
    for row in &board.limits {
        let left = words::about(words::between_ms(board.now_ms, row.until_ms));
        table.row([
            Cell::new(&row.agent).hue(Hue::Warning),
            Cell::new(row.waiting()),
            Cell::new(format!("until {}, {left} more", words::moment(row.until_ms))),
            Cell::new(&row.why).hue(Hue::Faint),
        ]);
    }
    table
}
