//! Owns the hidden verb under which artel is the client: it starts the agent, writes the transcript, and ends what it
//! started. Judges nothing.

use std::env;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::bridge::{ToolsPlace, masked};
use super::outcome::{MARK, Outcome, Trouble, cut};
use super::session::{Order, Resumes, Session};
use super::wire::{Heard, Peer, listen};

/// Hidden verb under which artel speaks to an agent: `__acp -- COMMAND…`; the brief is the file that `ARTEL_BRIEF` names.
pub const ACP_VERB: &str = "__acp";

/// Names the variable that holds the agent's own name for the session that is taken up again.
pub(super) const RESUME_VARIABLE: &str = "ARTEL_RESUME";
/// Names the variable that holds the place of the file with the words by which it goes on.
pub(super) const GO_ON_VARIABLE: &str = "ARTEL_GO_ON";

/// Names the variable that holds how hard the agent is to think.
pub(super) const EFFORT_VARIABLE: &str = "ARTEL_EFFORT";

/// Longest wait for each answer before the turn. The slowest agent that was measured takes ten seconds on a machine that
/// does nothing else.
const PATIENCE: Duration = Duration::from_secs(180);
/// Longest wait for the end of a turn that was cancelled; less than the job's own time between asking and ending.
const GRACE: Duration = Duration::from_millis(1200);
/// Longest wait for the agent to go by itself when its input has ended.
const FAREWELL: Duration = Duration::from_millis(500);
/// Longest line of the agent's standard error that is passed on, in bytes.
const ASIDE_BYTES_MOST: usize = 64 << 10;

/// Has the session that the command line and the environment name; gives the exit code, which nobody is to judge by.
pub fn acp_main() -> i32 {
    let outcome = Call::from_environment().and_then(|call| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Trouble::own(format!("failed to begin: {error}")))?;
        runtime.block_on(call.run())
    });
    let outcome = outcome.unwrap_or_else(|trouble| Outcome {
        artel: MARK.to_owned(),
        error: Some(trouble),
        ..Outcome::default()
    });
    let is_done = outcome.error.is_none();
    match serde_json::to_value(&outcome) {
        Ok(line) => write(&line),
        Err(error) => write(&json!({"garbage": error.to_string()})),
    }
    i32::from(!is_done)
}

/// Holds what the verb was called with.
struct Call {
    words: Vec<String>,
    order: Order,
}

impl Call {
    fn from_environment() -> Result<Self, Trouble> {
        let failed = |what: &str, error: &dyn std::fmt::Display| Trouble::own(format!("failed to {what}: {error}"));
        let mut words = env::args().skip(2);
        let words: Vec<String> = if words.next().as_deref() == Some("--") { words.collect() } else { Vec::new() };
        if words.is_empty() {
            return Err(Trouble::own("there is no command after `--`"));
        }
        let brief = env::var("ARTEL_BRIEF").map_err(|error| failed("find ARTEL_BRIEF", &error))?;
        let brief = std::fs::read_to_string(&brief).map_err(|error| failed("read the brief", &error))?;
        let cwd: PathBuf = env::current_dir().map_err(|error| failed("find where it is run", &error))?;
        let resumes = match (env::var(RESUME_VARIABLE), env::var(GO_ON_VARIABLE)) {
            (Ok(session), Ok(words)) => {
                let words = std::fs::read_to_string(&words).map_err(|error| failed("read how to go on", &error))?;
                Some(Resumes { session, words })
            }
            (Ok(_) | Err(_), Ok(_) | Err(_)) => None,
        };
        let tools = ToolsPlace::from_environment();
        let effort = env::var(EFFORT_VARIABLE).ok();
        Ok(Self { words, order: Order { brief, resumes, cwd, tools, effort, patience: PATIENCE, grace: GRACE } })
    }

    async fn run(self) -> Result<Outcome, Trouble> {
        let failed = |what: &str, error: &io::Error| Trouble::own(format!("failed to {what}: {error}"));
        let mut asked_to_end = signal(SignalKind::terminate()).map_err(|error| failed("listen for signals", &error))?;
        let mut child = Command::new(&self.words[0])
            .args(&self.words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(&format!("start {}", self.words[0]), &error))?;
        let (Some(to), Some(from), Some(aside)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
            return Err(Trouble::own("failed to speak to the agent: it has no pipes"));
        };
        let asides = tokio::spawn(pass_on(aside));
        let stop = Box::pin(async move {
            asked_to_end.recv().await;
        });
        let mut transcript = |line: Value| write(&line);
        let mut outcome = Session::new(Peer::new(from, to), stop, &mut transcript).run(self.order).await;
        let exit = end(&mut child).await;
        // What it wrote aside is read to its end, unless somebody who outlived it holds that open.
        let last = tokio::time::timeout(FAREWELL, asides).await.ok().and_then(Result::ok).unwrap_or_default();
        if let Some(trouble) = outcome.error.as_mut().filter(|trouble| trouble.code.is_none()) {
            let exit = exit.map(|exit| format!("; it ended by itself: {exit}")).unwrap_or_default();
            let said = if last.is_empty() { String::new() } else { format!("; it wrote: {}", last.join("\n")) };
            trouble.message = cut(&format!("{}{exit}{said}", trouble.message));
        }
        Ok(outcome)
    }
}

/// Lets the agent go, and ends it and all of its group where it does not; tells how it went by itself.
async fn end(child: &mut Child) -> Option<std::process::ExitStatus> {
    let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let exit = tokio::time::timeout(FAREWELL, child.wait()).await.ok().and_then(Result::ok);
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
    if exit.is_none() {
        let _ = child.wait().await;
    }
    exit
}

/// Lines written aside that an error quotes.
const ASIDES_QUOTED: usize = 10;

/// Writes what the agent writes aside into the transcript; gives the last lines.
async fn pass_on(aside: impl tokio::io::AsyncRead + Unpin + Send + 'static) -> Vec<String> {
    let (hear, mut heard) = mpsc::channel(1);
    tokio::spawn(async move { listen(aside, ASIDE_BYTES_MOST, hear).await });
    let mut last = Vec::new();
    while let Some(next) = heard.recv().await {
        let text = match next {
            Heard::Line(line) => String::from_utf8_lossy(&line).into_owned(),
            Heard::TooLong => "(a line that is too long)".to_owned(),
        };
        write(&json!({"aside": &text}));
        if last.len() == ASIDES_QUOTED {
            last.remove(0);
        }
        last.push(text);
    }
    last
}

/// Writes one line; where nobody reads, nobody is missed.
fn write(line: &Value) {
    let line = masked(line.to_string());
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
