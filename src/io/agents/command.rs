//! Owns the agent that is any program: it reads its brief from files, works in its worktree, and reports by its exit
//! code and a handoff. Never knows which program it is.

use super::agent::{Agent, AgentError, Play};
use super::brief::{Brief, Desk};
use crate::io::process::Program;

/// Plays briefs by a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    line: String,
}

impl Command {
    /// Takes a line for `sh -c`.
    pub fn new(line: String) -> Self {
        Self { line }
    }
}

impl Agent for Command {
    fn play(&self, brief: &Brief, desk: &Desk) -> Result<Play, AgentError> {
        let program = Program::Shell(self.line.clone());
        Ok(Play::Process { program, files: brief.files()?, env: brief.env(desk), read: Vec::new(), home: None })
    }
}
