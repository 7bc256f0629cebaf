//! Agents that speak the Agent Client Protocol, version 1: any program that does can do tasks. The client runs beside the
//! agent, inside the sandbox, as a hidden verb of artel; what it wrote down is read outside.

mod outcome;
mod wire;
mod choices;
mod bridge;
mod session;
mod verb;
mod agent;

pub use agent::Acp;
pub use bridge::{MCP_VERB, mcp_main};
pub(super) use outcome::ended;
pub use verb::{ACP_VERB, acp_main};
