//! Owns what all agents have in common: how one plays a brief, and what its report is. Never believes a report.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::brief::{Brief, Desk};
use super::handoff::HandoffFault;
use super::told::Told;
use crate::io::process::{How, Program, read_small};
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
        /// What it must see of the machine beside what every process sees: where the agent itself is installed.
        read: Vec<PathBuf>,
        /// The folder on its desk in which it keeps its session; none where it keeps that elsewhere, or has none.
        home: Option<&'static str>,
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
    /// What it says of itself.
    pub told: Told,
    /// The last that it said; empty where it said nothing.
    pub said: String,
}

impl Report {
    /// Adds the last that the agent said.
    pub(super) fn saying(self, said: String) -> Self {
        Self { said, ..self }
    }
}

/// Holds what an attempt that was a process has left.
#[derive(Debug)]
pub struct Left<'a> {
    /// How it ended.
    pub how: How,
    /// The end of its output, made readable.
    pub tail: &'a str,
    /// The file with its output as it was written: a stranger's text.
    pub log: &'a Path,
    /// The handoff that it left, if any.
    pub handoff: Result<Option<Handoff>, HandoffFault>,
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
    /// A limit of its account or its provider ended it.
    Limited {
        /// What the provider said.
        why: String,
        /// When the limit is lifted, in milliseconds since 1970, where that was said.
        resets_at_ms: Option<i64>,
    },
}

/// Says what the last event of an agent's own stream tells of its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// The session came to its end without an error.
    Done,
    /// It ended by an error.
    Failed(String),
    /// It ended by a limit.
    Limited(String, Option<i64>),
}

/// Plays briefs, one attempt at a time.
pub trait Agent {
    /// Says how the brief is to be played from a desk.
    ///
    /// # Errors
    /// Fails where the agent cannot play this brief at all.
    fn play(&self, brief: &Brief, desk: &Desk) -> Result<Play, AgentError>;

    /// Reads what an attempt that was a process has left.
    fn read(&self, left: Left<'_>) -> Report {
        let ending = match left.how {
            How::Exited(0) => Some(Ending::Done),
            How::Exited(_)
            | How::Signalled(_)
            | How::WallLimit
            | How::IdleLimit
            | How::OutputLimit
            | How::Cancelled
            | How::InitLost => None,
        };
        // Who says what is missing is believed whatever its exit code: it is a program of any kind.
        let is_blocked =
            matches!((left.how, &left.handoff), (How::Exited(_), Ok(Some(Handoff { blocked: Some(_), .. }))));
        let said = said_in(&left);
        report(left, if is_blocked { Some(Ending::Done) } else { ending }, Told::default()).saying(said)
    }
}

/// Longest output that is taken for what a program said, in bytes; of a longer one, its end is.
const SAID_BYTES: u64 = 4 << 20;

/// Gives all that a program wrote, or the end of it where that is too long.
fn said_in(left: &Left<'_>) -> String {
    let whole = read_small(left.log, SAID_BYTES).ok().flatten();
    whole.map_or_else(|| left.tail.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Makes a report of how a session ended by its own account; without one, or where its process did not exit of itself, it
/// failed.
pub(super) fn report(left: Left<'_>, ending: Option<Ending>, told: Told) -> Report {
    let (handoff, fault) = match left.handoff {
        Ok(handoff) => (handoff.unwrap_or_default(), None),
        Err(fault) => (Handoff::default(), Some(fault)),
    };
    let stance = match (left.how, ending) {
        (How::Exited(_), Some(Ending::Done)) => match (&handoff.blocked, fault) {
            (Some(missing), _) => Stance::Blocked { missing: missing.clone() },
            (None, None) => Stance::Done,
            (None, Some(fault)) => Stance::Failed { why: fault.to_string() },
        },
        (_, Some(Ending::Failed(why))) => Stance::Failed { why },
        (_, Some(Ending::Limited(why, resets_at_ms))) => Stance::Limited { why, resets_at_ms },
        (
            How::Signalled(_) | How::WallLimit | How::IdleLimit | How::OutputLimit | How::Cancelled | How::InitLost,
            Some(Ending::Done),
        )
        | (_, None) => Stance::Failed { why: with_last_lines(&left.how.to_string(), left.tail) },
    };
    Report { stance, handoff, told, said: String::new() }
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
    /// The program that the agent is was not found.
    #[error("find the program `{program}` in PATH: {how}")]
    NotInstalled {
        /// Its name.
        program: String,
        /// How it is got.
        how: String,
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
        Command::new("true".to_owned()).read(Left { how, tail, log: Path::new("/nowhere"), handoff })
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

    #[test]
    fn a_session_is_done_only_where_it_says_so_and_its_process_exits() {
        let told = |how, ending| {
            let left = Left { how, tail: "line", log: Path::new("/nowhere"), handoff: Ok(None) };
            report(left, ending, Told::default()).stance
        };
        assert_eq!(told(How::Exited(1), Some(Ending::Done)), Stance::Done);
        let cut = Stance::Failed { why: "exited with 0:\nline".to_owned() };
        assert_eq!(told(How::Exited(0), None), cut);
        let silent = Stance::Failed { why: "was silent for too long:\nline".to_owned() };
        assert_eq!(told(How::IdleLimit, Some(Ending::Done)), silent);
        let limited = Stance::Limited { why: "enough".to_owned(), resets_at_ms: Some(7) };
        assert_eq!(told(How::Exited(0), Some(Ending::Limited("enough".to_owned(), Some(7)))), limited);
        assert_eq!(
            told(How::Exited(0), Some(Ending::Failed("no".to_owned()))),
            Stance::Failed { why: "no".to_owned() }
        );
    }

    #[test]
    fn a_session_with_an_error_is_not_blocked_by_what_its_handoff_says() {
        let handoff = Handoff { blocked: Some("a compiler".to_owned()), ..Handoff::default() };
        let left =
            |handoff| Left { how: How::Exited(0), tail: "", log: Path::new("/nowhere"), handoff: Ok(Some(handoff)) };
        let failed = report(left(handoff.clone()), Some(Ending::Failed("401".to_owned())), Told::default());
        assert_eq!(failed.stance, Stance::Failed { why: "401".to_owned() });
        let blocked = report(left(handoff), Some(Ending::Done), Told::default());
        assert_eq!(blocked.stance, Stance::Blocked { missing: "a compiler".to_owned() });
    }
}
