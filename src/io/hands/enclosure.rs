//! Owns what a job is put into: nothing, Landlock, or a sandbox that bubblewrap makes. Never chooses between them.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::process::Command;

use super::init::{INIT_VERB, Walls};
use super::view::{System, View};
use super::{bubblewrap, landlock};
use crate::model::sandbox::Tier;

/// Processes and threads of a job in a namespace of its own, where its role does not say.
const PROCESSES: u64 = 4096;

/// Holds jobs apart from the rest of the machine.
#[derive(Debug, Clone)]
pub enum Enclosure {
    /// Does not.
    None,
    /// By Landlock and a filter of system calls.
    Landlock(Arc<Landlocked>),
    /// By namespaces and a filter of system calls.
    Bubblewrap(Arc<Bubblewrapped>),
}

/// Holds what Landlock is told for every job.
#[derive(Debug)]
pub struct Landlocked {
    system: System,
}

/// Holds what bubblewrap is told for every job.
#[derive(Debug)]
pub struct Bubblewrapped {
    program: PathBuf,
    system: System,
    /// This very program, open without being closed on `exec`: it runs inside although its file is not shown there, and
    /// although it may have been replaced meanwhile.
    init: OwnedFd,
}

/// Says why an enclosure cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum EnclosureError {
    /// The program is not there.
    #[error("find bubblewrap: there is no program `bwrap` in /usr/bin or PATH")]
    NoBubblewrap,
    /// artel's own program cannot be opened.
    #[error("open {} to run it inside", artel.display())]
    Artel {
        /// The program.
        artel: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Enclosure {
    /// Prepares the enclosure of a tier; `path` is where programs are looked for.
    ///
    /// # Errors
    /// Fails where a part is missing; that it holds is another question.
    pub fn of(tier: Tier, artel: &Path, path: Option<&str>) -> Result<Self, EnclosureError> {
        Ok(match tier {
            Tier::None => Self::None,
            Tier::Landlock => Self::Landlock(Arc::new(Landlocked { system: System::look() })),
            Tier::Bubblewrap => {
                let program = bubblewrap::find(path).ok_or(EnclosureError::NoBubblewrap)?;
                let failed = |source| EnclosureError::Artel { artel: artel.to_owned(), source };
                let init = OwnedFd::from(File::open(artel).map_err(failed)?);
                rustix::io::fcntl_setfd(&init, rustix::io::FdFlags::empty()).map_err(|errno| failed(errno.into()))?;
                Self::Bubblewrap(Arc::new(Bubblewrapped { program, system: System::look(), init }))
            }
        })
    }

    /// Says which tier it is.
    pub fn tier(&self) -> Tier {
        match self {
            Self::None => Tier::None,
            Self::Landlock(_) => Tier::Landlock,
            Self::Bubblewrap(_) => Tier::Bubblewrap,
        }
    }

    /// Gives the number of processes that a job may have where nothing else is said; 0 is no bound. There is one only
    /// where a job's are counted apart from the user's.
    pub(super) fn processes(&self) -> u64 {
        match self {
            Self::Bubblewrap(_) | Self::Landlock(_) => PROCESSES,
            Self::None => 0,
        }
    }

    /// Gives the command by which an init is started in it.
    pub(super) fn command(&self, artel: &Path, view: &View, cwd: &Path) -> Command {
        match self {
            Self::None | Self::Landlock(_) => {
                let mut command = Command::new(artel);
                command.arg0("artel").arg(INIT_VERB);
                command
            }
            Self::Bubblewrap(with) => {
                let init = PathBuf::from(format!("/proc/self/fd/{}", with.init.as_raw_fd()));
                let mut command = Command::new(&with.program);
                command.args(bubblewrap::arguments(view, &with.system, cwd, &init));
                command
            }
        }
    }

    /// Says what the init puts round the command.
    pub(super) fn walls(&self, view: &View) -> Walls {
        match self {
            Self::None => Walls::None,
            Self::Landlock(with) => Walls::Landlock(landlock::allowed(view, &with.system)),
            Self::Bubblewrap(_) => Walls::Seccomp,
        }
    }
}
