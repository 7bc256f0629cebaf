//! Parses the command line, runs the verb, returns its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A hidden verb must be seen before the process has threads.
    let code = match std::env::args_os().nth(1).and_then(|verb| verb.into_string().ok()).as_deref() {
        Some(artel::io::hands::INIT_VERB) => artel::io::hands::init_main(),
        Some(artel::io::agents::script::SCRIPT_VERB) => artel::io::agents::script::script_main(),
        _ => 0,
    };
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
