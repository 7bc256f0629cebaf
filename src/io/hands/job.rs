//! Owns what a job is and what is known of it afterwards. Never runs one.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::view::View;
use crate::io::process::{How, Program};
use crate::model::attempt::Usage;

/// Describes one command that is run to its end.
#[derive(Debug, Clone)]
pub struct Job {
    /// What is run; its standard input is empty.
    pub program: Program,
    /// Where it is run.
    pub cwd: PathBuf,
    /// Its whole environment: nothing is inherited.
    pub env: BTreeMap<String, String>,
    /// What it may use.
    pub limits: JobLimits,
    /// What it sees of the machine where it runs in a sandbox; else it sees all.
    pub view: View,
    /// File that its standard output and error go to, as they were written, up to the limit on output.
    pub log: PathBuf,
    /// Who is told whenever something was added to that file.
    pub grown: Option<Arc<Notify>>,
    /// File that it may write to tell the time that it passed without sleeping, as scripted parts do.
    pub clock: PathBuf,
    /// How much of the end of its output is kept in memory, in bytes.
    pub tail_bytes: usize,
}

/// Bounds what a job may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobLimits {
    /// Longest that it may take.
    pub wall: Duration,
    /// Longest that it may be silent.
    pub idle: Duration,
    /// Time between asking it to end and ending it, where there is no hurry.
    pub grace: Duration,
    /// Bytes of output after which it is ended; also the largest size of the log.
    pub output_bytes: u64,
    /// Address space of each process, in bytes; 0 is no bound.
    pub memory_bytes: u64,
    /// Processes of this user at one time; 0 is no bound. Does not bind the superuser.
    pub processes: u64,
    /// Size of one file that it writes, in bytes; 0 is no bound.
    pub file_bytes: u64,
}

impl Default for JobLimits {
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(1800),
            idle: Duration::from_secs(600),
            grace: Duration::from_secs(2),
            output_bytes: 64 << 20,
            memory_bytes: 0,
            processes: 0,
            file_bytes: 1 << 30,
        }
    }
}

/// Says what is known of a job when nothing of it is alive any longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How it ended.
    pub how: How,
    /// What it cost.
    pub usage: Usage,
    /// The end of its output: valid UTF-8 without escape sequences, control characters made visible.
    pub tail: String,
    /// Time that a scripted part passed without sleeping, in milliseconds; only a claim of the job.
    pub virtual_ms: u64,
}

/// Says why a job could not be run; what a job did to itself is no such error.
#[derive(Debug, thiserror::Error)]
pub enum HandsError {
    /// The log could not be made or written.
    #[error("write the log {}", log.display())]
    Log {
        /// The file.
        log: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The pipe for the output could not be made.
    #[error("make a pipe for the output of a job")]
    Pipe(#[source] io::Error),
    /// The watching process could not be started.
    #[error("start {} in {}", init.display(), cwd.display())]
    Init {
        /// The program that watches.
        init: PathBuf,
        /// The folder that it was to run in.
        cwd: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The watching process could not be told what to do, or waited for.
    #[error("speak to the process that watches over a job")]
    Lifeline(#[source] io::Error),
    /// The sandbox could not be made.
    #[error("make a sandbox: {why}")]
    Sandbox {
        /// What who makes it said.
        why: String,
    },
    /// The program itself could not be started.
    #[error("start `{program}`: {why}")]
    NotStarted {
        /// The first word of the command.
        program: String,
        /// What the system said.
        why: String,
    },
}
