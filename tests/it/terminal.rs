//! Owns a terminal to run the real binary in: a pseudo-terminal of a given size that is the program's own, what came to
//! its other end, and what stands on its screen.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// How long something may take to come to the screen.
const PATIENCE: Duration = Duration::from_secs(60);
/// What ends each drawing of the live view.
const DRAWN: &[u8] = b"\x1b[?25l";

/// What a program wrote to its terminal, byte for byte, and how it exited.
pub struct Shown {
    pub code: Option<i32>,
    pub bytes: Vec<u8>,
}

impl Shown {
    /// Gives the text with all control sequences taken out.
    pub fn text(&self) -> String {
        console::strip_ansi_codes(&String::from_utf8_lossy(&self.bytes)).into_owned()
    }

    /// Gives the bytes as text.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Gives the screen after each drawing of the live view, and at the end.
    pub fn screens(&self, rows: u16, columns: u16) -> Vec<String> {
        let mut parser = vt100::Parser::new(rows, columns, 0);
        let (mut screens, mut from) = (Vec::new(), 0);
        for at in self.bytes.windows(DRAWN.len()).enumerate().filter(|(_, it)| *it == DRAWN).map(|(at, _)| at) {
            parser.process(&self.bytes[from..at]);
            from = at;
            screens.push(parser.screen().contents());
        }
        parser.process(&self.bytes[from..]);
        screens.push(parser.screen().contents());
        screens
    }
}

/// Runs a program to its end on a terminal of this many rows and columns.
pub fn on_terminal(command: Command, rows: u16, columns: u16) -> Shown {
    on_terminal_typing(command, rows, columns, "")
}

/// Does as [`on_terminal`], with what a person types there, in advance.
pub fn on_terminal_typing(command: Command, rows: u16, columns: u16, typed: &str) -> Shown {
    let mut terminal = Terminal::start(&command, rows, columns);
    terminal.types(typed);
    terminal.end()
}

/// A program on a terminal of its own.
pub struct Terminal {
    master: File,
    child: Child,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

struct Seen {
    parser: vt100::Parser,
    bytes: Vec<u8>,
    is_over: bool,
}

impl Terminal {
    /// Starts a program; the terminal is its controlling one.
    pub fn start(command: &Command, rows: u16, columns: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
        let slave = rustix::fs::open(name.as_c_str(), flags, rustix::fs::Mode::empty()).unwrap();
        tcsetwinsize(slave.as_fd(), size(rows, columns)).unwrap();
        let end = || OwnedFd::from(File::from(slave.try_clone().unwrap()));
        // Makes the process the leader of a session whose terminal is its standard input, and becomes the program.
        let mut leading = Command::new("setsid");
        leading.arg("--ctty").arg(command.get_program()).args(command.get_args()).env_clear();
        leading.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        leading.current_dir(command.get_current_dir().unwrap()).env("TERM", "xterm-256color");
        let child = leading.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        // While this process holds an end, the other one never reads as closed.
        drop((leading, slave));
        let master = File::from(master);
        let parser = vt100::Parser::new(rows, columns, 0);
        let seen = Arc::new((Mutex::new(Seen { parser, bytes: Vec::new(), is_over: false }), Condvar::new()));
        let (reads, shared) = (master.try_clone().unwrap(), Arc::clone(&seen));
        let reader = std::thread::spawn(move || read(reads, &shared));
        Self { master, child, seen, reader: Some(reader) }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Types.
    pub fn types(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Gives the terminal another size, of which the program is told.
    pub fn resize(&self, rows: u16, columns: u16) {
        self.seen.0.lock().unwrap().parser.screen_mut().set_size(rows, columns);
        tcsetwinsize(self.master.as_fd(), size(rows, columns)).unwrap();
    }

    /// Waits until something holds of what stands on the screen, and gives that.
    #[track_caller]
    pub fn until(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let (seen, changed) = &*self.seen;
        let mut seen = seen.lock().unwrap();
        let until = Instant::now() + PATIENCE;
        loop {
            let screen = seen.parser.screen().contents();
            if holds(&screen) {
                return screen;
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!seen.is_over && !left.is_zero(), "it never came that {what}\n{screen}");
            seen = changed.wait_timeout(seen, left).unwrap().0;
        }
    }

    /// Waits until a text stands on the screen, and gives that.
    #[track_caller]
    pub fn until_shown(&self, text: &str) -> String {
        self.until(&format!("`{text}` is shown"), |screen| screen.contains(text))
    }

    /// Tells whether the other screen is shown, which the live view takes.
    pub fn is_taken(&self) -> bool {
        self.seen.0.lock().unwrap().parser.screen().alternate_screen()
    }

    /// Tells whether keys come one by one.
    pub fn is_raw(&self) -> bool {
        let modes = tcgetattr(self.master.as_fd()).unwrap().local_modes;
        !modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }

    /// Waits until the program has ended.
    pub fn end(mut self) -> Shown {
        let code = self.child.wait().unwrap().code();
        let _ = self.reader.take().unwrap().join();
        let bytes = std::mem::take(&mut self.seen.0.lock().unwrap().bytes);
        Shown { code, bytes }
    }
}

fn read(mut master: File, shared: &(Mutex<Seen>, Condvar)) {
    let mut part = [0; 4096];
    while let Ok(read @ 1..) = master.read(&mut part) {
        let mut seen = shared.0.lock().unwrap();
        seen.parser.process(&part[..read]);
        seen.bytes.extend_from_slice(&part[..read]);
        shared.1.notify_all();
    }
    shared.0.lock().unwrap().is_over = true;
    shared.1.notify_all();
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}
