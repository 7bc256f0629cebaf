//! The world: all that can fail for outside reasons. Chooses nothing and knows no actors.

pub mod failpoint;
pub mod clock;
pub mod space;
pub mod process;
pub mod http;
pub mod files;
pub mod transcripts;
pub mod signing;
pub mod keys;
pub mod key_text;
pub mod roles;
pub mod syntax;
pub mod tools;
pub mod journal;
pub mod git;
pub mod hands;
pub mod gateway;
pub mod agents;
pub mod llm;
pub mod otlp;
pub mod notify;
