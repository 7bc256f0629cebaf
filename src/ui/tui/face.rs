//! Owns the live view as a whole: the terminal that it has taken, what was shown last, and what a person is doing there.

use std::io;

use super::draw::draw;
use super::input::Heard;
use super::screen::Screen;
use super::view::{Stance, View, Wish};
use crate::ui::cli::paint::Hue;
use crate::views::board::Board;
use crate::views::cost::Cost;

/// Shows a run on the terminal.
pub struct Face {
    screen: Screen,
    view: View,
    has_colour: bool,
    shown: Option<(Board, Cost)>,
}

impl Face {
    /// Takes the terminal.
    ///
    /// # Errors
    /// Where it cannot be written or set.
    pub fn open(stance: Stance, has_keys: bool, has_colour: bool) -> io::Result<Self> {
        let (screen, view) = (Screen::take(has_keys)?, View::new(stance, has_keys));
        Ok(Self { screen, view, has_colour, shown: None })
    }

    /// Shows where the run stands.
    pub fn show(&mut self, board: Board, cost: Cost) {
        self.view.keep_up(&board);
        self.shown = Some((board, cost));
        self.draw();
    }

    /// Takes what a person did at the terminal; gives what is wished for by it, if anything.
    pub fn hear(&mut self, heard: &Heard) -> Option<Wish> {
        let wish = match (heard, &self.shown) {
            (Heard::Key(key), Some((board, _))) => self.view.press(*key, board),
            (Heard::Paste(text), _) => {
                self.view.paste(text);
                None
            }
            (Heard::Key(_) | Heard::Resized, _) => None,
            (Heard::Interrupt, _) => Some(Wish::Interrupt),
            (Heard::Terminate, _) => Some(Wish::Terminate),
            (Heard::Suspend, _) => Some(Wish::Suspend),
        };
        if wish == Some(Wish::Redraw) {
            self.screen.forget();
        }
        self.draw();
        wish
    }

    /// Says something below the board.
    pub fn say(&mut self, hue: Hue, text: impl Into<String>) {
        self.view.say(hue, text);
        self.draw();
    }

    /// Says what this process is to the run from here on.
    pub fn stand(&mut self, stance: Stance) {
        self.view.stance = stance;
        self.draw();
    }

    /// Tells whether a person can press keys.
    pub fn has_keys(&self) -> bool {
        self.view.has_keys
    }

    /// Stops this process until it is told to go on; tells whether it has the terminal again then.
    pub fn suspend(&mut self) -> bool {
        let could = self.screen.suspend();
        self.draw();
        could
    }

    fn draw(&mut self) {
        if let Some((board, cost)) = &self.shown {
            let (view, has_colour) = (&self.view, self.has_colour);
            self.screen.draw(|frame| draw(frame, board, cost, view, has_colour));
        }
    }
}
