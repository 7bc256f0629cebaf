//! Owns how text that an agent or a repository wrote is shown: nothing in it can move a cursor, colour a screen,
//! turn the direction of writing round or hide. Never changes what is stored.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many marks without width may stand on one letter before the rest are shown as escapes.
const MARKS_AT_MOST: u32 = 3;

/// Shows text on one line: every active character is a visible escape, a line's end among them.
pub fn inert(text: &str) -> String {
    shown(text, false)
}

/// Shows text of several lines: as [`inert`] does, but lines stay lines and a tab becomes four blanks.
pub fn inert_lines(text: &str) -> String {
    shown(text, true)
}

/// Shows text on one line of at most `width` columns; what is cut off is marked by `…`.
pub fn fit(text: &str, width: usize) -> String {
    // No character is wider than two columns and none takes part without being looked at, so a long text is not
    // walked to its end for a short line.
    let most = width.saturating_mul(4).saturating_add(16);
    let near = match text.len() <= most {
        true => text,
        false => text.char_indices().nth(most).map_or(text, |(at, _)| &text[..at]),
    };
    let line = inert(near.trim());
    if near.len() == text.len() && width_of(&line) <= width {
        return line;
    }
    let mut cut = String::new();
    let mut used = 1;
    for c in line.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        cut.push(c);
    }
    if width > 0 {
        cut.push('…');
    }
    cut
}

/// Shows the first line that is not blank, in at most `width` columns; what is left out is marked by `…`.
pub fn headline(text: &str, width: usize) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    match lines.next_back() {
        None => fit(first, width),
        // What failed tells why at its end.
        Some(last) if first.ends_with(':') => fit(&format!("{first} {last}"), width),
        Some(_) => fit(&format!("{first} …"), width),
    }
}

/// Counts the columns that inert text takes.
pub fn width_of(text: &str) -> usize {
    if is_plain(text) {
        return text.len();
    }
    text.chars().map(|c| c.width().unwrap_or(0)).sum::<usize>().max(UnicodeWidthStr::width(text))
}

/// Tells whether a character does something to a screen other than to show itself.
pub fn is_active(c: char) -> bool {
    if c.is_control() {
        return true;
    }
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{13430}'..='\u{13455}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Tells whether text is of characters alone that each take one byte and one column and do nothing: most text is.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn shown(text: &str, keeps_lines: bool) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut marks = 0;
    for c in text.chars() {
        let is_mark = c.width() == Some(0);
        marks = if is_mark { marks + 1 } else { 0 };
        match c {
            '\n' if keeps_lines => out.push('\n'),
            '\t' if keeps_lines => out.push_str("    "),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x80 && is_active(c) => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if is_active(c) || (is_mark && marks > MARKS_AT_MOST) => {
                out.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_acts_on_a_screen_is_shown_as_an_escape() {
        for (text, want) in [
            ("plain ünïcode 漢字", "plain ünïcode 漢字"),
            ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
            ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("a\rb\nc\td\0", "a\\rb\\nc\\td\\x00"),
            ("user\u{202e}nimda", "user\\u{202e}nimda"),
            ("in\u{200b}visible", "in\\u{200b}visible"),
            ("tag\u{e0041}", "tag\\u{e0041}"),
            ("\u{7f}", "\\x7f"),
        ] {
            assert_eq!(inert(text), want);
        }
        assert_eq!(inert_lines("a\n\tb\r\n"), "a\n    b\\r\n");
    }

    #[test]
    fn a_pile_of_marks_does_not_reach_the_line_above() {
        let pile = format!("e{}", "\u{301}".repeat(50));
        assert_eq!(inert(&pile).chars().filter(|c| *c == '\u{301}').count(), 3);
    }

    #[test]
    fn what_does_not_fit_is_cut_at_a_column_and_marked() {
        assert_eq!(fit("abcdef", 6), "abcdef");
        assert_eq!(fit("abcdefg", 6), "abcde…");
        assert_eq!(fit("漢字漢字", 6), "漢字…");
        assert_eq!(fit("anything", 0), "");
        assert_eq!(fit("  edges \n", 20), "edges");
    }

    #[test]
    fn a_headline_is_the_first_line_with_something_in_it() {
        assert_eq!(headline("\n\n one\ntwo", 20), "one …");
        assert_eq!(headline("one\n", 20), "one");
        assert_eq!(headline("exited with 1:\nbuilding\nno such file\n", 40), "exited with 1: no such file");
        assert_eq!(headline("", 20), "");
    }

    proptest! {
        #[test]
        fn inert_text_holds_nothing_active(text in any::<String>()) {
            prop_assert!(!inert(&text).chars().any(is_active));
            prop_assert!(!inert_lines(&text).chars().any(|c| is_active(c) && c != '\n'));
        }

        #[test]
        fn inert_text_stays_as_it_is(text in any::<String>()) {
            let once = inert(&text);
            prop_assert_eq!(inert(&once), once);
        }

        #[test]
        fn fitted_text_fits(text in any::<String>(), width in 0_usize..100) {
            let line = fit(&text, width);
            prop_assert!(width_of(&line) <= width, "{:?} is {} wide", line, width_of(&line));
            prop_assert!(!line.chars().any(is_active));
        }
    }
}
