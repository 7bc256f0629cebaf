//! The script agent: plays a part that is written in a file. It is the tutorial, the load generator and the fault
//! injector, so all that it does wrong it does really, as a process in the hands.

mod part;
mod draft;
mod faults;
mod agent;
mod player;
mod files;
mod misbehaviour;
mod planner;

pub use agent::Script;
pub use draft::{Move, Planner, Reaction, ScopeText, TaskText};
pub use faults::{PartFault, read_part};
pub use part::{Choice, Clock, Crash, Part, Step};
pub use planner::{PlannerMove, Woken, planner_moves};
pub use player::{SCRIPT_VERB, script_main};
