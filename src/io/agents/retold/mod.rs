//! How what an agent's own stream says is told to a person: a line of the stream becomes what was said, called for and
//! answered. Never told to a program, and never kept.

mod teller;
mod claude;
mod codex;
mod acp;
mod llm;

#[cfg(test)]
mod tests;

pub use teller::{Form, LINE_BYTES, Teller};
