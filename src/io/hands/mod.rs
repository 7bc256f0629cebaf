//! Hands: where agents' commands and the checks run, what they see there, and how it is made sure that nothing of them
//! stays alive. Knows neither agents nor git; decides nothing about what an ending means.

mod job;
mod view;
mod toolchains;
mod enclosure;
mod bubblewrap;
mod landlock;
mod seccomp;
mod local;
mod output;
mod init;
mod procs;
mod ports;
mod trial;

pub use enclosure::{Enclosure, EnclosureError};
pub use init::{GATE_PLACE, INIT_VERB, init_main};
pub use job::{Ended, HandsError, Job, JobLimits};
pub use local::{Hands, Local};
pub use output::readable;
pub use ports::{Ports, PortsError, PortsLease};
pub use toolchains::{TOOLCHAIN_NAMES, Toolchains, why_hidden};
pub use trial::{TRIAL_VERB, TrialError, trial_main, try_out};
pub use view::View;
