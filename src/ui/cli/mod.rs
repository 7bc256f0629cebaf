//! The command line: one file a verb; beside them what all verbs share. Reads the journal and asks; never decides.

pub mod enter;
pub mod args;
pub mod exit;
pub mod fail;
pub mod out;
pub mod paint;
pub mod columns;
pub mod seam;
pub mod pick;
pub mod asking;
pub mod live;
pub mod board_text;
pub mod init_verb;
pub mod run;
pub mod plan;
pub mod status;
pub mod list;
pub mod show;
pub mod log;
pub mod diff;
pub mod cost;
pub mod watch;
pub mod approve;
pub mod deny;
pub mod retry;
pub mod stop;
pub mod resume;
pub mod steer;
pub mod deliver;
pub mod revert;
pub mod gc;
pub mod doctor;
pub mod roles;
pub mod schema_verb;
pub mod completions;
#[cfg(test)]
mod tests;
