//! Everything that waits: one coordinator a run, planners that spawn planners, sessions of workers and judges, the
//! landing of batches, the feed of requests. They carry out what is due and report; they decide nothing.

pub mod world;
pub mod instruments;
pub mod progress;
pub mod entry;
pub mod coordinator;
pub mod planner;
pub mod planning;
pub mod shortage;
pub mod session;
pub mod order;
pub mod room;
pub mod setup;
pub mod casting;
pub mod purse;
pub mod tools;
pub mod gate;
pub mod played;
pub mod acting;
mod asking;
mod planner_session;
mod iteration_keys;
mod judge_session;
mod run_judge_session;
mod overlay;
pub mod workplace;
pub mod llm_session;
pub mod llm_worker;
pub mod worker;
pub mod judge;
pub mod checks;
pub mod evidence;
pub mod landing;
pub mod closing;
pub mod seal;
pub mod mirror;
pub mod feed;
