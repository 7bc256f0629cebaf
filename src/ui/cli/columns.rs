//! Owns aligned columns that fit a width: what is too long is cut, never wrapped. Makes every text inert.

use super::paint::{Hue, Paint};
use crate::model::inert::{fit, headline, width_of};

/// Blanks between two columns.
const GAP: usize = 2;
/// No column is cut below this width.
const NARROWEST: usize = 6;
/// Longest text that a cell takes in at all, in columns.
const LONGEST: usize = 400;

/// A line in pieces of one hue each, all inert.
pub type Pieces = Vec<(Hue, String)>;

/// Holds one text of a table.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    text: String,
    hue: Hue,
    is_right: bool,
}

impl Cell {
    /// Takes a text of any origin; its first line is shown, inert.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self { text: headline(text.as_ref(), LONGEST), hue: Hue::Plain, is_right: false }
    }

    /// Takes a number, set to the right.
    pub fn number(text: impl ToString) -> Self {
        Self { is_right: true, ..Self::new(text.to_string()) }
    }

    /// Colours it.
    #[must_use]
    pub fn hue(self, hue: Hue) -> Self {
        Self { hue, ..self }
    }
}

/// Collects rows.
#[derive(Debug, Clone, Default)]
pub struct Columns {
    indent: usize,
    rows: Vec<Vec<Cell>>,
}

impl Columns {
    /// Begins a table that is set in by some blanks.
    pub fn indented(indent: usize) -> Self {
        Self { indent, rows: Vec::new() }
    }

    /// Adds a row of headings.
    pub fn headings(&mut self, names: &[&str]) {
        self.rows.push(names.iter().map(|name| Cell::new(name).hue(Hue::Faint)).collect());
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Writes the rows as lines of at most `width` columns.
    pub fn lines(&self, width: usize, paint: Paint) -> Vec<String> {
        let painted = |(hue, text): &(Hue, String)| paint.on(*hue, text);
        self.pieces(width).iter().map(|line| line.iter().map(painted).collect()).collect()
    }

    /// Lays the rows out as lines of at most `width` columns, each in pieces that are not coloured yet.
    pub fn pieces(&self, width: usize) -> Vec<Pieces> {
        let widths = self.widths(width);
        let count = widths.len();
        let line = |row: &Vec<Cell>| {
            let mut line = vec![(Hue::Plain, " ".repeat(self.indent))];
            for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let text = fit(&cell.text, *width);
                let pad = (Hue::Plain, " ".repeat(width.saturating_sub(width_of(&text))));
                let is_right = cell.is_right || (at + 1 < count && self.is_number_column(at));
                let piece = (cell.hue, text);
                line.extend(if is_right { [pad, piece] } else { [piece, pad] });
                line.push((Hue::Plain, " ".repeat(GAP)));
            }
            while line.last().is_some_and(|(_, text)| text.trim().is_empty()) {
                line.pop();
            }
            line
        };
        self.rows.iter().map(line).collect()
    }

    /// Gives the width at which nothing is cut.
    pub fn natural_width(&self) -> usize {
        let widths = self.widths(usize::MAX);
        self.indent + widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
    }

    fn is_number_column(&self, at: usize) -> bool {
        self.rows.last().and_then(|row| row.get(at)).is_some_and(|cell| cell.is_right)
    }

    /// Gives each column its natural width, then takes from the widest until all fit.
    fn widths(&self, width: usize) -> Vec<usize> {
        let count = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let natural = |at: usize| self.rows.iter().filter_map(|row| row.get(at)).map(|cell| width_of(&cell.text)).max();
        let mut widths: Vec<usize> = (0..count).map(|at| natural(at).unwrap_or(0)).collect();
        let room = width.saturating_sub(self.indent + GAP * count.saturating_sub(1));
        while widths.iter().sum::<usize>() > room {
            // Of equally wide columns the last one gives way.
            let Some((_, widest)) = widths.iter_mut().enumerate().max_by_key(|(at, width)| (**width, *at)) else {
                break;
            };
            if *widest <= NARROWEST {
                break;
            }
            *widest -= 1;
        }
        widths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_never_pass_the_width() {
        let mut table = Columns::indented(2);
        table.headings(&["task", "files", "title"]);
        table.row([Cell::new("t1"), Cell::number(7), Cell::new("漢字 in a title that goes on and on and on")]);
        table.row([Cell::new("t100"), Cell::number(1200), Cell::new("short\x1b[2J")]);
        let lines = table.lines(40, Paint::plain());
        assert_eq!(
            lines,
            ["  task  files  title", "  t1        7  漢字 in a title that goe…", "  t100   1200  short\\x1b[2J",]
        );
        assert!(lines.iter().all(|line| width_of(line) <= 40));
    }

    #[test]
    fn colour_does_not_move_a_column() {
        let mut table = Columns::indented(0);
        table.row([Cell::new("a").hue(Hue::Bad), Cell::new("b")]);
        let painted = table.lines(20, Paint::choose(super::super::paint::Color::Always, false));
        assert_eq!(painted, ["\x1b[31ma\x1b[0m  b"]);
    }
}
