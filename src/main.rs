//! Parses the command line, runs the verb, returns its exit code. Verbs that artel calls itself by come first.

use std::process::ExitCode;

fn main() -> ExitCode {
    artel::ui::cli::enter::enter().into()
}
