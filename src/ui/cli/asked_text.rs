//! Owns how a board tells what waits for a person's word, and which command gives it. Never reads a state.

use super::columns::{Cell, Columns};
use super::paint::Hue;
use crate::views::board::Board;
use crate::views::words;

/// How many things are shown.
const SHOWN: usize = 8;

/// Tells what waits, and how many more do; nothing where nothing does.
pub fn table(board: &Board) -> Option<(Columns, usize)> {
    if board.asked.is_empty() {
        return None;
    }
    let mut table = Columns::indented(2);
    for row in board.asked.iter().take(SHOWN) {
        table.row([Cell::new(&row.what).hue(Hue::Warning), Cell::new(&row.title), Cell::new(&row.why).hue(Hue::Faint)]);
    }
    Some((table, board.asked.len().max(board.counts.gated as usize).saturating_sub(SHOWN)))
}

/// Names the commands by which a word is given, and what each brings.
pub fn next(board: &Board) -> Vec<(String, String)> {
    let run = &board.run;
    let mut next = Vec::new();
    if let Some(gate) = board.gate {
        let gate = words::gate(gate);
        next.push((format!("artel approve {gate} --run {run}"), format!("let the {gate} pass")));
    }
    if let Some(row) = board.asked.first() {
        let command = match row.what.as_str() {
            "delivery" => format!("artel approve delivery --run {run}"),
            task => format!("artel approve {run}/{task}"),
        };
        next.push((command, "let it go on; `artel deny` refuses it".to_owned()));
    }
    next
}
