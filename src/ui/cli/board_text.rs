//! Owns how the board looks as text: at the end of a run, and for `status`. Never reads a state.

use super::asked_text;
use super::board_rows;
use super::columns::{Cell, Columns, Pieces};
use super::paint::{Hue, Paint, of_status};
use super::waiting_text;
use super::wrapped::wrapped;
use crate::model::ids::Oid;
use crate::model::inert::{fit, headline};
use crate::model::sandbox::Tier;
use crate::views::board::{Board, Counts};
use crate::views::ended::Class;
use crate::views::glance::{self, Cut, Glance};
use crate::views::words;

/// Says how much of each list is shown; what is left out is counted.
#[derive(Debug, Clone, Copy)]
pub struct Depth {
    /// Running attempts.
    pub running: usize,
    /// Landed tasks, newest last.
    pub landed: usize,
    /// Tasks and places that are left over.
    pub left: usize,
    /// Scopes.
    pub scopes: usize,
}

impl Depth {
    /// Shows all that a person wants when a run has ended, or on asking.
    pub const FULL: Self = Self { running: 64, landed: 40, left: 60, scopes: 30 };
    const _KEPT: () = assert!(Self::FULL.landed <= glance::ROWS && Self::FULL.left <= glance::ROWS);
}

/// Most lines in which a whole board says how the run stands.
const STANDS_LINES: usize = 6;
/// How far reasons are set in where they stand below what they are about.
const REASON_INDENT: usize = 7;

/// Writes the board as lines of at most `width` columns.
pub fn board(board: &Board, depth: Depth, width: usize, paint: Paint) -> Vec<String> {
    lines(board, Cut::default(), depth, width, paint)
}

/// Draws a board that was cut, as [`board`] does one that was not.
pub fn glance(glance: &Glance, depth: Depth, width: usize, paint: Paint) -> Vec<String> {
    lines(&glance.board, glance.cut, depth, width, paint)
}

fn lines(board: &Board, cut: Cut, depth: Depth, width: usize, paint: Paint) -> Vec<String> {
    let mut page = Page { lines: Vec::new(), cut, width, paint };
    page.head(board);
    page.scopes(board, depth.scopes);
    page.running(board, depth.running);
    if !board.frozen.is_empty() {
        page.section("waiting for the split of a file", &waiting_text::frozen(board), 0, "");
    }
    if !board.limits.is_empty() {
        page.section("waiting for a usage limit", &waiting_text::limits(board), 0, "");
    }
    if let Some((table, more)) = asked_text::table(board) {
        page.section("your word", &table, more, "artel list --inbox");
        let rows = table.lines(width, Paint::plain());
        page.lines.extend(asked_text::below_table(board, &rows, width).iter().map(|line| paint.on(Hue::Faint, line)));
    }
    page.landing(board);
    page.landed(board, depth.landed);
    page.left(board, depth);
    page.places(board, depth.left);
    page.conditions(board);
    page.noted(board);
    page.next(board);
    page.lines
}

struct Page {
    lines: Vec<String>,
    cut: Cut,
    width: usize,
    paint: Paint,
}

impl Page {
    fn head(&mut self, board: &Board) {
        self.pieces(&board_rows::title(board, self.width));
        let (hue, words) = board_rows::stands(board);
        // What halted a run names what to do next at its end.
        for part in wrapped(&headline(words, STANDS_LINES * self.width), self.width) {
            self.lines.push(self.paint.on(hue, &part));
        }
        if let Some(progress) = board_rows::progress(board, self.width) {
            self.pieces(&progress);
        }
        self.counts(board.counts);
        self.emptiness(board);
        self.eta(board);
    }

    fn pieces(&mut self, pieces: &Pieces) {
        self.lines.push(pieces.iter().map(|(hue, text)| self.paint.on(*hue, text)).collect());
    }

    fn counts(&mut self, counts: Counts) {
        let all = [
            ("landed", counts.landed),
            ("nothing", counts.nothing),
            ("running", counts.running),
            ("judging", counts.judging),
            ("gated", counts.gated),
            ("queued", counts.queued),
            ("ready", counts.ready),
            ("waiting", counts.waiting),
            ("kept", counts.kept),
            ("blocked", counts.blocked),
            ("dropped", counts.dropped),
            ("reverted", counts.reverted),
        ];
        let (mut line, mut used) = (String::new(), 0);
        for (word, n) in all.into_iter().filter(|(_, n)| *n > 0) {
            let told = format!("{n} {}", if word == "nothing" { "nothing to do" } else { word });
            if used > 0 && used + 3 + told.len() > self.width {
                self.lines.push(std::mem::take(&mut line));
                used = 0;
            }
            if used > 0 {
                line.push_str(" · ");
                used += 3;
            }
            used += told.len();
            line.push_str(&self.paint.on(of_status(word), &told));
        }
        if used > 0 {
            self.lines.push(line);
        }
    }

    /// Says why a run that is over shows nothing.
    fn emptiness(&mut self, board: &Board) {
        let is_over = matches!(board.stands.class, Class::Done | Class::Incomplete);
        if board.counts.total == 0 && is_over && board.failed_planners.is_empty() {
            self.lines.push(fit("no task: the planner found nothing to do", self.width));
        }
    }

    fn eta(&mut self, board: &Board) {
        let Some(eta) = &board.eta else { return };
        let told = format!("about {} more, {}", words::about(eta.ms), eta.basis);
        self.lines.push(self.paint.on(Hue::Faint, &fit(&told, self.width)));
    }

    fn section(&mut self, title: &str, table: &Columns, left_out: usize, where_else: &str) {
        self.lines.push(String::new());
        self.lines.push(self.paint.on(Hue::Strong, title));
        self.lines.extend(table.lines(self.width, self.paint));
        if left_out > 0 {
            let line = format!("  … and {left_out} more ({where_else})");
            self.lines.push(self.paint.on(Hue::Faint, &line));
        }
    }

    fn scopes(&mut self, board: &Board, most: usize) {
        if most == 0 || board.scopes.len() < 2 {
            return;
        }
        let mut table = Columns::indented(2);
        for row in board.scopes.iter().take(most) {
            table.row(board_rows::of_scope(row));
        }
        let left_out = self.cut.scopes + board.scopes.len().saturating_sub(most);
        self.section("scopes", &table, left_out, "artel status --json");
    }

    fn running(&mut self, board: &Board, most: usize) {
        if board.running.is_empty() && board.sitting.is_empty() {
            return;
        }
        let mut table = Columns::indented(2);
        let mut row = |who: String, elapsed_ms: u64, agent: &str, title: &str, last: &str| {
            table.row(board_rows::of_work(who, elapsed_ms, agent, title, last));
        };
        board.sitting.iter().for_each(|it| row(it.seat.to_string(), it.elapsed_ms, &it.agent, &it.title, ""));
        for it in board.running.iter().take(most) {
            let last = it.last_line.as_deref().unwrap_or_default();
            row(it.attempt.to_string(), it.elapsed_ms, &it.agent, &it.title, last);
        }
        self.section("running", &table, board.running.len().saturating_sub(most), "artel status");
    }

    fn landing(&mut self, board: &Board) {
        if board.judging.is_empty() && board.queue.is_empty() && board.batch.is_none() && board.checking.is_none() {
            return;
        }
        let mut table = Columns::indented(2);
        board_rows::on_the_way(board, &mut table);
        self.section("on the way", &table, 0, "");
    }

    fn landed(&mut self, board: &Board, most: usize) {
        if board.landed.is_empty() {
            return;
        }
        let mut table = Columns::indented(2);
        let not_shown = board.landed.len().saturating_sub(most);
        for row in board.landed.iter().skip(not_shown) {
            table.row(board_rows::of_landing(row));
        }
        self.section("landed", &table, self.cut.landed + not_shown, "artel log");
    }

    fn left(&mut self, board: &Board, depth: Depth) {
        if board.left.is_empty() && board.failed_planners.is_empty() {
            return;
        }
        let mut rows: Vec<([Cell; 3], &str)> = Vec::new();
        for row in board.left.iter().take(depth.left) {
            let id = Cell::new(row.task.to_string()).hue(Hue::Bad);
            let status = Cell::new(&*row.status).hue(of_status(&row.status));
            rows.push(([id, status, Cell::new(&row.title)], &row.why));
        }
        for (scope, why) in &board.failed_planners {
            let id = Cell::new(scope.to_string()).hue(Hue::Bad);
            rows.push(([id, Cell::new("failed").hue(Hue::Bad), Cell::new("planner")], why));
        }
        let mut table = Columns::indented(2);
        for (cells, why) in &rows {
            table.row(cells.iter().cloned().chain([Cell::new(why)]));
        }
        let left_out = self.cut.left + board.left.len().saturating_sub(depth.left);
        if table.natural_width() <= self.width {
            self.section("left over", &table, left_out, "artel status --json");
            return;
        }
        // Reasons that would be cut stand below what they are about.
        let mut table = Columns::indented(2);
        for (cells, _) in &rows {
            table.row(cells.iter().cloned());
        }
        self.section("left over", &Columns::default(), 0, "");
        for (line, (_, why)) in table.lines(self.width, self.paint).into_iter().zip(&rows) {
            self.lines.push(line);
            let why = headline(why, 2 * self.width.saturating_sub(REASON_INDENT) - REASON_INDENT);
            for part in wrapped(&why, self.width.saturating_sub(REASON_INDENT)) {
                self.lines.push(format!("{}{}", " ".repeat(REASON_INDENT), self.paint.on(Hue::Faint, &part)));
            }
        }
        if left_out > 0 {
            let line = format!("  … and {left_out} more (artel status --json)");
            self.lines.push(self.paint.on(Hue::Faint, &line));
        }
    }

    fn places(&mut self, board: &Board, most: usize) {
        if board.places.is_empty() {
            return;
        }
        let mut table = Columns::indented(2);
        for row in board.places.iter().take(most) {
            let line = if row.line > 0 { format!(":{}", row.line) } else { String::new() };
            table.row([
                Cell::new(row.task.to_string()).hue(Hue::Faint),
                Cell::new(format!("{}{line}", row.path)),
                Cell::new(&row.why),
            ]);
        }
        let left_out = self.cut.places + board.places.len().saturating_sub(most);
        self.section("places left as they are", &table, left_out, "artel status --json");
    }

    fn conditions(&mut self, board: &Board) {
        if board.conditions.iter().all(|row| row.holds.is_none()) {
            return;
        }
        let mut table = Columns::indented(2);
        for row in &board.conditions {
            table.row(board_rows::of_condition(row));
        }
        self.section("done-conditions", &table, 0, "");
    }

    fn noted(&mut self, board: &Board) {
        let mut table = Columns::indented(2);
        let mut note = |hue, text: String| table.row([Cell::new(text).hue(hue)]);
        let mut count = 0;
        if !board.baseline_red.is_empty() {
            note(Hue::Warning, format!("red on the base already: {}", board.baseline_red.join(", ")));
            count += 1;
            if board.sandbox.is_some_and(|tier| tier != Tier::None) {
                note(
                    Hue::Faint,
                    "if it is green outside the sandbox, something is not granted: docs/sandbox.md".to_owned(),
                );
                count += 1;
            }
        }
        for (check, times) in &board.flakes {
            let times = words::count(*times as usize, "time");
            note(Hue::Warning, format!("flaky: {check}, two answers on one tree, {times}"));
            count += 1;
        }
        for text in &board.notes {
            note(Hue::Faint, text.clone());
            count += 1;
        }
        match &board.delivered {
            Some((branch, Ok(at))) => note(Hue::Good, format!("delivered into {branch} at {}", at.short())),
            Some((branch, Err(why))) => note(Hue::Bad, format!("not delivered into {branch}: {why}")),
            None if count == 0 => return,
            None => {}
        }
        self.section("noted", &table, 0, "");
    }

    fn next(&mut self, board: &Board) {
        let mut table = Columns::indented(2);
        let run = &board.run;
        if let Some(head) = board.head {
            let what = format!("{} at {}", board.branch, Oid::short(&head));
            table.row([Cell::new("branch").hue(Hue::Faint), Cell::new(what)]);
        }
        match board.sandbox {
            Some(Tier::None) => {
                let words = Cell::new("none: agents and checks run with your rights").hue(Hue::Warning);
                table.row([Cell::new("sandbox").hue(Hue::Faint), words]);
            }
            Some(tier) => table.row([Cell::new("sandbox").hue(Hue::Faint), Cell::new(tier.name())]),
            None => {}
        }
        let mut add = |command: String, why: String| {
            table.row([
                Cell::new("next").hue(Hue::Faint),
                Cell::new(command).hue(Hue::Busy),
                Cell::new(why).hue(Hue::Faint),
            ]);
        };
        for (command, why) in asked_text::next(board) {
            add(command, why);
        }
        if let Some(row) = board.left.iter().find(|row| row.has_candidate).or(board.left.first()) {
            let verb = if row.has_candidate { "diff" } else { "show" };
            add(format!("artel {verb} {run}/{}", row.task), "look at what is left over".to_owned());
        }
        if let Some(row) = board.left.iter().find(|row| row.can_be_retried()) {
            add(format!("artel retry {run}/{}", row.task), "have it tried again".to_owned());
        }
        if let Some(first) = board.limits.iter().find_map(|row| row.first) {
            add(format!("artel retry {run}/{first}"), "have what waits for a limit tried at once".to_owned());
        }
        if board.stands.class == Class::Budget {
            add(
                format!("artel resume {run} --attempts N"),
                "go on with more, also of --wall, --cpu and --usd".to_owned(),
            );
        }
        let rests = matches!(board.stands.class, Class::Stopped | Class::Trouble);
        if rests || (board.stands.class == Class::Live && !board.coordinated) {
            add(format!("artel resume {run}"), "go on".to_owned());
        }
        if board.undelivered && board.stands.class != Class::Live {
            let into = board.opened_from.as_deref().unwrap_or("your branch");
            add(format!("artel deliver {run}"), format!("bring what landed into {into}"));
        }
        let lines = table.lines(self.width, self.paint);
        if !lines.is_empty() {
            self.lines.push(String::new());
            self.lines.extend(lines);
        }
    }
}
