//! Owns how a failure reaches a person: what was tried, why not, what to do next, and the exit code. Never prints.

use std::error::Error;
use std::fmt::Write;

use super::exit::Exit;
use super::paint::{Hue, Paint};
use crate::model::inert::{inert, inert_lines};

/// States why a verb could not do what it was asked.
#[derive(Debug)]
pub struct Fail(Box<Kind>);

#[derive(Debug)]
enum Kind {
    Told { exit: Exit, tried: String, cause: Option<Box<dyn Error + Send + Sync>>, hints: Vec<String>, may_pass: bool },
    Rendered { exit: Exit, text: String },
    ClosedPipe,
}

impl Fail {
    /// States what was tried, as a fragment that fits after "failed to".
    pub fn new(exit: Exit, tried: impl Into<String>) -> Self {
        let (tried, hints) = (tried.into(), Vec::new());
        Self(Box::new(Kind::Told { exit, tried, cause: None, hints, may_pass: false }))
    }

    /// Carries diagnostics that were rendered already, such as the faults of a goal file.
    pub fn rendered(exit: Exit, text: String) -> Self {
        Self(Box::new(Kind::Rendered { exit, text }))
    }

    /// Says that whoever read the output went away; it is no failure.
    pub fn closed_pipe() -> Self {
        Self(Box::new(Kind::ClosedPipe))
    }

    /// Tells whether whoever read the output went away.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(*self.0, Kind::ClosedPipe)
    }

    /// Adds why; its own sources are shown too.
    #[must_use]
    pub fn because(mut self, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        if let Kind::Told { cause, .. } = self.0.as_mut() {
            *cause = Some(error.into());
        }
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Kind::Told { hints, .. } = self.0.as_mut() {
            hints.push(hint.into());
        }
        self
    }

    /// Says that the same may go well a while later, with nothing done about it.
    #[must_use]
    pub fn passing(mut self) -> Self {
        if let Kind::Told { may_pass, .. } = self.0.as_mut() {
            *may_pass = true;
        }
        self
    }

    /// Tells whether the same may go well a while later.
    pub fn may_pass(&self) -> bool {
        matches!(*self.0, Kind::Told { may_pass: true, .. })
    }

    /// Gives the exit code.
    pub fn exit(&self) -> Exit {
        match self.0.as_ref() {
            Kind::Told { exit, .. } | Kind::Rendered { exit, .. } => *exit,
            Kind::ClosedPipe => Exit::Done,
        }
    }

    /// Writes the failure for a person; empty where there is nothing to say.
    pub fn render(&self, paint: Paint) -> String {
        match self.0.as_ref() {
            Kind::ClosedPipe => String::new(),
            Kind::Rendered { text, .. } => format!("{}\n", text.trim_end()),
            Kind::Told { exit, tried, cause, hints, may_pass: _ } => {
                let mut text = format!("{} failed to {}", paint.on(Hue::Bad, "error:"), inert(tried));
                let mut next = cause.as_deref().map(|cause| cause as &dyn Error);
                while let Some(cause) = next {
                    let _ = write!(text, ": {}", inert_lines(cause.to_string().trim()));
                    next = cause.source();
                }
                text.push('\n');
                for hint in hints {
                    let _ = writeln!(text, "{} {}", paint.on(Hue::Busy, "hint:"), inert(hint));
                }
                if *exit == Exit::Bug {
                    let hue = paint.on(Hue::Busy, "hint:");
                    let _ =
                        writeln!(text, "{hue} this is a fault of artel's own; `artel doctor --json` helps a report");
                }
                text
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("read the \x1b[31mindex")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_failure_says_what_was_tried_each_cause_and_what_to_do() {
        let inner = std::io::Error::new(std::io::ErrorKind::PermissionDenied, "permission denied");
        let fail = Fail::new(Exit::Unfit, "open /srv/x").because(Outer(inner)).hint("make it readable");
        let plain = fail.render(Paint::plain());
        let want = "error: failed to open /srv/x: read the \\x1b[31mindex: permission denied\nhint: make it readable\n";
        assert_eq!(plain, want);
        assert_eq!(fail.exit().code(), 4);
    }

    #[test]
    fn a_reader_who_went_away_is_no_failure() {
        assert_eq!(Fail::closed_pipe().exit(), Exit::Done);
        assert!(Fail::closed_pipe().render(Paint::plain()).is_empty());
    }
}
