//! Owns how a model is shown what a stranger wrote: each line marked as material, and bounded. Never reads a file.

/// Characters of a line that are shown.
const LINE_CHARS: usize = 2_000;

/// Marks each line of a text as material.
pub(super) fn quoted(text: &str) -> String {
    let mut shown = String::with_capacity(text.len() + 16);
    for line in text.lines() {
        shown.push_str("> ");
        shown.push_str(&cut(line));
        shown.push('\n');
    }
    shown
}

/// Shows lines of a text with their numbers, from one on and at most so many bytes; tells which is the last that is shown.
pub(super) fn numbered(text: &str, from: usize, lines_max: usize, bytes_max: usize) -> (String, usize) {
    let (mut shown, mut last) = (String::new(), from.saturating_sub(1));
    for (number, line) in (1..).zip(text.lines()).skip(from.saturating_sub(1)).take(lines_max) {
        let line = format!("> {number}\t{}\n", cut(line));
        if !shown.is_empty() && shown.len() + line.len() > bytes_max {
            break;
        }
        shown.push_str(&line);
        last = number;
    }
    (shown, last)
}

/// Cuts a line that is too long, and says so.
pub(super) fn cut(line: &str) -> String {
    match line.char_indices().nth(LINE_CHARS) {
        None => line.to_owned(),
        Some((at, _)) => format!("{} … ({} bytes of this line are not shown)", &line[..at], line.len() - at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_marked_and_a_long_one_is_cut() {
        assert_eq!(quoted("a\n\n> b"), "> a\n> \n> > b\n");
        let long = quoted(&"é".repeat(LINE_CHARS + 2));
        assert!(long.ends_with("… (4 bytes of this line are not shown)\n"), "{long}");
    }

    #[test]
    fn lines_are_shown_with_their_numbers_as_far_as_there_is_room() {
        assert_eq!(numbered("a\nb\nc\n", 2, 9, 99), ("> 2\tb\n> 3\tc\n".to_owned(), 3));
        assert_eq!(numbered("a\nb\nc\n", 1, 2, 99).1, 2);
        assert_eq!(numbered("a\nb\nc\n", 1, 9, 7).1, 1, "one line is always shown");
        assert_eq!(numbered("a\n", 5, 9, 99), (String::new(), 4));
    }
}
