//! Owns how a board tells what waits for a person's word, and which command gives it. Never reads a state.

use super::columns::{Cell, Columns};
use super::paint::Hue;
use super::wrapped::wrapped;
use crate::model::inert::headline;
use crate::views::board::Board;
use crate::views::words;

/// How many things are shown.
const SHOWN: usize = 8;
/// How far what stands below a row is set in, how many lines it has at most, and from which length on a text is too long for
/// any row.
const INDENT: usize = 7;
const LINES: usize = 6;
const LONGEST: usize = 400;

/// Tells what waits, and how many more do; nothing where nothing does.
pub fn table(board: &Board) -> Option<(Columns, usize)> {
    if board.asked.is_empty() {
        return None;
    }
    let mut table = Columns::indented(2);
    for row in board.asked.iter().take(SHOWN) {
        table.row([Cell::new(&row.what).hue(Hue::Warning), Cell::new(&row.title), Cell::new(&row.why).hue(Hue::Faint)]);
    }
    // A board names no more than a part of very many candidates.
    let questions = board.asked.iter().filter(|row| row.seat.is_some()).count();
    let all = board.asked.len().max(board.counts.gated as usize + questions);
    Some((table, all.saturating_sub(SHOWN)))
}

/// Says below a delivery's row why it waits, where the row had no room for that: what kept it from going out is said nowhere
/// else.
pub fn below(why: &str, row: &str, width: usize) -> Vec<String> {
    let room = width.saturating_sub(INDENT).max(1);
    if row.contains(&headline(why, LONGEST)) {
        return Vec::new();
    }
    let lines = wrapped(&headline(why, LINES * room), room);
    lines.into_iter().map(|line| format!("{}{line}", " ".repeat(INDENT))).collect()
}

/// Says below the rows of [`table`] why a delivery waits, which comes last.
pub fn below_table(board: &Board, rows: &[String], width: usize) -> Vec<String> {
    let last = board.asked.last().filter(|row| row.what == "delivery" && board.asked.len() == rows.len());
    let of_last = last.zip(rows.last());
    of_last.map(|(asked, row)| below(&asked.why, row, width)).unwrap_or_default()
}

/// Names the commands by which a word is given, and what each brings.
pub fn next(board: &Board) -> Vec<(String, String)> {
    let run = &board.run;
    let mut next = Vec::new();
    if let Some(gate) = board.gate {
        let gate = words::gate(gate);
        next.push((format!("artel approve {gate} --run {run}"), format!("let the {gate} pass")));
    }
    if let Some(row) = board.asked.iter().find(|row| row.seat.is_none()) {
        let command = match row.what.as_str() {
            "delivery" => format!("artel approve delivery --run {run}"),
            task => format!("artel approve {run}/{task}"),
        };
        next.push((command, "let it go on; `artel deny` refuses it".to_owned()));
    }
    if let Some(row) = board.asked.iter().find(|row| row.seat.is_some()) {
        next.push((format!("artel answer {run}/{} ANSWER", row.what), "answer what it asks".to_owned()));
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inert::width_of;

    #[test]
    fn a_reason_stands_whole_below_a_row_that_had_no_room_for_it() {
        let why = "every delivery waits; it had its word and did not go out: cargo test is red on the merge with main";
        assert!(below(why, &format!("  delivery  main  {why}"), 120).is_empty());
        let lines = below(why, "  delivery  main  every deliv…", 40);
        assert!(lines.len() > 2 && lines.iter().all(|line| width_of(line) <= 40), "{lines:?}");
        assert_eq!(lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" "), why);
        assert!(below("a\u{1b}[2J", "x", 40).concat().contains("\\x1b[2J"), "it is inert");
    }
}
