//! Owns the trial of a sandbox: a job that tries to get out of it in each way that it claims to close. A sandbox from
//! which it gets out, or in which it cannot work, is none.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, getppid, test_kill_process};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::job::{HandsError, Job, JobLimits};
use super::local::Hands;
use super::view::View;
use crate::io::process::{How, Program};

/// Hidden verb under which artel tries to get out of a sandbox; the next argument says what is outside.
pub const TRIAL_VERB: &str = "__trial";

/// How long the trial may take; it takes some milliseconds.
const WALL: Duration = Duration::from_secs(30);
/// How long a way out is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of the trial's words that are kept.
const TAIL_BYTES: usize = 8 << 10;
/// The file that says that the trial was made.
const DONE: &str = "done";

/// Says why a sandbox is not used.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The trial could not be prepared.
    #[error("prepare the trial of a sandbox in {}", dir.display())]
    Prepare {
        /// Where.
        dir: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// No job can be run in it.
    #[error("run a job in a sandbox")]
    Run(#[source] HandsError),
    /// The trial did not come to its end.
    #[error("try to get out of a sandbox: the trial {how}: {said}")]
    Broken {
        /// How it ended.
        how: How,
        /// What it said.
        said: String,
    },
    /// It does not hold.
    #[error("keep a job in a sandbox: it could {}", ways.join(", "))]
    Open {
        /// What the job could do.
        ways: Vec<String>,
    },
}

/// Tells the trial what lies outside.
#[derive(Debug, Serialize, Deserialize)]
struct Outside {
    /// A folder that holds a file `canary` and a socket `socket`.
    folder: PathBuf,
    /// Files of the user.
    files: Vec<PathBuf>,
    tcp: SocketAddr,
    udp: SocketAddr,
    abstract_name: String,
    /// A process of the machine, and when it began, so that one of the same number inside is not taken for it.
    process: i32,
    began: String,
}

/// Tries a sandbox out, below a folder of ours; `home` is where the user's files lie.
///
/// # Errors
/// Says what could not be done in it, or what could be done out of it.
pub async fn try_out(hands: &Hands, below: &Path, home: Option<&Path>) -> Result<(), TrialError> {
    let dir = below.join(format!("trial-{:016x}", fastrand::u64(..)));
    let tried = tried(hands, &dir, home).await;
    // What cannot be removed is small, and the next trial has another name.
    let _ = fs::remove_dir_all(&dir);
    tried
}

async fn tried(hands: &Hands, dir: &Path, home: Option<&Path>) -> Result<(), TrialError> {
    let failed = |source| TrialError::Prepare { dir: dir.to_owned(), source };
    let listening = Listening::at(dir).map_err(failed)?;
    let inside = dir.join("inside");
    let outside = listening.told(dir, home).map_err(failed)?;
    let words = serde_json::to_string(&outside).map_err(|error| failed(error.into()))?;
    let job = Job {
        grown: None,
        program: Program::Argv(vec!["/proc/self/exe".to_owned(), TRIAL_VERB.to_owned(), words]),
        cwd: inside.clone(),
        env: std::collections::BTreeMap::new(),
        view: View {
            write: vec![inside.clone()],
            empty: home.map(Path::to_owned).into_iter().collect(),
            ..View::default()
        },
        limits: JobLimits { wall: WALL, idle: WALL, ..JobLimits::default() },
        log: dir.join("log"),
        clock: inside.join("clock"),
        tail_bytes: TAIL_BYTES,
    };
    let (_wanted, cancelled) = watch::channel(false);
    let ended = hands.run(job, cancelled).await.map_err(TrialError::Run)?;
    let mut ways: Vec<String> =
        ended.tail.lines().filter_map(|line| line.strip_prefix("could ")).map(str::to_owned).collect();
    ways.extend(listening.met().map(str::to_owned));
    if !ways.is_empty() {
        return Err(TrialError::Open { ways });
    }
    if ended.how != How::Exited(0) || !inside.join(DONE).exists() {
        return Err(TrialError::Broken { how: ended.how, said: ended.tail.trim_end().to_owned() });
    }
    Ok(())
}

/// Holds what listens outside while a trial is made.
struct Listening {
    tcp: TcpListener,
    udp: UdpSocket,
    named: UnixListener,
    nameless: UnixListener,
    abstract_name: String,
}

impl Listening {
    fn at(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir.join("inside"))?;
        fs::create_dir_all(dir.join("outside"))?;
        fs::write(dir.join("outside/canary"), "canary")?;
        let folder = File::open(dir.join("outside"))?;
        let abstract_name = format!("artel-trial-{:016x}", fastrand::u64(..));
        let listening = Self {
            tcp: TcpListener::bind("127.0.0.1:0")?,
            udp: UdpSocket::bind("127.0.0.1:0")?,
            // By its folder's descriptor, because the path of a socket may have a hundred bytes only.
            named: UnixListener::bind(format!("/proc/self/fd/{}/socket", folder.as_raw_fd()))?,
            nameless: UnixListener::bind_addr(&UnixAddr::from_abstract_name(&abstract_name)?)?,
            abstract_name,
        };
        listening.tcp.set_nonblocking(true)?;
        listening.udp.set_nonblocking(true)?;
        listening.named.set_nonblocking(true)?;
        listening.nameless.set_nonblocking(true)?;
        Ok(listening)
    }

    fn told(&self, dir: &Path, home: Option<&Path>) -> io::Result<Outside> {
        let process = rustix::process::getpid().as_raw_nonzero().get();
        Ok(Outside {
            folder: dir.join("outside"),
            files: home.map(|home| files_of(home, dir)).unwrap_or_default(),
            tcp: self.tcp.local_addr()?,
            udp: self.udp.local_addr()?,
            abstract_name: self.abstract_name.clone(),
            process,
            began: began(process).unwrap_or_default(),
        })
    }

    /// Tells who was reached by the trial, whatever it says itself.
    fn met(&self) -> impl Iterator<Item = &'static str> {
        let ways = [
            (self.tcp.accept().is_ok(), "connect to a port of the machine"),
            (self.udp.recv(&mut [0; 8]).is_ok(), "send a datagram to the machine"),
            (self.named.accept().is_ok(), "connect to a socket of the machine"),
            (self.nameless.accept().is_ok(), "connect to an abstract socket of the machine"),
        ];
        ways.into_iter().filter_map(|(met, way)| met.then_some(way))
    }
}

/// Lists some files of the user's that can be read from here: in the home and in its folders. Folders alone tell nothing,
/// since those above artel's own are there, and empty, in every sandbox.
fn files_of(home: &Path, own: &Path) -> Vec<PathBuf> {
    let paths = |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let (folders, mut files): (Vec<PathBuf>, Vec<PathBuf>) = paths(home).partition(|path| path.is_dir());
    let inner = folders.iter().filter(|folder| !own.starts_with(folder)).flat_map(|folder| paths(folder).take(64));
    files.extend(inner);
    files.retain(|path| fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file()) && File::open(path).is_ok());
    files.truncate(32);
    files
}

/// Tries to get out and gives the exit code: 0 where it was kept in.
pub fn trial_main() -> i32 {
    let words = std::env::args().nth(2).unwrap_or_default();
    let Ok(outside) = serde_json::from_str::<Outside>(&words) else { return 2 };
    let done = File::create(DONE);
    let ways = ways_out(&outside);
    let mut out = io::stdout().lock();
    for way in &ways {
        let _ = writeln!(out, "could {way}");
    }
    if let Err(error) = &done {
        let _ = writeln!(out, "nothing can be written where it should be: {error}");
    }
    i32::from(!ways.is_empty() || done.is_err())
}

/// Lists what could be done that must not be.
fn ways_out(outside: &Outside) -> Vec<String> {
    let mut ways = Vec::new();
    let mut tell = |is_open: bool, way: &str| {
        if is_open {
            ways.push(way.to_owned());
        }
    };
    let canary = outside.folder.join("canary");
    tell(fs::read(&canary).is_ok(), "read a file of artel's");
    tell(File::options().append(true).open(&canary).is_ok(), "write a file of artel's");
    tell(outside.files.iter().any(|path| File::open(path).is_ok()), "read the user's home");
    for place in ["/", "/etc", "/usr", "/usr/bin", "/var/tmp"] {
        let file = Path::new(place).join(format!("{}-write", outside.abstract_name));
        tell(File::create(&file).is_ok() && fs::remove_file(&file).is_ok(), &format!("write to {place}"));
    }
    let setting = File::options().write(true).open("/proc/sys/kernel/core_pattern");
    tell(setting.is_ok(), "write a setting of the kernel");
    let flags = rustix::mount::MountFlags::BIND;
    tell(rustix::mount::mount_remount("/", flags, "").is_ok(), "mount its file system anew");
    tell(TcpStream::connect_timeout(&outside.tcp, PATIENCE).is_ok(), "connect to a port of the machine");
    // Whether it arrives is seen outside.
    let _ = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.send_to(b"canary", outside.udp));
    let went = std::env::set_current_dir(&outside.folder).is_ok();
    tell(went && UnixStream::connect("socket").is_ok(), "connect to a socket of the machine");
    let nameless = UnixAddr::from_abstract_name(&outside.abstract_name);
    let reached = nameless.and_then(|address| UnixStream::connect_addr(&address));
    tell(reached.is_ok(), "connect to an abstract socket of the machine");
    let signalled = Pid::from_raw(outside.process).is_some_and(|pid| test_kill_process(pid).is_ok());
    let is_it = began(outside.process).is_some_and(|began| began == outside.began);
    tell(signalled && is_it, "signal a process of the machine");
    let init = getppid().map_or(1, |pid| pid.as_raw_nonzero().get());
    tell(File::open(format!("/proc/{init}/mem")).is_ok(), "open the memory of who watches over it");
    tell(fs::read_link(format!("/proc/{init}/fd/0")).is_ok(), "reach the descriptors of who watches over it");
    tell(new_user_namespace(), "make a user namespace");
    ways
}

/// Tells when a process began, in ticks since the machine did.
fn began(process: i32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat[stat.rfind(')')?..].split_ascii_whitespace().nth(20).map(str::to_owned)
}

#[expect(unsafe_code, reason = "what is unsafe is unsharing descriptors, and no descriptor is unshared")]
fn new_user_namespace() -> bool {
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWUSER) }.is_ok()
}
