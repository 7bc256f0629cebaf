//! Builds and wires the rest: where state lies, how a run is opened, hosted, read and asked. Has no logic of a run.

mod error;
mod notices;
mod telling;
mod place;
mod folding;
mod opening;
mod sandbox;
mod hosting;
mod crew;
mod rehearsal;
mod briefs;
mod requests;
mod outside;
mod serving;
mod following;
mod past;
mod access;
mod facts;
mod glance;
mod digesting;
mod telemetry;
mod gateway;
mod verify;
mod transcripts;
mod repair;

/// Names the log that says which check runs.
pub use crate::actors::checks::CHECKING;
pub use access::{Access, Standing, read_token};
pub use briefs::brief_of;
pub use crew::{Crew, Hired, Nobody, Pays, crew};
pub use error::AppError;
pub use facts::{Fact, Fitness, Left, clear, doctor, garbage};
pub use following::{Cursor, Follower, Followers, Told};
pub use gateway::{read_prices, read_providers};
pub use hosting::{Hosted, host, host_shown, is_hosted};
pub use notices::Notices;
pub use opening::{OpenOptions, draft_plan, open_run, read_config, read_goal, read_roles};
pub use past::Pasts;
pub use place::{Loaded, Place, decode_events};
pub use rehearsal::rehearse;
pub use repair::repair;
pub use requests::{Put, ask, ask_as, refusal};
pub use serving::{Address, Hosts, Note, address, is_due, is_served, tell_server};
pub use telling::{read_channels, try_channels};
pub use transcripts::Transcript;
pub use verify::{Finding, Proof, verify};
