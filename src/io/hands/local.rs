//! Owns jobs on this machine: starts each under its own init, in a sandbox where there is one, takes its output in,
//! holds it to its limits, and answers when nothing of it is alive. Never judges what it did.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::unix::pipe::Receiver;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, UnixStream};
use tokio::process::Child;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::enclosure::Enclosure;
use super::init::{ALIVE, Account, End, GATE, STOP, Spec};
use super::job::{Ended, HandsError, Job, JobLimits};
use super::output::Output;
use super::procs;
use crate::io::process::How;
use crate::model::attempt::Usage;
use crate::model::sandbox::Tier;
use crate::model::secrets::Secrets;

/// Bytes that are read from a job at one time; also what a silent job costs in memory.
const CHUNK: usize = 16 << 10;

/// Time beyond the grace after which an init that does not answer is taken for lost; longer than it tries to kill.
const PATIENCE: Duration = Duration::from_secs(15);

/// Bytes that an init's report may have.
const REPORT_BYTES: u64 = 64 << 10;

/// Largest virtual time that a job may claim, in milliseconds: thirty days.
const VIRTUAL_MS_MAX: u64 = 30 * 24 * 3_600_000;

/// Names the variable that marks all processes of one job, so that they are found also when their init is lost.
const MARK: &str = "ARTEL_JOB";

/// Runs jobs in one of the places where they can run.
#[derive(Debug, Clone)]
pub enum Hands {
    /// On this machine.
    Local(Local),
}

impl Hands {
    /// Runs a job to its end and answers when nothing that it started is alive.
    ///
    /// The job is cancelled when `cancel` turns true or loses its sender, and ended at once when the future is
    /// dropped or this process dies in whatever way.
    ///
    /// # Errors
    /// Fails where the job could not be started or its log not be written; whatever the job does is an [`Ended`].
    pub async fn run(&self, job: Job, cancel: watch::Receiver<bool>) -> Result<Ended, HandsError> {
        match self {
            Self::Local(local) => local.run(job, cancel, None).await,
        }
    }

    /// Does as [`Hands::run`], and gives the job a gate: a port of its own loopback address, of which `ARTEL_GATE` tells
    /// it, with this side listening. It is the only way out of a sandbox, and leads to whoever gets the listener.
    ///
    /// # Errors
    /// As [`Hands::run`].
    pub async fn run_with_gate(
        &self,
        job: Job,
        cancel: watch::Receiver<bool>,
        gate: oneshot::Sender<TcpListener>,
    ) -> Result<Ended, HandsError> {
        match self {
            Self::Local(local) => local.run(job, cancel, Some(gate)).await,
        }
    }

    /// Has these values masked wherever a job's output is kept.
    #[must_use]
    pub fn keeping(self, secrets: Secrets) -> Self {
        match self {
            Self::Local(local) => Self::Local(local.keeping(secrets)),
        }
    }

    /// Says how jobs are held apart from the rest of the machine.
    pub fn tier(&self) -> Tier {
        match self {
            Self::Local(local) => local.enclosure.tier(),
        }
    }
}

/// Runs jobs on this machine.
#[derive(Debug, Clone)]
pub struct Local {
    artel: PathBuf,
    enclosure: Enclosure,
    secrets: Arc<Secrets>,
}

impl Local {
    /// Runs jobs with this user's rights, under inits that are this very program, also when its file is replaced
    /// meanwhile.
    pub fn new() -> Self {
        Self::with_init("/proc/self/exe".into(), Enclosure::None)
    }

    /// Runs jobs in an enclosure, under inits that are the given artel.
    pub fn with_init(artel: PathBuf, enclosure: Enclosure) -> Self {
        Self { artel, enclosure, secrets: Arc::default() }
    }

    /// Has these values masked wherever a job's output is kept.
    #[must_use]
    pub fn keeping(self, secrets: Secrets) -> Self {
        Self { secrets: Arc::new(secrets), ..self }
    }

    async fn run(
        &self,
        job: Job,
        cancel: watch::Receiver<bool>,
        gate: Option<oneshot::Sender<TcpListener>>,
    ) -> Result<Ended, HandsError> {
        let log_error = |source| HandsError::Log { log: job.log.clone(), source };
        forget(&job.clock);
        let log = tokio::fs::File::create(&job.log).await.map_err(log_error)?;
        let output = Output::new(log, job.limits.output_bytes, job.tail_bytes, Arc::clone(&self.secrets));
        let output = output.telling(job.grown.clone());
        let started = Instant::now();
        let mark = mark(&job.log);
        let spec = self.spec_of(&job, &mark, gate.is_some())?;
        let (init, lifeline, read) = self.start(&job)?;
        let session = init.id();
        let (answers, lifeline) = lifeline.into_split();
        let lifeline = Some(lifeline);
        let came_to_life = false;
        let watched = Watched { init, lifeline, answers, came_to_life, gate, read, output, limits: job.limits, spec };
        let seen = watched.watch(cancel).await?;

        let virtual_ms = virtual_ms_in(&job.clock);
        forget(&job.clock);
        let mut usage =
            Usage { wall_ms: millis(started.elapsed()), output_bytes: seen.output.bytes, ..Usage::default() };
        let account = seen.report.account;
        if let Some(account) = &account {
            (usage.cpu_ms, usage.leaked) = (account.cpu_ms, account.leaked);
        } else if let Some(session) = session.and_then(|id| i32::try_from(id).ok()) {
            let ended = tokio::task::spawn_blocking(move || procs::end_stragglers(session, &mark)).await;
            usage.leaked = ended.unwrap_or_default();
        }
        if let Some(source) = seen.log_error {
            return Err(log_error(source));
        }
        let tail = seen.output.finish().await.map_err(log_error)?;
        let how = match (seen.ended_by, account.map(|account| account.end)) {
            (_, Some(End::NotStarted(why))) => {
                let program = job.program.argv().into_iter().next().unwrap_or_default();
                return Err(HandsError::NotStarted { program, why });
            }
            (Some(reason), _) => reason,
            (None, Some(End::Exited(code))) => How::Exited(code),
            (None, Some(End::Signalled(signal))) => How::Signalled(signal),
            (None, None) if !seen.report.came_to_life => {
                return Err(HandsError::Sandbox { why: tail.trim_end().to_owned() });
            }
            (None, None) => How::InitLost,
        };
        Ok(Ended { how, usage, tail, virtual_ms })
    }

    fn start(&self, job: &Job) -> Result<(Child, UnixStream, Receiver), HandsError> {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
            .map_err(|errno| HandsError::Pipe(errno.into()))?;
        let read = Receiver::from_owned_fd(read).map_err(HandsError::Pipe)?;
        let also: OwnedFd = write.try_clone().map_err(HandsError::Pipe)?;
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(HandsError::Lifeline)?;
        ours.set_nonblocking(true).map_err(HandsError::Lifeline)?;
        let ours = UnixStream::from_std(ours).map_err(HandsError::Lifeline)?;
        let mut command = self.enclosure.command(&self.artel, &job.view, &job.cwd);
        let init = command
            .env_clear()
            .current_dir(&job.cwd)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(write)
            .stderr(also)
            .spawn()
            .map_err(|source| HandsError::Init { init: self.artel.clone(), cwd: job.cwd.clone(), source })?;
        Ok((init, ours, read))
    }

    fn spec_of(&self, job: &Job, mark: &str, has_gate: bool) -> Result<Vec<u8>, HandsError> {
        let mut env = job.env.clone();
        env.insert("ARTEL_VIRTUAL".to_owned(), job.clock.to_string_lossy().into_owned());
        if let Some((name, value)) = mark.split_once('=') {
            env.insert(name.to_owned(), value.to_owned());
        }
        let spec = Spec {
            argv: job.program.argv(),
            env,
            memory_bytes: job.limits.memory_bytes,
            processes: match job.limits.processes {
                0 => self.enclosure.processes(),
                most => most,
            },
            file_bytes: job.limits.file_bytes,
            grace_ms: millis(job.limits.grace),
            walls: self.enclosure.walls(&job.view),
            has_gate,
        };
        let mut line = serde_json::to_vec(&spec).map_err(|error| HandsError::Lifeline(error.into()))?;
        line.push(b'\n');
        Ok(line)
    }
}

impl Default for Local {
    fn default() -> Self {
        Self::new()
    }
}

/// Holds a job while it runs.
struct Watched {
    init: Child,
    lifeline: Option<OwnedWriteHalf>,
    answers: OwnedReadHalf,
    /// Whether the init has said that it lives, as far as its answers were read.
    came_to_life: bool,
    /// Who waits for the job's gate.
    gate: Option<oneshot::Sender<TcpListener>>,
    read: Receiver,
    output: Output,
    limits: JobLimits,
    spec: Vec<u8>,
}

/// Tells what was seen of a job from outside.
struct Seen {
    /// The limit or wish by which it was ended, where it did not end of itself.
    ended_by: Option<How>,
    output: Output,
    log_error: Option<io::Error>,
    report: Report,
}

/// Tells what an init has said of itself and of the command.
#[derive(Default)]
struct Report {
    came_to_life: bool,
    account: Option<Account>,
}

/// Holds what changes while a job is watched.
struct Course {
    /// The line whose end the init takes for the end of this process.
    lifeline: Option<OwnedWriteHalf>,
    ended_by: Option<How>,
    log_error: Option<io::Error>,
    /// When an init that was asked to end is taken for lost.
    lost_at: Option<Instant>,
    grace: Duration,
}

impl Course {
    /// Asks the init for an end with time to tidy up.
    async fn ask_to_end(&mut self, reason: How) {
        self.ended_by = Some(reason);
        self.lost_at = Some(Instant::now() + self.grace + PATIENCE);
        if let Some(lifeline) = &mut self.lifeline {
            // A lifeline that nobody reads belongs to an init that is gone, which is seen elsewhere.
            let _ = lifeline.write_all(STOP).await;
        }
    }

    /// Ends the job at once by letting go of the lifeline.
    fn end(&mut self) {
        self.lost_at = Some(Instant::now() + PATIENCE);
        self.lifeline = None;
    }
}

impl Watched {
    async fn watch(mut self, mut cancel: watch::Receiver<bool>) -> Result<Seen, HandsError> {
        let mut course = Course {
            lifeline: self.lifeline.take(),
            ended_by: None,
            log_error: None,
            lost_at: None,
            grace: self.limits.grace,
        };
        if let Some(lifeline) = &mut course.lifeline {
            // An init that does not read is gone, which its end tells.
            let _ = lifeline.write_all(&self.spec).await;
        }
        let wall = Instant::now() + self.limits.wall;
        let mut idle = Instant::now() + self.limits.idle;
        let mut chunk = vec![0; CHUNK];
        let mut open = true;
        loop {
            let running = course.lost_at.is_none();
            tokio::select! {
                read = self.read.read(&mut chunk), if open => {
                    idle = Instant::now() + self.limits.idle;
                    match read {
                        Ok(0) | Err(_) => open = false,
                        Ok(n) => self.take(&chunk[..n], &mut course).await,
                    }
                }
                ready = self.answers.readable(), if self.gate.is_some() => {
                    ready.map_err(HandsError::Lifeline)?;
                    self.take_gate()?;
                }
                status = self.init.wait() => {
                    status.map_err(HandsError::Lifeline)?;
                    break;
                }
                () = sleep_until(wall), if running => course.ask_to_end(How::WallLimit).await,
                () = sleep_until(idle), if running => course.ask_to_end(How::IdleLimit).await,
                () = unwanted(&mut cancel), if running => course.ask_to_end(How::Cancelled).await,
                () = sleep_until(course.lost_at.unwrap_or(wall)), if !running => {
                    self.kill_init()?;
                    course.lost_at = Some(Instant::now() + PATIENCE);
                }
            }
        }
        course.lifeline = None;
        let report = report(&mut self.answers, self.came_to_life).await;
        // The writers are dead, so that what they wrote is all in the pipe.
        while open {
            match self.read.try_read(&mut chunk) {
                Ok(0) | Err(_) => open = false,
                Ok(n) => self.take(&chunk[..n], &mut course).await,
            }
        }
        Ok(Seen { ended_by: course.ended_by, output: self.output, log_error: course.log_error, report })
    }

    /// Takes what the init has said up to its gate, and hands that on; nothing else is read before the job's end.
    fn take_gate(&mut self) -> Result<(), HandsError> {
        while self.gate.is_some() {
            let answers = self.answers.as_ref();
            match answers.try_io(Interest::READABLE, || answer(answers)) {
                Ok((Some(ALIVE), None)) => self.came_to_life = true,
                Ok((Some(GATE), Some(listener))) => {
                    let listener = std::net::TcpListener::from(listener);
                    listener.set_nonblocking(true).map_err(HandsError::Lifeline)?;
                    let listener = TcpListener::from_std(listener).map_err(HandsError::Lifeline)?;
                    // Nobody waits for it any longer: then it closes, and who connects is refused.
                    let _ = self.gate.take().map(|gate| gate.send(listener));
                }
                // It is gone, or says what it may not: its end tells.
                Ok(_) => self.gate = None,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(HandsError::Lifeline(error)),
            }
        }
        Ok(())
    }

    /// Kills an init that does not answer, also where it is the child of who made its sandbox.
    fn kill_init(&mut self) -> Result<(), HandsError> {
        if let Some(maker) = self.init.id().and_then(|id| i32::try_from(id).ok()) {
            procs::kill_children(maker);
        }
        self.init.start_kill().map_err(HandsError::Lifeline)
    }

    async fn take(&mut self, chunk: &[u8], course: &mut Course) {
        if course.log_error.is_none()
            && let Err(error) = self.output.take(chunk).await
        {
            course.log_error = Some(error);
            course.end();
        }
        if self.output.is_over() && course.ended_by != Some(How::OutputLimit) && course.lifeline.is_some() {
            course.ended_by.get_or_insert(How::OutputLimit);
            course.end();
        }
    }
}

/// Waits until a job is no longer wanted; its owner's death says so too.
async fn unwanted(cancel: &mut watch::Receiver<bool>) {
    let _ = cancel.wait_for(|cancelled| *cancelled).await;
}

/// Reads one byte of what an init says, with the descriptor that came with it.
fn answer(line: &UnixStream) -> io::Result<(Option<u8>, Option<OwnedFd>)> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let met = recvmsg(line, &mut [io::IoSliceMut::new(&mut byte)], &mut beside, flags)?;
    let descriptor = beside.drain().find_map(|message| {
        if let RecvAncillaryMessage::ScmRights(mut rights) = message { rights.next() } else { None }
    });
    Ok(((met.bytes == 1).then_some(byte[0]), descriptor))
}

/// Reads what an init has said, once it is gone, beyond what was read already.
async fn report(line: &mut OwnedReadHalf, came_to_life: bool) -> Report {
    let mut said = if came_to_life { vec![ALIVE] } else { Vec::new() };
    // In a namespace of processes the line ends when all in it are dead, also where the watched process died first.
    let read = timeout(PATIENCE, line.take(REPORT_BYTES).read_to_end(&mut said)).await;
    match (read, said.split_first()) {
        (Ok(Ok(_)), Some((&ALIVE, account))) => {
            Report { came_to_life: true, account: serde_json::from_slice(account).ok() }
        }
        (_, Some((&ALIVE, _))) => Report { came_to_life: true, account: None },
        (_, Some(_) | None) => Report::default(),
    }
}

/// Gives the entry of the environment that no other job on this machine has.
fn mark(log: &Path) -> String {
    format!("{MARK}={:016x}:{}", fastrand::u64(..), log.display())
}

fn virtual_ms_in(clock: &Path) -> u64 {
    let claim = crate::io::process::read_small(clock, 32).ok().flatten();
    let claim = claim.and_then(|bytes| String::from_utf8(bytes).ok());
    claim.and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(0).min(VIRTUAL_MS_MAX)
}

fn forget(path: &Path) {
    // Not being there is what is wanted.
    let _ = std::fs::remove_file(path);
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
