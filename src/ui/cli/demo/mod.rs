//! The demo: a published crate that uses a superseded macro in many places, and what moves it to today's form.

mod assets;
mod source;
mod verb;

pub use assets::{CONFIG, CRATE, GOAL, GOAL_SAMPLE, RULES, SAMPLE, VERSION, write_assets, write_sample};
pub use source::{FetchError, fetch_crate};
pub use verb::{DemoArgs, demo};
