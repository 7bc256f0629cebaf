//! Owns the programs of agents that `.ci/test` installs: where they lie, and how one is run by itself. Never looks for
//! those of whoever runs the tests.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::model::PATIENCE;

/// A program of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cli {
    Claude,
    Codex,
    Goose,
}

impl Cli {
    /// Gives the program itself, past what only starts it; says so where it is not here.
    #[expect(clippy::print_stderr, reason = "whoever runs the tests must know what was not tested")]
    pub fn program(self) -> Option<PathBuf> {
        let below = match self {
            Self::Claude => "@anthropic-ai/claude-code-linux-x64/claude",
            Self::Codex => "@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex",
            Self::Goose => "@aaif/goose-binary-linux-x64/bin/goose",
        };
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/agents/node_modules").join(below);
        if !program.exists() {
            assert!(std::env::var_os("CI").is_none(), "{self:?} is not here: .ci/test installs it");
            eprintln!("skipped: {self:?} is not here; .ci/test installs it where it may");
            return None;
        }
        Some(program)
    }
}

/// What a program printed and how it exited.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Runs a program in a process group of its own, and leaves nothing of the group. What it prints goes by files below
/// `beside`, since a pipe ends no sooner than the last who holds it.
#[track_caller]
pub fn ran(command: &mut Command, beside: &Path) -> Ran {
    let (out, err) = (beside.join("out"), beside.join("err"));
    command.stdin(Stdio::null()).stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
    let mut child = command.process_group(0).spawn().unwrap();
    let group = Pid::from_child(&child);
    let (tell, told) = mpsc::channel();
    // Left unreaped until the group is killed, so that its number stays its own.
    let waiting = thread::spawn(move || {
        let ended = waitid(WaitId::Pid(group), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        tell.send(ended.is_ok())
    });
    let in_time = told.recv_timeout(PATIENCE).is_ok();
    let _ = kill_process_group(group, Signal::KILL);
    let _ = waiting.join();
    let code = child.wait().unwrap().code();
    let read = |path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let ran = Ran { code, out: read(out), err: read(err) };
    assert!(in_time, "{command:?} did not end: {ran:#?}");
    ran
}
