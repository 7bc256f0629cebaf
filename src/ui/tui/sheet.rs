//! Owns what stands in the live view: the board's head, and its rows in sections, the most pressing first. Makes every
//! text inert; never draws.

use super::subject::Subject;
use crate::model::ids::AttemptId;
use crate::model::inert::{fit, headline, width_of};
use crate::model::spend::Usd;
use crate::ui::cli::board_text::of_scope;
use crate::ui::cli::columns::{Cell, Columns, Pieces};
use crate::ui::cli::paint::{Hue, of_status};
use crate::views::board::Board;
use crate::views::cost::Cost;
use crate::views::ended::Class;
use crate::views::words;

/// Widest that the progress bar is drawn.
const BAR_AT_MOST: usize = 40;
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
    let mut lines = vec![title(board, width), stands(board, width)];
    lines.extend(progress(board, width));
    lines.push(vec![(Hue::Faint, fit(&spent(board, cost), width))]);
    if let Some(eta) = &board.eta {
        lines.push(vec![(Hue::Faint, fit(&format!("about {} more, {}", words::about(eta.ms), eta.basis), width))]);
    }
    lines
}

fn title(board: &Board, width: usize) -> Pieces {
    let name = board.name.as_ref().map(|name| format!("  {name}")).unwrap_or_default();
    let elapsed = words::duration(board.elapsed_ms);
    let room = width.saturating_sub(width_of(&elapsed) + 2);
    let title = headline(&format!("{}{name}  {}", board.run, board.goal), room);
    let pad = " ".repeat(width.saturating_sub(width_of(&title) + width_of(&elapsed)));
    vec![(Hue::Strong, title), (Hue::Plain, pad), (Hue::Faint, elapsed)]
}

fn stands(board: &Board, width: usize) -> Pieces {
    let (hue, words) = match board.stands.class {
        Class::Live if !board.coordinated => (Hue::Warning, "nobody works on it: `artel resume` goes on"),
        Class::Live => (Hue::Busy, board.stands.words.as_str()),
        Class::Done => (Hue::Good, board.stands.words.as_str()),
        Class::Incomplete | Class::Denied | Class::Trouble => (Hue::Bad, board.stands.words.as_str()),
        Class::Waits | Class::Stopped | Class::Budget | Class::Unopened => (Hue::Warning, board.stands.words.as_str()),
    };
    vec![(hue, headline(words, width))]
}

fn progress(board: &Board, width: usize) -> Vec<Pieces> {
    let counts = board.counts;
    if counts.total == 0 {
        return Vec::new();
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
    let line = vec![
        (Hue::Good, "━".repeat(good)),
        (Hue::Bad, "╍".repeat(bad)),
        (Hue::Faint, "─".repeat(bar - good - bad)),
        (Hue::Plain, format!("  {}", fit(&told, width.saturating_sub(bar + 2)))),
    ];
    let mut told: Pieces = Vec::new();
    for (word, n) in counts.by_status().into_iter().rev().filter(|(_, n)| *n > 0) {
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
        subjects.push(Some(Subject::Gate(gate)));
    }
    for row in &board.asked {
        table.row([
            Cell::new(&*row.what).hue(Hue::Warning),
            Cell::new("your word").hue(Hue::Warning),
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
    section("needs you", true, &table, &subjects, width)
}

fn running(board: &Board, width: usize) -> Section {
    let (mut table, mut subjects) = (Columns::indented(INDENT), Vec::new());
    let mut row = |who: String, elapsed_ms: u64, agent: &str, title: &str, last: &str| {
        let took = Cell::number(words::duration(elapsed_ms));
        let (who, last) = (Cell::new(who).hue(Hue::Busy), Cell::new(last).hue(Hue::Faint));
        table.row([who, took, Cell::new(agent), Cell::new(title), last]);
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
    section("on the way", false, &table, &[], width)
}

fn landed(board: &Board, width: usize) -> Section {
    let mut table = Columns::indented(INDENT);
    for row in board.landed.iter().rev().take(LANDED) {
        let files = words::count(row.files as usize, "file");
        let tries = if row.attempts > 1 { format!(", {} attempts", row.attempts) } else { String::new() };
        table.row([
            Cell::new(row.task.to_string()).hue(Hue::Good),
            Cell::new(row.commit.short()).hue(Hue::Warning),
            Cell::new(&row.title),
            Cell::new(format!("{}, {files}{tries}", row.agent)).hue(Hue::Faint),
        ]);
    }
    let title = if board.landed.is_empty() { "landed".to_owned() } else { format!("landed ({})", board.landed.len()) };
    section(&title, true, &table, &[], width)
}

fn scopes(board: &Board, width: usize) -> Section {
    let mut table = Columns::indented(INDENT);
    // One scope says no more than the head does.
    for row in board.scopes.iter().filter(|_| board.scopes.len() > 1) {
        table.row(of_scope(row));
    }
    section("scopes", false, &table, &[], width)
}

fn conditions(board: &Board, width: usize) -> Section {
    let mut table = Columns::indented(INDENT);
    for row in &board.conditions {
        let (hue, word) = match row.holds {
            Some(true) => (Hue::Good, "holds"),
            Some(false) => (Hue::Bad, "does not hold"),
            None => (Hue::Faint, "not looked at"),
        };
        let why = Cell::new(row.why.as_deref().unwrap_or_default()).hue(Hue::Faint);
        table.row([Cell::new(&row.name), Cell::new(word).hue(hue), why]);
    }
    section("done-conditions", true, &table, &[], width)
}
