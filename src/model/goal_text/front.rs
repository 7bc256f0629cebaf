//! Owns where the front matter ends and the prose begins. Never reads either.

use std::ops::Range;

use crate::model::written::Faults;

/// Shows how the smallest goal file looks.
pub(super) const EXAMPLE: &str =
    "a goal file begins like this:\n---\nname: what-is-wanted\ndone:\n  - cargo test\n---\nThe goal, in words.";

/// Finds the places of the front matter and of the prose; nothing where there is no front matter.
pub fn split(text: &str, faults: &mut Faults) -> Option<(Range<usize>, Range<usize>)> {
    let begin = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut lines = lines(text, begin);
    let first = lines.next().unwrap_or(begin..begin);
    if !is_fence(&text[first.clone()]) {
        let at = first.start..first.start + text[first.clone()].trim_end().len();
        faults.add_with_help(&at, "the front matter is missing: the first line is not `---`", EXAMPLE);
        return None;
    }
    let front = first.end;
    for line in lines {
        if is_fence(&text[line.clone()]) {
            return Some((front..line.start, line.end..text.len()));
        }
    }
    let help = "put a line of `---` between the fields and the prose";
    faults.add_with_help(&(first.start..first.start + 3), "the front matter that begins here does not end", help);
    None
}

fn is_fence(line: &str) -> bool {
    line.trim_end() == "---"
}

fn lines(text: &str, from: usize) -> impl Iterator<Item = Range<usize>> {
    let mut start = from;
    text[from..].split_inclusive('\n').map(move |line| {
        let place = start..start + line.len();
        start = place.end;
        place
    })
}
