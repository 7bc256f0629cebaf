//! Owns a terminal to run the real binary in: a pseudo-terminal of a given size, and what came to its other end.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

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
}

/// Runs a program to its end on a terminal of this many rows and columns.
pub fn on_terminal(command: Command, rows: u16, columns: u16) -> Shown {
    on_terminal_typing(command, rows, columns, "")
}

/// Does as [`on_terminal`], with what a person types there, in advance.
pub fn on_terminal_typing(mut command: Command, rows: u16, columns: u16, typed: &str) -> Shown {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let slave = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    tcsetwinsize(slave.as_fd(), Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let end = || OwnedFd::from(slave.try_clone().unwrap());
    command.env("TERM", "xterm-256color").stdin(end()).stdout(end()).stderr(end());
    let mut child = command.spawn().unwrap();
    // While this process holds an end, the other one never reads as closed.
    drop((command, slave));
    let mut bytes = Vec::new();
    let mut master = File::from(master);
    master.write_all(typed.as_bytes()).unwrap();
    let mut part = [0; 4096];
    while let Ok(read @ 1..) = master.read(&mut part) {
        bytes.extend_from_slice(&part[..read]);
    }
    Shown { code: child.wait().unwrap().code(), bytes }
}
