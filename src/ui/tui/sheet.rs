//! Owns what stands in the live view: the board's head, and its rows in sections, the most pressing first. Makes every
//! text inert; never draws.

use super::subject::Subject;
use crate::model::inert::{fit, headline};
use crate::model::means::Unit;
use crate::model::spend::Usd;
use crate::ui::cli::asked_text;
use crate::ui::cli::board_rows;
use crate::ui::cli::columns::{Cell, Columns, Pieces};
use crate::ui::cli::paint::{Hue, of_status};
use crate::views::board::Board;
use crate::views::cost::Cost;
use crate::views::words;

/// Columns before a row, in which the chosen one is marked.
const INDENT: usize = 2;
/// How many of the last landings are shown at most.
const LANDED: usize = 20;

/// Holds a part of the board under a title.
#[derive(Debug, Clone)]
pub struct Section {
    /// Its title.
    pub title: String,
    /// Its rows.
    pub rows: Vec<Row>,
    /// Whether it stands on the right where there are two columns.
    pub is_right: bool,
}

/// Holds one row.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its text.
    pub pieces: Pieces,
    /// What is chosen with it, if anything.
    pub subject: Option<Subject>,
}

/// Writes the head in at most `width` columns: what the run is, how it stands, how far it is, what it costs.
pub fn head(board: &Board, cost: &Cost, width: usize) -> Vec<Pieces> {
    let mut lines = vec![board_rows::title(board, width), stands(board, width)];
    lines.extend(progress(board, width));
    lines.push(vec![(Hue::Faint, fit(&spent(board, cost), width))]);
    if let Some(eta) = &board.eta {
        lines.push(vec![(Hue::Faint, fit(&format!("about {} more, {}", words::about(eta.ms), eta.basis), width))]);
    }
    lines
}

fn stands(board: &Board, width: usize) -> Pieces {
    let (hue, words) = board_rows::stands(board);
    vec![(hue, headline(words, width))]
}

fn progress(board: &Board, width: usize) -> Vec<Pieces> {
    let Some(line) = board_rows::progress(board, width) else { return Vec::new() };
    let mut told: Pieces = Vec::new();
    for (word, n) in board.counts.by_status().into_iter().rev().filter(|(_, n)| *n > 0) {
        let gap = if told.is_empty() { "" } else { " · " };
        told.push((Hue::Plain, gap.to_owned()));
        told.push((of_status(word), format!("{n} {}", if word == "nothing" { "nothing to do" } else { word })));
    }
    vec![line, told]
}

/// Says what was used of what may be used.
fn spent(board: &Board, cost: &Cost) -> String {
    let budget = &cost.budget;
    let of = |limit: Option<String>| limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
    let nano = cost.total.spend.nano_usd;
    let attempts = if cost.attempts == 1 && budget.attempts.is_none() { "attempt" } else { "attempts" };
    let mut parts = vec![
        format!("spent {}{}", Usd(nano), of(budget.nano_usd.map(|limit| Usd(limit).to_string()))),
        format!("{}{} {attempts}", cost.attempts, of(budget.attempts.map(|limit| limit.to_string()))),
        format!("{}{} of processors", words::duration(board.cpu_ms), of(budget.cpu_s.map(words::limit))),
    ];
    let used = cost.total.spend.means();
    for unit in [Unit::Tokens, Unit::Calls] {
        parts.extend(budget.bounds().of(unit).map(|most| format!("{} of {}", used.of(unit), unit.written(most))));
    }
    if let Some(wall_s) = budget.wall_s {
        parts.push(format!("{} of {}", words::duration(board.elapsed_ms), words::limit(wall_s)));
    }
    parts.join(" · ")
}

/// Lays the board out in sections whose rows take at most `width` columns; those without a row are left out.
pub fn sections(board: &Board, width: usize) -> Vec<Section> {
    let all = [
        needs(board, width),
        running(board, width),
        on_the_way(board, width),
        landed(board, width),
        scopes(board, width),
        conditions(board, width),
    ];
    all.into_iter().filter(|section| !section.rows.is_empty()).collect()
}

fn section(title: &str, is_right: bool, table: &Columns, subjects: &[Option<Subject>], width: usize) -> Section {
    let of = subjects.iter().copied().chain(std::iter::repeat(None));
    let rows = table.pieces(width).into_iter().zip(of).map(|(pieces, subject)| Row { pieces, subject }).collect();
    Section { title: title.to_owned(), rows, is_right }
}

fn needs(board: &Board, width: usize) -> Section {
    let (mut table, mut subjects) = (Columns::indented(INDENT), Vec::new());
    if let Some(gate) = board.gate {
        table.row([
            Cell::new(words::gate(gate)).hue(Hue::Warning),
            Cell::new("gate").hue(Hue::Warning),
            Cell::new("waits for your word"),
        ]);
        subjects.push(Subject::gate(board));
    }
    for row in &board.asked {
        table.row([
            Cell::new(&*row.what).hue(Hue::Warning),
            Cell::new(if row.seat.is_some() { "your answer" } else { "your word" }).hue(Hue::Warning),
            Cell::new(&row.title),
            Cell::new(&row.why),
        ]);
        subjects.push(Subject::asked(row));
    }
    for row in &board.left {
        table.row([
            Cell::new(row.task.to_string()).hue(Hue::Bad),
            Cell::new(&*row.status).hue(of_status(&row.status)),
            Cell::new(&row.title),
            Cell::new(&row.why),
        ]);
        let subject = Subject::Left { task: row.task, is_kept: row.status == "kept" };
        subjects.push(row.can_be_retried().then_some(subject));
    }
    for row in &board.limits {
        let left = words::about(words::between_ms(board.now_ms, row.until_ms));
        table.row([
            Cell::new(row.first.map(|task| task.to_string()).unwrap_or_default()).hue(Hue::Warning),
            Cell::new("limit").hue(Hue::Warning),
            Cell::new(format!("{}, {}, {left} more", row.agent, row.waiting())),
            Cell::new(&row.why),
        ]);
        subjects.push(row.first.map(Subject::Limit));
    }
    for (scope, why) in &board.failed_planners {
        table.row([
            Cell::new(scope.to_string()).hue(Hue::Bad),
            Cell::new("failed").hue(Hue::Bad),
            Cell::new("planner"),
            Cell::new(why),
        ]);
    }
    let mut section = section("needs you", true, &table, &subjects, width);
    let is_delivery = |row: &Row| matches!(row.subject, Some(Subject::Delivery(_)));
    let why = board.asked.iter().find(|row| row.attempt.is_none()).map(|row| &row.why);
    if let Some((at, why)) = section.rows.iter().position(is_delivery).zip(why) {
        let row: String = section.rows[at].pieces.iter().map(|(_, text)| text.as_str()).collect();
        let below = asked_text::below(why, &row, width);
        let below = below.into_iter().map(|line| Row { pieces: vec![(Hue::Faint, line)], subject: None });
        section.rows.splice(at + 1..at + 1, below);
    }
    section
}

fn running(board: &Board, width: usize) -> Section {
    let (mut table, mut subjects) = (Columns::indented(INDENT), Vec::new());
    let mut row = |who: String, elapsed_ms: u64, agent: &str, title: &str, last: &str| {
        table.row(board_rows::of_work(who, elapsed_ms, agent, title, last));
    };
    for it in &board.running {
        let last = it.last_line.as_deref().unwrap_or_default();
        row(it.attempt.to_string(), it.elapsed_ms, &it.agent, &it.title, last);
        subjects.push(Some(Subject::Running(it.attempt.task)));
    }
    board.sitting.iter().for_each(|it| row(it.seat.to_string(), it.elapsed_ms, &it.agent, &it.title, ""));
    section("running", false, &table, &subjects, width)
}

fn on_the_way(board: &Board, width: usize) -> Section {
    let mut table = Columns::indented(INDENT);
    board_rows::on_the_way(board, &mut table);
    section("on the way", false, &table, &[], width)
}

fn landed(board: &Board, width: usize) -> Section {
    let mut table = Columns::indented(INDENT);
    for row in board.landed.iter().rev().take(LANDED) {
        table.row(board_rows::of_landing(row));
    }
    let title = if board.landed.is_empty() { "landed".to_owned() } else { format!("landed ({})", board.landed.len()) };
    section(&title, true, &table, &[], width)
}

fn scopes(board: &Board, width: usize) -> Section {
    let mut table = Columns::indented(INDENT);
    // One scope says no more than the head does.
    for row in board.scopes.iter().filter(|_| board.scopes.len() > 1) {
        table.row(board_rows::of_scope(row));
    }
    section("scopes", false, &table, &[], width)
}

fn conditions(board: &Board, width: usize) -> Section {
    let mut table = Columns::indented(INDENT);
    for row in &board.conditions {
        table.row(board_rows::of_condition(row));
    }
    section("done-conditions", true, &table, &[], width)
}
