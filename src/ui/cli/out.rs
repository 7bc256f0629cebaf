//! Owns standard output and error: the only place that writes to them. A reader who went away ends a verb quietly.

use std::io::{ErrorKind, IsTerminal, Write};

use serde::Serialize;

use super::exit::Exit;
use super::fail::Fail;
use super::paint::{Color, Paint};
use crate::model::inert::is_active;

/// Widest that tables are drawn, and how wide where there is no terminal.
const WIDTH_AT_MOST: usize = 140;
const WIDTH_WITHOUT_TERMINAL: usize = 120;

/// Writes for a person or a program.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    /// Colours of standard output.
    pub paint: Paint,
    /// Colours of standard error.
    pub error_paint: Paint,
    /// Columns to write in.
    pub width: usize,
    /// Whether both standard output and error are terminals, so that a picture may move.
    pub is_live: bool,
}

impl Out {
    /// Looks at where the output goes.
    pub fn look(color: Color) -> Self {
        let (out, error) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        let width = console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
        Self {
            paint: Paint::choose(color, out),
            error_paint: Paint::choose(color, error),
            width: width.filter(|_| out).unwrap_or(WIDTH_WITHOUT_TERMINAL).clamp(20, WIDTH_AT_MOST),
            is_live: out && error && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
        }
    }

    /// Writes lines to standard output.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn lines<T: AsRef<str>>(&self, lines: impl IntoIterator<Item = T>) -> Result<(), Fail> {
        let mut text = String::new();
        for line in lines {
            text.push_str(line.as_ref());
            text.push('\n');
        }
        self.raw(text.as_bytes())
    }

    /// Writes one line to standard output.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn line(&self, line: &str) -> Result<(), Fail> {
        self.lines([line])
    }

    /// Writes bytes to standard output as they are.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn raw(&self, bytes: &[u8]) -> Result<(), Fail> {
        let mut handle = std::io::stdout().lock();
        handle.write_all(bytes).and_then(|()| handle.flush()).map_err(unwritten)
    }

    /// Writes a value as indented JSON.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn json<T: Serialize>(&self, value: &T) -> Result<(), Fail> {
        self.line(&inert_json(&serde_json::to_string_pretty(value).map_err(unread)?))
    }

    /// Writes a value as one line of JSON.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn json_line<T: Serialize>(&self, value: &T) -> Result<(), Fail> {
        self.line(&inert_json(&serde_json::to_string(value).map_err(unread)?))
    }

    /// Writes a remark to standard error; a remark that cannot be written is nobody's loss.
    pub fn remark(&self, text: &str) {
        let mut handle = std::io::stderr().lock();
        let _ = writeln!(handle, "{text}");
    }
}

/// Writes the characters that act on a terminal as JSON escapes: the same value, but safe to look at.
pub fn inert_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_active(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn unwritten(error: std::io::Error) -> Fail {
    if error.kind() == ErrorKind::BrokenPipe {
        return Fail::closed_pipe();
    }
    Fail::new(Exit::Unfit, "write to standard output").because(error)
}

fn unread(error: serde_json::Error) -> Fail {
    Fail::new(Exit::Bug, "write the answer as JSON").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn json_is_safe_to_look_at_and_means_the_same(text in any::<String>()) {
            let json = inert_json(&serde_json::to_string_pretty(&[&text]).unwrap());
            prop_assert!(!json.chars().any(|c| c != '\n' && is_active(c)));
            prop_assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap(), vec![text]);
        }
    }
}
