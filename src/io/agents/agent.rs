//! Owns what all agents have in common: how one plays a brief, and what its report is. Never believes a report.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use super::brief::{Brief, Desk};
use super::handoff::HandoffFault;
use crate::io::process::{How, Program};
use crate::model::attempt::Handoff;

/// Says how an agent plays a brief.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Play {
    /// By a process in the hands, in the attempt's worktree.
    Process {
        /// What is run.
        program: Program,
        /// Files for its desk, by name.
        files: BTreeMap<String, String>,
        /// Environment beside the one that every process gets.
        env: BTreeMap<String, String>,
    },
    /// By rewriting files in memory, without a process.
    Rewrite,
}

/// Tells what an agent said of its attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whether it means to have done its task.
    pub stance: Stance,
    /// What it hands up; empty where it left none or none that can be read.
    pub handoff: Handoff,
}

/// Says whether an agent means to have done its task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stance {
    /// It does.
    Done,
    /// It does not, or did not live to say so.
    Failed {
        /// What happened, with the last lines of its output.
        why: String,
    },
    /// It cannot go on until something is there.
    Blocked {
        /// What is missing.
        missing: String,
    },
}

/// Plays briefs, one attempt at a time.
pub trait Agent {
    /// Says how the brief is to be played from a desk.
    ///
    /// # Errors
    /// Fails where the agent cannot play this brief at all.
    fn play(&self, brief: &Brief, desk: &Desk) -> Result<Play, AgentError>;

    /// Reads what an attempt that was a process has left: how it ended, the end of its output, and its handoff.
    fn read(&self, how: How, tail: &str, handoff: Result<Option<Handoff>, HandoffFault>) -> Report {
        let (handoff, fault) = match handoff {
            Ok(handoff) => (handoff.unwrap_or_default(), None),
            Err(fault) => (Handoff::default(), Some(fault)),
        };
        let stance = match (how, &handoff.blocked, fault) {
            (How::Exited(_), Some(missing), None) => Stance::Blocked { missing: missing.clone() },
            (How::Exited(0), None, None) => Stance::Done,
            (How::Exited(0), _, Some(fault)) => Stance::Failed { why: fault.to_string() },
            (
                How::Exited(_)
                | How::Signalled(_)
                | How::WallLimit
                | How::IdleLimit
                | How::OutputLimit
                | How::Cancelled
                | How::InitLost,
                ..,
            ) => Stance::Failed { why: with_last_lines(&how.to_string(), tail) },
        };
        Report { stance, handoff }
    }
}

/// Lines of output that a failure quotes.
const QUOTED_LINES: usize = 20;

/// Adds the end of an output to a sentence.
fn with_last_lines(sentence: &str, tail: &str) -> String {
    let lines: Vec<&str> = tail.trim_end().lines().collect();
    let last = lines[lines.len().saturating_sub(QUOTED_LINES)..].join("\n");
    if last.is_empty() { format!("{sentence}, without output") } else { format!("{sentence}:\n{last}") }
}

/// Says why an agent could not be set to work.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The attempt's folder could not be prepared.
    #[error("prepare {}", path.display())]
    Desk {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The brief could not be put into words.
    #[error("write the brief as JSON")]
    Brief(#[source] serde_json::Error),
    /// A part file has faults.
    #[error("read the part {name}: {}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Part {
        /// The file.
        name: String,
        /// All that is wrong with it.
        faults: Vec<super::script::PartFault>,
    },
    /// A part does not say what its player was asked for.
    #[error("play the part {name}: it has no `{wanted}`")]
    NoSuchPart {
        /// The file.
        name: String,
        /// The section that is missing.
        wanted: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::agents::Command;

    fn read(how: How, tail: &str, handoff: Result<Option<Handoff>, HandoffFault>) -> Report {
        Command::new("true".to_owned()).read(how, tail, handoff)
    }

    #[test]
    fn only_an_exit_with_0_is_done() {
        assert_eq!(read(How::Exited(0), "", Ok(None)).stance, Stance::Done);
        for how in [How::Exited(1), How::Signalled(9), How::WallLimit, How::InitLost] {
            let Stance::Failed { why } = read(how, "line\n", Ok(None)).stance else { panic!("{how} is no failure") };
            assert_eq!(why, format!("{how}:\nline"));
        }
    }

    #[test]
    fn a_failure_quotes_the_last_lines_only() {
        let tail: String = (0..100).map(|n| format!("{n}\n")).collect();
        let Stance::Failed { why } = read(How::Exited(2), &tail, Ok(None)).stance else { panic!("no failure") };
        assert_eq!(why.lines().count(), 1 + QUOTED_LINES);
        assert!(why.ends_with("\n99"));
    }

    #[test]
    fn who_says_what_is_missing_is_blocked_whatever_the_code() {
        let handoff = Handoff { blocked: Some("a compiler".to_owned()), ..Handoff::default() };
        let blocked = Stance::Blocked { missing: "a compiler".to_owned() };
        assert_eq!(read(How::Exited(0), "", Ok(Some(handoff.clone()))).stance, blocked);
        assert_eq!(read(How::Exited(1), "", Ok(Some(handoff.clone()))).stance, blocked);
        let killed = read(How::OutputLimit, "", Ok(Some(handoff))).stance;
        assert_eq!(killed, Stance::Failed { why: "wrote too much output, without output".to_owned() });
    }
}
