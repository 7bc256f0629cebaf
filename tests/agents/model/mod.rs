//! Owns a model that a test writes beforehand: a server on loopback that speaks the APIs which the agents' programs speak,
//! plays scripts turn by turn, and counts what it told. Never asks a real model, and leaves nothing on disk.

mod server;
mod seen;
mod script;
mod gate;
mod http;
mod api;
mod answer;
mod anthropic;
mod chat;
mod responses;
mod gemini;
mod vendor;
mod tools;
mod schema;

pub use api::Api;
pub use gate::{Gate, PATIENCE};
pub use script::{Call, Script, Turn, Usage};
pub use seen::{Seen, Taken};
pub use server::Model;
pub use vendor::COPILOT_MODEL;
