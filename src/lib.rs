//! artel: a goal file in, a green branch out.
//!
//! Data runs round a ring that turns one way: a `Request` or a report becomes a `Command`, `decide` makes
//! `Event`s of it, the journal stores them, `evolve` folds them into `State`, and `due` says which `Effect`s are
//! owed. Nothing is true before it is in the journal; nothing is started but because `due` says so: the first
//! time, after a crash, or after a change of mind, by the same code.
//!
//! A room imports lower floors only: `model` (0), `machine` (1), `views` and `io` (2), `actors` (3), `app` (4),
//! `ui` (5). `tests/tidy.rs` holds that.

pub mod model;
pub mod machine;
pub mod views;
pub mod ui;
