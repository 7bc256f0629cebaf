//! Hands: where agents' commands and the checks run, and how it is made sure that nothing of them stays alive.
//! Knows neither agents nor git; decides nothing about what an ending means.

mod job;
mod local;
mod output;
mod init;
mod procs;
mod ports;

pub use init::{INIT_VERB, init_main};
pub use job::{Ended, HandsError, Job, JobLimits};
pub use local::{Hands, Local};
pub use output::readable;
pub use ports::{Ports, PortsError, PortsLease};
