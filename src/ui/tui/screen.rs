//! Owns the terminal while the live view has it: the other screen, keys that come one by one, and that both are given
//! back however the process goes on or ends. Never decides what is drawn.

use std::io::{self, BufWriter, IsTerminal, Stderr, stderr, stdin};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};
use ratatui::layout::Rect;
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};
use rustix::process::{Signal, getpgrp, getpid, kill_process};
use rustix::termios::tcgetpgrp;

/// Whether the terminal is taken, and whether its keys are.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);
static HAS_KEYS: AtomicBool = AtomicBool::new(false);

/// Tells whether keys can be read here: standard input is a terminal. Nothing where the terminal belongs to another job
/// at present: whoever takes it then is stopped by the system.
pub fn can_take() -> Option<bool> {
    let is_others = |it: std::os::fd::BorrowedFd<'_>| tcgetpgrp(it).is_ok_and(|group| group != getpgrp());
    let (keys, screen) = (stdin(), stderr());
    if is_others(keys.as_fd()) || is_others(screen.as_fd()) {
        return None;
    }
    Some(keys.is_terminal())
}

/// Gives the terminal back, where it was taken; also called from a panic, on whatever thread.
pub fn give_back() {
    if IS_TAKEN.swap(false, Ordering::SeqCst) {
        // A terminal that cannot be written to is nobody's loss.
        let _ = execute!(stderr(), DisableBracketedPaste, Show, LeaveAlternateScreen);
        if HAS_KEYS.swap(false, Ordering::SeqCst) {
            let _ = disable_raw_mode();
        }
    }
}

/// Holds the terminal until it is dropped.
pub struct Screen {
    terminal: Drawn,
    size: (u16, u16),
    has_keys: bool,
}

type Drawn = Terminal<CrosstermBackend<BufWriter<Stderr>>>;

/// Begins on an empty screen of this size. Its size is followed here: the library's own way to follow it asks the terminal
/// where the cursor is, and waits for the answer among the keys.
fn empty(size: (u16, u16)) -> io::Result<Drawn> {
    let viewport = Viewport::Fixed(Rect::new(0, 0, size.0, size.1));
    Terminal::with_options(CrosstermBackend::new(BufWriter::new(stderr())), TerminalOptions { viewport })
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// Where it cannot be written or set.
    pub fn take(has_keys: bool) -> io::Result<Self> {
        let size = size()?;
        let screen = Self { terminal: empty(size)?, size, has_keys };
        screen.enter()?;
        Ok(screen)
    }

    fn enter(&self) -> io::Result<()> {
        IS_TAKEN.store(true, Ordering::SeqCst);
        if self.has_keys {
            enable_raw_mode()?;
            HAS_KEYS.store(true, Ordering::SeqCst);
        }
        execute!(stderr(), EnterAlternateScreen, EnableBracketedPaste, Hide)
    }

    /// Draws, unless the terminal was given back meanwhile.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) {
        if IS_TAKEN.load(Ordering::SeqCst) {
            if size().is_ok_and(|now| now != self.size) {
                self.forget();
            }
            let _ = self.terminal.draw(draw);
        }
    }

    /// Has the next drawing be of everything.
    pub fn forget(&mut self) {
        let _ = execute!(stderr(), Clear(ClearType::All));
        if let Ok(now) = size()
            && let Ok(terminal) = empty(now)
        {
            (self.terminal, self.size) = (terminal, now);
        }
    }

    /// Stops this process as Ctrl-Z does, and takes the terminal again when it goes on; tells whether it could.
    pub fn suspend(&mut self) -> bool {
        give_back();
        let _ = kill_process(getpid(), Signal::STOP);
        let could = can_take() == Some(self.has_keys) && self.enter().is_ok();
        if could {
            self.forget();
        }
        could
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}
