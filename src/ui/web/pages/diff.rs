//! Owns how a unified diff is shown side by side. Never believes that a text is one.

use maud::{Markup, html};

use super::frame::line;

/// Lines that are shown.
const LINES: usize = 4000;

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

/// Shows a diff side by side; where the screen is narrow, line under line.
pub fn side_by_side(patch: &str) -> Markup {
    let rows = rows(patch);
    html! {
        div.wide tabindex="0" role="region" aria-label="changes" {
            table.diff {
                @for row in &rows {
                    @match row {
                        Row::Head(text) => { tr { th colspan="4" scope="colgroup" { (line(text)) } } }
                        Row::Same(old, new, text) => {
                            tr { td.no { (old) } td { (line(text)) } td.no { (new) } td { (line(text)) } }
                        }
                        Row::Changed(gone, come) => {
                            tr {
                                @match gone {
                                    Some((no, text)) => { td.no { (no) } td.del { (line(text)) } }
                                    None => { td.no {} td {} }
                                }
                                @match come {
                                    Some((no, text)) => { td.no { (no) } td.add { (line(text)) } }
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
}
