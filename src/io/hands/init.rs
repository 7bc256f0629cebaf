//! Owns the process that stands between artel and a job: it starts the job's command, watches the lifeline, and ends
//! all that the command has started before it ends itself. Never outlives its lifeline. In a namespace of processes it
//! is the first of them, with whose end the kernel ends all others.
//!
//! The lifeline is a socket pair on standard input. What to start comes in on it, how the command ended goes out on it;
//! the command is given neither, nor any way to this process's memory and descriptors.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{
    DumpableBehavior, Pid, Resource, Rlimit, Signal, WaitOptions, WaitStatus, getpid, kill_process, kill_process_group,
    set_child_subreaper, set_dumpable_behavior, setrlimit, setsid, wait,
};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{Signal as Deaths, SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use super::seccomp::{self, Beside};
use super::{landlock, procs};
use crate::io::process::keep_standard_descriptors;

/// Hidden verb under which artel runs itself as a job's init.
pub const INIT_VERB: &str = "__init";

/// What a coordinator writes on the lifeline to ask for an end without hurry; closing it asks for an end at once.
pub(super) const STOP: &[u8] = b"stop\n";

/// What an init says first, so that one that never came to life is told from one that was lost.
pub(super) const ALIVE: u8 = b'+';

/// What an init says with the descriptor of its gate.
pub(super) const GATE: u8 = b'g';

/// Names the variable that tells a command where its gate is: `127.0.0.1:PORT`.
pub(super) const GATE_VARIABLE: &str = "ARTEL_GATE";
/// Stands in the values of a job's environment for where its gate is, which is known when the job begins.
pub const GATE_PLACE: &str = "{artel-gate}";

/// Tells an init what to start; one line of JSON on its standard input.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Spec {
    pub(super) argv: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) memory_bytes: u64,
    pub(super) processes: u64,
    pub(super) file_bytes: u64,
    pub(super) grace_ms: u64,
    pub(super) walls: Walls,
    /// Whether it has a gate: a port of its loopback address on which somebody outside listens.
    pub(super) has_gate: bool,
}

/// Says what an init puts round the command before it runs; namespaces are there already.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Walls {
    /// Nothing.
    None,
    /// The filter of system calls.
    Seccomp,
    /// Landlock, and a filter of what it does not know.
    Landlock(landlock::Allowed),
}

/// Tells the coordinator how the command ended; one JSON document on the lifeline.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) end: End,
    pub(super) cpu_ms: u64,
    pub(super) leaked: u32,
}

/// Says how the command itself ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum End {
    Exited(i32),
    Signalled(i32),
    NotStarted(String),
}

/// Runs one job as its init and gives the exit code: 0 where the report was made.
///
/// Must be called before the process has threads. The job's standard output and error are this process's own.
pub fn init_main() -> i32 {
    match attend() {
        Ok(()) => 0,
        Err(error) => {
            let _ = writeln!(io::stderr(), "artel: failed to watch over a job: {error}");
            1
        }
    }
}

fn attend() -> io::Result<()> {
    let mut lifeline = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    if lifeline.write_all(&[ALIVE]).is_err() {
        // There is no coordinator at the other end, and so nothing to watch over.
        return Ok(());
    }
    setsid()?;
    set_child_subreaper(Some(getpid()))?;
    keep_standard_descriptors()?;
    // From here on no process of the same user without further rights reaches this one's memory and descriptors.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let Some((mut spec, told_to_stop)) = read_spec()? else { return Ok(()) };
    if spec.has_gate {
        open_gate(&lifeline, &mut spec)?;
    }
    let grace = Duration::from_millis(spec.grace_ms);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let deaths = runtime.block_on(async { signal(SignalKind::child()) })?;
    let most = crowd_at(&spec);
    let account = match start(spec) {
        Ok(command) => {
            let watched = runtime.block_on(watch(command, deaths, (told_to_stop, grace), most));
            // A crowd forks faster than it can be ended one by one; it ends with this process, which is its first.
            let crowded = matches!(watched, Ok((_, Close::Crowded)));
            let met = if crowded { 0 } else { procs::end_descendants(command) };
            let (end, close) = watched?;
            Account { end, cpu_ms: procs::cpu_of_reaped_ms(), leaked: if close == Close::OfItself { met } else { 0 } }
        }
        Err(error) => Account { end: End::NotStarted(error.to_string()), cpu_ms: 0, leaked: 0 },
    };
    lifeline.set_nonblocking(false)?;
    lifeline.write_all(&serde_json::to_vec(&account)?)
}

/// Opens a port of this side's loopback address, and hands it out over the lifeline: whoever connects to it speaks to the
/// coordinator, from a network that leads nowhere else.
fn open_gate(lifeline: &UnixStream, spec: &mut Spec) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    let rights = [listener.as_fd()];
    beside.push(SendAncillaryMessage::ScmRights(&rights));
    sendmsg(lifeline, &[io::IoSlice::new(&[GATE])], &mut beside, SendFlags::NOSIGNAL)?;
    let place = format!("{}:{port}", Ipv4Addr::LOCALHOST);
    spec.env
        .values_mut()
        .filter(|value| value.contains(GATE_PLACE))
        .for_each(|it| *it = it.replace(GATE_PLACE, &place));
    spec.env.insert(GATE_VARIABLE.to_owned(), place);
    if let Walls::Landlock(allowed) = &mut spec.walls {
        allowed.let_connect(port);
    }
    Ok(())
}

/// Reads the first line of the lifeline; nothing where it was closed first. Tells too whether more came with it.
fn read_spec() -> io::Result<Option<(Spec, bool)>> {
    let (mut line, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let n = rustix::io::retry_on_intr(|| rustix::io::read(io::stdin().as_fd(), &mut chunk))?;
        if n == 0 {
            return Ok(None);
        }
        line.extend_from_slice(&chunk[..n]);
        if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            let spec = serde_json::from_slice(&line[..end])?;
            return Ok(Some((spec, line.len() > end + 1)));
        }
    }
}

/// Starts the command in a process group of its own. The limits are set on this process, since it can neither run
/// code between fork and exec nor raise them again, and needs little itself. The walls are put round a thread and so
/// round what it starts: this process must go on to end and reap what is in them.
fn start(spec: Spec) -> io::Result<Pid> {
    let (program, arguments) =
        spec.argv.split_first().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no program is named"))?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(&spec.env).stdin(Stdio::null()).process_group(0);
    limit(Resource::Core, Some(0))?;
    match spec.walls {
        Walls::None | Walls::Seccomp => limit(Resource::Nproc, bound(spec.processes))?,
        // The kernel would count in all other processes of the user: this one counts.
        Walls::Landlock(_) => {}
    }
    limit(Resource::Fsize, bound(spec.file_bytes))?;
    limit(Resource::As, bound(spec.memory_bytes))?;
    let child = match spec.walls {
        Walls::None => command.spawn()?,
        Walls::Seccomp => within(move || seccomp::put_on(Beside::Namespaces).and_then(|()| command.spawn()))?,
        Walls::Landlock(allowed) => {
            keep_in_group(&mut command)?;
            within(move || landlock::put_on(&allowed).and_then(|()| command.spawn()))?
        }
    };
    i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other("a process id is out of range"))
}

/// Has the command put on a filter by which nothing of it leaves its process group, once it is in it.
fn keep_in_group(command: &mut Command) -> io::Result<()> {
    let filter = seccomp::staying_in_group()?;
    let put_on =
        move || seccompiler::apply_filter(&filter).map_err(|_| io::Error::from(io::ErrorKind::PermissionDenied));
    #[expect(unsafe_code, reason = "it makes two system calls with what was made before, and allocates nothing")]
    unsafe {
        command.pre_exec(put_on);
    }
    Ok(())
}

/// How often the processes are counted where no limit binds.
const COUNT_EVERY: Duration = Duration::from_millis(250);

/// Gives the number of processes over which all are ended, where the kernel's own limit does not bind: it counts by
/// user and not by job where there are no namespaces, and lets the superuser be.
fn crowd_at(spec: &Spec) -> Option<usize> {
    let is_needed = match spec.walls {
        Walls::None => false,
        Walls::Seccomp => rustix::process::geteuid().is_root(),
        Walls::Landlock(_) => true,
    };
    bound(spec.processes).filter(|_| is_needed).and_then(|most| usize::try_from(most).ok())
}

/// Does something in a thread of its own.
fn within<T: Send + 'static>(act: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let done = std::thread::Builder::new().stack_size(256 << 10).spawn(act)?.join();
    done.unwrap_or_else(|_| Err(io::Error::other("the thread that puts up walls broke; this is a bug")))
}

fn bound(limit: u64) -> Option<u64> {
    (limit > 0).then_some(limit)
}

fn limit(resource: Resource, to: Option<u64>) -> io::Result<()> {
    let Some(wanted) = to else { return Ok(()) };
    let held = rustix::process::getrlimit(resource).maximum;
    let most = Some(held.map_or(wanted, |held| held.min(wanted)));
    Ok(setrlimit(resource, Rlimit { current: most, maximum: most })?)
}

/// Says why a command is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Close {
    /// It ended when nobody had asked it to.
    OfItself,
    /// It was asked to, or killed.
    Asked,
    /// It had more processes than it may.
    Crowded,
}

/// Waits until the command has ended; tells how, and why.
///
/// Every process that loses its parent becomes a child of this one and is reaped at once, since the dead that nobody
/// reaps are counted among the processes of the machine.
async fn watch(
    command: Pid,
    mut deaths: Deaths,
    (told_to_stop, grace): (bool, Duration),
    most: Option<usize>,
) -> io::Result<(End, Close)> {
    let mut count_at = Instant::now() + COUNT_EVERY;
    let lifeline = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    lifeline.set_nonblocking(true)?;
    let mut lifeline = tokio::net::UnixStream::from_std(lifeline)?;
    let mut wish = if told_to_stop { ask_to_end(command, grace) } else { Wish::Run };
    let mut chunk = [0; 64];
    loop {
        let is_more = match reap(command)? {
            Reaped::Command(end) => {
                return Ok((end, if wish == Wish::Run { Close::OfItself } else { Close::Asked }));
            }
            Reaped::All => false,
            Reaped::Many => true,
        };
        let kill_at = match wish {
            Wish::EndBy(at) => Some(at),
            Wish::Run | Wish::Killed => None,
        };
        tokio::select! {
            _ = deaths.recv() => {}
            n = lifeline.read(&mut chunk), if wish != Wish::Killed => {
                if n? == 0 {
                    wish = kill(command);
                } else if wish == Wish::Run {
                    wish = ask_to_end(command, grace);
                }
            }
            () = sleep_until(kill_at.unwrap_or_else(Instant::now)), if kill_at.is_some() => wish = kill(command),
            () = sleep_until(count_at), if most.is_some() => {
                count_at = Instant::now() + COUNT_EVERY;
                if most.is_some_and(procs::are_more_than) {
                    let _ = writeln!(io::stderr(), "artel: ended: more processes than it may have");
                    if getpid().is_init() {
                        return Ok((End::Signalled(Signal::KILL.as_raw()), Close::Crowded));
                    }
                    wish = kill(command);
                }
            }
            // What forks without end also dies without end, and must not keep this process from looking up.
            () = tokio::task::yield_now(), if is_more => {}
        }
    }
}

/// Says what the coordinator wants of the command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// That it runs.
    Run,
    /// That it has ended by then.
    EndBy(Instant),
    /// Nothing any more: it was killed.
    Killed,
}

fn ask_to_end(command: Pid, grace: Duration) -> Wish {
    let _ = kill_process_group(command, Signal::TERM);
    Wish::EndBy(Instant::now() + grace)
}

/// Kills the command, also where it left its process group.
fn kill(command: Pid) -> Wish {
    let _ = kill_process_group(command, Signal::KILL);
    let _ = kill_process(command, Signal::KILL);
    Wish::Killed
}

/// Says what was reaped.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Reaped {
    /// The command, among others.
    Command(End),
    /// All that had ended.
    All,
    /// Many, and there may be more.
    Many,
}

/// How many are reaped before anything else is looked at.
const REAPED_AT_ONCE: u32 = 256;

/// Reaps children that have ended, those that lost their parent among them, and tells of the command's own end.
fn reap(command: Pid) -> io::Result<Reaped> {
    for _ in 0..REAPED_AT_ONCE {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == command => return Ok(Reaped::Command(end_of(status))),
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return Ok(Reaped::All),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Reaped::Many)
}

fn end_of(status: WaitStatus) -> End {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => End::Exited(code),
        (None, Some(signal)) => End::Signalled(signal),
        (None, None) => End::Signalled(0),
    }
}
