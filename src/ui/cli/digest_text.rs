//! Owns how a digest is written as text, for a terminal and as Markdown. In Markdown all text of others stands in code
//! spans, where no link, image, mention or HTML is live. Gathers nothing.

use super::paint::{Hue, Paint};
use crate::model::ids::RunId;
use crate::model::inert::inert;
use crate::views::digest::lay::{Laid, Piece, Row};

/// Says where what a claim rests on can be looked at.
pub struct Links {
    /// The run.
    pub run: RunId,
    /// The server that has its pages, where one is known.
    pub server: Option<String>,
}

impl Links {
    fn event(&self, at: u64) -> String {
        match &self.server {
            Some(server) => format!("[#{at}]({server}/runs/{}/journal?at={at})", self.run),
            // A bare number after a hash is an issue or a pull request where a forge shows it.
            None => format!("`#{at}`"),
        }
    }

    fn task(&self, task: &str, text: &str) -> String {
        match &self.server {
            Some(server) => format!("[{text}]({server}/runs/{}/tasks/{task})", self.run),
            None => text.to_owned(),
        }
    }

    fn delivery(&self, commit: &str, text: &str) -> String {
        match &self.server {
            Some(server) => format!("[{text}]({server}/runs/{}/deliveries/{commit}/diff)", self.run),
            None => text.to_owned(),
        }
    }

    fn foot(&self) -> String {
        format!("artel log {} --at N", self.run)
    }
}

/// Writes a digest for a terminal.
pub fn plain(laid: &Laid, links: &Links, paint: Paint) -> Vec<String> {
    let written = |pieces: &[Piece]| -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Says(text) => text.clone(),
            Piece::Quotes(text) => inert(text),
            Piece::At(at) => paint.on(Hue::Faint, &format!("  #{at}")),
            Piece::Task(task) => task.to_string(),
            Piece::Commit(_, commit) | Piece::Head(commit) => commit.short(),
        };
        pieces.iter().map(piece).collect()
    };
    let mut lines = vec![paint.on(Hue::Strong, &written(&laid.title))];
    for section in &laid.sections {
        lines.extend([String::new(), paint.on(Hue::Strong, &section.heading)]);
        lines.extend(section.rows.iter().map(|row| format!("{}{}", "  ".repeat(row.depth + 1), written(&row.pieces))));
    }
    let foot = format!("#N is an event: {} shows it", links.foot());
    lines.extend([String::new(), paint.on(Hue::Faint, &foot)]);
    lines
}

/// Writes a digest as Markdown.
pub fn markdown(laid: &Laid, links: &Links) -> Vec<String> {
    let written = |pieces: &[Piece]| -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Says(text) => escaped(text),
            Piece::Quotes(text) => code(text),
            Piece::At(at) => format!(" ({})", links.event(*at)),
            Piece::Task(task) => format!("**{}**", links.task(&task.to_string(), &task.to_string())),
            Piece::Commit(attempt, commit) => links.task(&attempt.task.to_string(), &code(&commit.short())),
            Piece::Head(commit) => links.delivery(&commit.to_string(), &code(&commit.short())),
        };
        pieces.iter().map(piece).collect()
    };
    let item = |row: &Row| format!("{}- {}", "  ".repeat(row.depth), written(&row.pieces));
    let mut lines = vec![format!("# {}", written(&laid.title))];
    for section in &laid.sections {
        lines.extend([String::new(), format!("## {}", escaped(&section.heading)), String::new()]);
        lines.extend(section.rows.iter().map(item));
    }
    lines.extend([String::new(), format!("`#N` is an event; `{}` shows it.", links.foot())]);
    lines
}

/// Writes artel's own words so that no character of them is a mark.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in inert(text).chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&' | '$' | '!') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Writes text as a code span that nothing in it can end.
fn code(text: &str) -> String {
    let text = inert(text);
    if text.trim().is_empty() {
        return String::new();
    }
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let is_padded = text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']);
    let pad = if is_padded { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Gives what of a line of Markdown stands in no code span.
#[cfg(test)]
pub(super) fn without_code(line: &str) -> String {
    let (mut bare, mut rest) = (String::new(), line);
    while let Some(at) = rest.find('`') {
        let is_escaped = rest[..at].ends_with('\\');
        bare.push_str(&rest[..at]);
        rest = &rest[at..];
        match tests::span(rest).filter(|_| !is_escaped) {
            Some((_, after)) => rest = after,
            None => {
                bare.push('`');
                rest = &rest[1..];
            }
        }
    }
    bare + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a code span as CommonMark does: it ends at the first run of backticks as long as the one that began it.
    pub(super) fn span(markdown: &str) -> Option<(&str, &str)> {
        let fence = markdown.len() - markdown.trim_start_matches('`').len();
        let mut rest = &markdown[fence..];
        let mut read = 0;
        loop {
            let at = rest.find('`')?;
            let run = rest[at..].len() - rest[at..].trim_start_matches('`').len();
            if run == fence {
                let end = fence + read + at;
                return Some((&markdown[fence..end], &markdown[end + fence..]));
            }
            read += at + run;
            rest = &rest[at + run..];
        }
    }

    proptest! {
        #[test]
        fn nothing_ends_a_code_span_but_its_own_end(text in "[`a <\\[\\]()!\\\\\n|*_@#:/.]{0,24}") {
            let written = code(&text);
            if !text.trim().is_empty() && !written.is_empty() {
                let (inside, after) = span(&written).unwrap();
                prop_assert_eq!(after, "");
                let told = inert(&text);
                prop_assert_eq!(inside.trim(), told.trim());
            }
        }
    }
}
