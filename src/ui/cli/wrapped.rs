//! Owns how a line that is too long for a terminal is broken into several. Cuts nothing off.

use crate::model::inert::width_of;

/// Breaks an inert line at blanks into lines of at most `width` columns; a word that is too long is cut through.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut rest = word;
        loop {
            let Some(line) = lines.last_mut() else { return lines };
            let used = if line.is_empty() { 0 } else { width_of(line) + 1 };
            if used + width_of(rest) <= width {
                line.push_str(if used > 0 { " " } else { "" });
                line.push_str(rest);
                break;
            }
            if used > 0 {
                lines.push(String::new());
                continue;
            }
            let mut taken = 0;
            let cut = rest.char_indices().find(|(_, c)| {
                taken += width_of(c.encode_utf8(&mut [0; 4]));
                taken > width
            });
            let at = cut.map_or(rest.len(), |(at, _)| at.max(rest.chars().next().map_or(1, char::len_utf8)));
            line.push_str(&rest[..at]);
            rest = &rest[at..];
            lines.push(String::new());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reasons_break_at_blanks() {
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(wrapped("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
    }

    proptest! {
        #[test]
        fn wrapped_text_fits_and_loses_nothing(text in "[a-z漢 ]{0,80}", width in 2_usize..30) {
            let lines = wrapped(&text, width);
            prop_assert!(lines.iter().all(|line| width_of(line) <= width), "{:?}", lines);
            let solid = |text: &str| text.replace(' ', "");
            prop_assert_eq!(solid(&lines.concat()), solid(&text));
        }
    }
}
