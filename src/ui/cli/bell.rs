//! Owns how the terminal in which a run is followed draws a person's attention: its bell, and a notice of the desktop's
//! where the terminal shows one. Silent where there is no terminal, and where the user has not asked for it.

use std::collections::BTreeSet;
use std::io::Write;

use super::out::Out;
use super::seam::Place;
use crate::app;
use crate::model::inert::fit;
use crate::model::notice::{Cause, Notice};

/// Longest text that a desktop is given, in columns.
const WIDTH: usize = 200;

/// Rings.
pub struct Bell {
    rings: bool,
    shows: bool,
    on: BTreeSet<Cause>,
}

impl Bell {
    /// Reads whether the user wants any of it; nothing where not, or where there is no terminal.
    pub fn of(out: &Out, place: &Place) -> Option<Self> {
        if !out.is_live {
            return None;
        }
        let here = place.here().ok()?;
        // Whoever hosts the run refuses a faulty file; who only looks on does without.
        let config = app::read_channels(&here.dir, &here.env).ok()?;
        let bell = Self { rings: config.bell, shows: config.desktop, on: config.on };
        (bell.rings || bell.shows).then_some(bell)
    }

    /// Draws attention to a notice.
    pub fn ring(&self, notice: &Notice) {
        if let Some(text) = self.written(notice) {
            // A terminal that cannot be written to is nobody's loss.
            let mut terminal = std::io::stderr().lock();
            let _ = terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush());
        }
    }

    fn written(&self, notice: &Notice) -> Option<String> {
        if !self.on.contains(&notice.cause) {
            return None;
        }
        // It begins with the word `artel`: terminals take a number there for a command.
        let shown = format!("\x1b]9;artel: {}\x07", fit(&notice.line(), WIDTH));
        Some([self.rings.then_some("\x07"), self.shows.then_some(&*shown)].into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inert::is_active;
    use crate::views::notices::Noticing;
    use crate::views::story::{HOSTILE, Story};

    #[test]
    fn what_a_desktop_is_given_ends_nothing_early() {
        let mut noticing = Noticing::default();
        let mut state = crate::machine::state::State::default();
        let bell = Bell { rings: true, shows: true, on: [Cause::Failed].into() };
        let mut rung = 0;
        for recorded in &Story::incomplete(HOSTILE).events {
            state = crate::machine::evolve::evolve(state, recorded);
            for notice in noticing.learn(&state, recorded) {
                let Some(text) = bell.written(&notice) else {
                    assert_ne!(notice.cause, Cause::Failed);
                    continue;
                };
                let inner = text.strip_prefix("\x07\x1b]9;artel: ").unwrap().strip_suffix('\x07').unwrap();
                assert!(!inner.chars().any(is_active), "{inner:?}");
                rung += 1;
            }
        }
        assert!(rung > 2, "{rung}");
    }
}
