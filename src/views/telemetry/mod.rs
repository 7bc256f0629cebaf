//! Telemetry: what the events of a run are as spans and metrics, by the semantic conventions for generative AI. Names,
//! numbers and standings only: never a prompt, a brief, a path, a command line or an answer.

mod who;
mod spans;
mod tools;
mod meters;
#[cfg(test)]
mod tests;

pub use meters::Meters;
pub use spans::Spans;
pub use tools::{calling_session, tool_spans};
pub use who::agent_name;
