//! Parses the command line, runs the verb, returns its exit code. Verbs that artel calls itself by come first.

use std::process::ExitCode;

use artel::io::agents::{acp, script};
use artel::io::hands;

fn main() -> ExitCode {
    // A hidden verb must be seen before the process has threads.
    let code = match std::env::args_os().nth(1).and_then(|verb| verb.into_string().ok()).as_deref() {
        Some(hands::INIT_VERB) => hands::init_main(),
        Some(hands::TRIAL_VERB) => hands::trial_main(),
        Some(script::SCRIPT_VERB) => script::script_main(),
        Some(acp::ACP_VERB) => acp::acp_main(),
        Some(acp::MCP_VERB) => acp::mcp_main(),
        _ => return artel::ui::cli::enter::enter().into(),
    };
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
