//! Owns how a unified diff is shown side by side. Never believes that a text is one.

use std::ops::Range;

use maud::{Markup, html};

use super::frame::{begin, line};
use crate::io::syntax::{Hue, paint};
use crate::model::inert::inert;

/// Lines that are shown.
const LINES: usize = 4000;
/// Bytes of one line that are shown.
const LINE_BYTES: usize = 2000;
/// Bytes of a part of a file from which on it is shown without hues.
const PART_BYTES: usize = 256 << 10;
/// Bytes of all parts together that are: a change is a stranger's, and a page is asked for again and again.
const ALL_BYTES: usize = 1 << 20;

/// One row of a diff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row<'a> {
    /// What stands above a part.
    Head(&'a str),
    /// A line that stays, with its numbers.
    Same(u32, u32, &'a str),
    /// Lines that go and come, with their numbers.
    Changed(Option<(u32, &'a str)>, Option<(u32, &'a str)>),
}

/// Reads a unified diff; what is not understood stands as a head.
pub fn rows(patch: &str) -> Vec<Row<'_>> {
    let mut reader = Reader::default();
    for text in patch.lines().take(LINES) {
        reader.line(text);
    }
    reader.pair();
    reader.rows
}

#[derive(Default)]
struct Reader<'a> {
    rows: Vec<Row<'a>>,
    gone: Vec<(u32, &'a str)>,
    come: Vec<(u32, &'a str)>,
    old: u32,
    new: u32,
    /// Lines of the part that are still to come, old and new.
    left: (u32, u32),
}

impl<'a> Reader<'a> {
    fn line(&mut self, text: &'a str) {
        let is_inside = self.left != (0, 0);
        match text.as_bytes().first() {
            Some(b'-') if self.left.0 > 0 => {
                self.gone.push((self.old, &text[1..]));
                self.old += 1;
                self.left.0 -= 1;
            }
            Some(b'+') if self.left.1 > 0 => {
                self.come.push((self.new, &text[1..]));
                self.new += 1;
                self.left.1 -= 1;
            }
            Some(b' ') if is_inside => {
                self.pair();
                self.rows.push(Row::Same(self.old, self.new, &text[1..]));
                (self.old, self.new) = (self.old + 1, self.new + 1);
                self.left = (self.left.0.saturating_sub(1), self.left.1.saturating_sub(1));
            }
            _ => {
                self.pair();
                if let Some((old, new)) = part(text) {
                    (self.old, self.new, self.left) = (old.0, new.0, (old.1, new.1));
                }
                self.rows.push(Row::Head(text));
            }
        }
    }

    /// Sets lines that went beside those that came in their place.
    fn pair(&mut self) {
        let (gone, come) = (std::mem::take(&mut self.gone), std::mem::take(&mut self.come));
        for at in 0..gone.len().max(come.len()) {
            self.rows.push(Row::Changed(gone.get(at).copied(), come.get(at).copied()));
        }
    }
}

/// Reads `@@ -1,2 +3,4 @@`.
fn part(text: &str) -> Option<((u32, u32), (u32, u32))> {
    let mut words = text.strip_prefix("@@ ")?.split(' ');
    let range = |word: &str, sign: char| -> Option<(u32, u32)> {
        let word = word.strip_prefix(sign)?;
        let (start, count) = word.split_once(',').unwrap_or((word, "1"));
        Some((start.parse().ok()?, count.parse().ok()?))
    };
    Some((range(words.next()?, '-')?, range(words.next()?, '+')?))
}

/// Pieces of a line that have a hue, by their bytes.
type Hues = Vec<(Range<usize>, Hue)>;

/// Finds the hues of each row's lines, the old and the new one: each part of a file is read as what stands there.
fn hues(rows: &[Row<'_>]) -> Vec<(Hues, Hues)> {
    let mut all = vec![(Hues::new(), Hues::new()); rows.len()];
    let (mut at, mut path, mut room) = (0, "", ALL_BYTES);
    while at < rows.len() {
        if let Row::Head(text) = &rows[at] {
            // Of a file that is no longer there the old name is the one that tells.
            let named = text.strip_prefix("+++ b/").or_else(|| text.strip_prefix("--- a/"));
            path = named.map_or(path, |named| named.trim_end_matches('\t').trim_matches('"'));
            at += 1;
            continue;
        }
        let end = at + rows[at..].iter().take_while(|row| !matches!(row, Row::Head(_))).count();
        for side in [Side::Old, Side::New] {
            let lines: Vec<(usize, &str)> = (at..end).filter_map(|row| Some((row, side.of(&rows[row])?))).collect();
            let bytes = lines.iter().map(|(_, text)| text.len()).sum::<usize>();
            if bytes > PART_BYTES.min(room) {
                continue;
            }
            room -= bytes;
            for (row, found) in painted(path, &lines) {
                match side {
                    Side::Old => all[row].0.push(found),
                    Side::New => all[row].1.push(found),
                }
            }
        }
        at = end;
    }
    all
}

#[derive(Clone, Copy)]
enum Side {
    Old,
    New,
}

impl Side {
    fn of<'a>(self, row: &Row<'a>) -> Option<&'a str> {
        match (row, self) {
            (Row::Head(_), _) => None,
            (Row::Same(_, _, text), _) => Some(text),
            (Row::Changed(gone, _), Self::Old) => gone.map(|(_, text)| text),
            (Row::Changed(_, come), Self::New) => come.map(|(_, text)| text),
        }
    }
}

/// Finds the hues of lines that stand under one another, each told with its row and its place in its line.
fn painted(path: &str, lines: &[(usize, &str)]) -> Vec<(usize, (Range<usize>, Hue))> {
    let text: String = lines.iter().flat_map(|(_, text)| [text, "\n"]).collect();
    let mut starts = Vec::with_capacity(lines.len());
    let mut start = 0;
    for (_, line) in lines {
        starts.push(start);
        start += line.len() + 1;
    }
    let mut found = Vec::new();
    for (range, hue) in paint(path, &text) {
        let first = starts.partition_point(|start| *start <= range.start).saturating_sub(1);
        for (start, (row, line)) in
            starts[first..].iter().zip(&lines[first..]).take_while(|(start, _)| **start < range.end)
        {
            let (from, to) = (range.start.saturating_sub(*start), (range.end - start).min(line.len()));
            if from < to {
                found.push((*row, (from..to, hue)));
            }
        }
    }
    found
}

/// Shows a line of code, inert, in its hues; of one that is very long the beginning.
fn code(text: &str, hues: &Hues) -> Markup {
    let (shown, is_cut) = begin(text, LINE_BYTES);
    let mut pieces: Vec<(&str, Option<Hue>)> = Vec::new();
    let mut at = 0;
    for (range, hue) in hues {
        let (from, to) = (range.start.min(shown.len()), range.end.min(shown.len()));
        let (Some(before), Some(piece)) = (shown.get(at..from), shown.get(from..to)) else { continue };
        pieces.extend([(before, None), (piece, Some(*hue))]);
        at = to;
    }
    pieces.push((&shown[at..], None));
    html! {
        @for (piece, hue) in pieces.into_iter().filter(|(piece, _)| !piece.is_empty()) {
            @match hue {
                Some(hue) => { i class=(word(hue)) { (inert(piece)) } }
                None => { (inert(piece)) }
            }
        }
        @if is_cut { "…" }
    }
}

fn word(hue: Hue) -> &'static str {
    match hue {
        Hue::Keyword => "h-k",
        Hue::Text => "h-s",
        Hue::Number => "h-n",
        Hue::Comment => "h-c",
        Hue::Type => "h-t",
    }
}

/// Shows a diff side by side; where the screen is narrow, line under line.
pub fn side_by_side(patch: &str) -> Markup {
    let rows = rows(patch);
    let hues = hues(&rows);
    html! {
        div.wide tabindex="0" role="region" aria-label="changes" {
            table.diff {
                @for (row, (old_hues, new_hues)) in rows.iter().zip(&hues) {
                    @match row {
                        Row::Head(text) => { tr { th colspan="4" scope="colgroup" { (line(text)) } } }
                        Row::Same(old, new, text) => {
                            tr { td.no { (old) } td { (code(text, old_hues)) } td.no { (new) } td.same { (code(text, new_hues)) } }
                        }
                        Row::Changed(gone, come) => {
                            tr {
                                @match gone {
                                    Some((no, text)) => { td.no { (no) } td.del { (code(text, old_hues)) } }
                                    None => { td.no {} td {} }
                                }
                                @match come {
                                    Some((no, text)) => { td.no { (no) } td.add { (code(text, new_hues)) } }
                                    None => { td.no {} td {} }
                                }
                            }
                        }
                    }
                }
            }
        }
        @if patch.lines().nth(LINES).is_some() { p.faint { "The rest is not shown: " code { "artel diff" } " shows all of it." } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_went_stand_beside_those_that_came() {
        let patch =
            "--- a/x\n+++ b/x\n@@ -1,4 +1,5 @@\n same\n--- gone\n-gone too\n+come\n+++ more\n+yet more\n end\n-- \n";
        let want = vec![
            Row::Head("--- a/x"),
            Row::Head("+++ b/x"),
            Row::Head("@@ -1,4 +1,5 @@"),
            Row::Same(1, 1, "same"),
            Row::Changed(Some((2, "-- gone")), Some((2, "come"))),
            Row::Changed(Some((3, "gone too")), Some((3, "++ more"))),
            Row::Changed(None, Some((4, "yet more"))),
            Row::Same(4, 5, "end"),
            Row::Head("-- "),
        ];
        assert_eq!(rows(patch), want);
    }

    #[test]
    fn what_is_no_diff_is_shown_all_the_same_and_inert() {
        let shown = side_by_side("@@ -x +y @@\n<script>alert(1)</script>\u{202e}\n-\n").into_string();
        assert!(shown.contains("&lt;script&gt;alert(1)&lt;/script&gt;\\u{202e}"), "{shown}");
        assert!(!shown.contains("<script"), "{shown}");
    }
    #[test]
    fn code_is_shown_in_its_hues_each_side_as_it_stands_there() {
        let patch = "--- a/src/x.rs\n+++ b/src/x.rs\n@@ -1,3 +1,3 @@\n fn f() {\n-    let a = \"<old>\";\n+    let b = 12; // é\n }\n";
        let shown = side_by_side(patch).into_string();
        for piece in [
            "<i class=\"h-k\">fn</i> f() {",
            "class=\"del\">    <i class=\"h-k\">let</i> a = <i class=\"h-s\">&quot;&lt;old&gt;&quot;</i>;<",
            "class=\"add\">    <i class=\"h-k\">let</i> b = <i class=\"h-n\">12</i>; <i class=\"h-c\">// é</i><",
        ] {
            assert!(shown.contains(piece), "no {piece} in {shown}");
        }
        assert!(!side_by_side(&patch.replace(".rs", ".txt")).into_string().contains("<i "), "it is no source");
    }

    #[test]
    fn a_text_over_several_lines_has_its_hue_on_each_and_a_long_line_is_cut() {
        let patch = "+++ b/x.rs\n@@ -0,0 +1,3 @@\n+const A: &str = \"one\n+two\n+three\";\n";
        let shown = side_by_side(patch).into_string();
        for piece in ["<i class=\"h-s\">&quot;one</i>", "<i class=\"h-s\">two</i>", "<i class=\"h-s\">three&quot;</i>;"]
        {
            assert!(shown.contains(piece), "no {piece} in {shown}");
        }
        let long = format!("+++ b/x.rs\n@@ -0,0 +1,1 @@\n+// {}\n", "é".repeat(5 << 20));
        let shown = side_by_side(&long).into_string();
        assert!(shown.len() < 2 * LINE_BYTES + 1000 && shown.contains('…'), "{} bytes", shown.len());
    }
}
