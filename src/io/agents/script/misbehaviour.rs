//! Owns what a scripted worker does wrong on purpose: dying, hanging, flooding, and leaving processes behind.
//! Never touches a file.

use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process, setsid};
use tokio::signal::unix::{SignalKind, signal};

use super::player::{LINGER, SCRIPT_VERB, Stop};

/// Sends a signal to this process; goes on where that does not end it. Sent twice, since the runtime takes the first
/// of those that tell of a bad access for itself.
pub(super) fn raise(number: i32) -> Result<(), Stop> {
    let signal = Signal::from_named_raw(number).ok_or_else(|| Stop::Failed(format!("{number} is no signal")))?;
    for _ in 0..2 {
        kill_process(getpid(), signal).map_err(io::Error::from)?;
    }
    Ok(())
}

/// Never returns.
pub(super) fn hang() -> Result<(), Stop> {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// Writes lines to standard output until they are this many bytes.
pub(super) fn flood(bytes: u64) -> Result<(), Stop> {
    let lines = "all work and no play makes a dull flood of lines to read\n".repeat(1024);
    let mut out = io::stdout().lock();
    let mut left = bytes;
    while left > 0 {
        let n = lines.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        out.write_all(&lines.as_bytes()[..n])?;
        left -= n as u64;
    }
    Ok(out.flush()?)
}

/// Starts processes that outlive this one if they are let.
pub(super) fn leak(children: u32) -> Result<(), Stop> {
    (0..children).try_for_each(|_| start_one().map(drop))
}

/// Starts processes, and ends them when all run at one time.
pub(super) fn fork(children: u32) -> Result<(), Stop> {
    let started: Vec<Result<Child, Stop>> = (0..children).map(|_| start_one()).collect();
    let mut ended = Ok(());
    for child in started {
        ended = ended.and(child.and_then(|mut child| {
            child.kill()?;
            child.wait()?;
            Ok(())
        }));
    }
    ended
}

/// Starts a process that lingers and waits until it has left this one's session.
fn start_one() -> Result<Child, Stop> {
    let mut child = Command::new("/proc/self/exe")
        .args([SCRIPT_VERB, LINGER])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut ready = [0];
    if let Some(out) = &mut child.stdout {
        out.read_exact(&mut ready)?;
    }
    Ok(child)
}

/// Lives in a session of its own until it is killed.
pub(super) fn linger() -> i32 {
    let left = setsid().is_ok();
    let told = io::stdout().write_all(b"!").and_then(|()| io::stdout().flush());
    if left && told.is_ok() {
        let _ = hang();
    }
    1
}

/// Takes SIGTERM from here on without doing anything.
pub(super) fn ignore_term() -> Result<(), Stop> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _in_it = runtime.enter();
    // Whoever has listened once is not ended by the signal any longer, also when nobody listens.
    drop(signal(SignalKind::terminate())?);
    Ok(())
}
