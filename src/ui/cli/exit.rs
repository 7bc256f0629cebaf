//! Owns the one table of exit codes. Never chooses between them but by the class that a reading gives.

use std::process::ExitCode;

use crate::views::ended::Class;

/// Says how a verb ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Done,
    /// artel itself is at fault.
    Bug,
    /// The command line is at fault.
    Usage,
    /// The goal, configuration or a role file is at fault.
    Faulty,
    /// The repository or the machine is not fit.
    Unfit,
    /// The run ended and something is left over.
    Incomplete,
    /// The run waits for a person's word.
    Waits,
    /// The run was stopped.
    Stopped,
    /// The run has used its budget.
    Budget,
    /// Trouble outside the run halted it.
    Trouble,
    /// The run refused what was asked.
    Refused,
    /// There is no such run or task.
    Missing,
    /// Another coordinator holds the run.
    Held,
    /// No sandbox holds.
    Unsandboxed,
    /// The journal does not prove what it holds.
    Unproven,
    /// The journal was lost.
    JournalLost,
}

/// Lists every exit code and what it means, as help and documentation show it.
pub const TABLE: [(Exit, &str); 16] = [
    (Exit::Done, "done; for a verb that only reads or asks: it did"),
    (Exit::Bug, "artel itself is at fault: please report it"),
    (Exit::Usage, "the command line is at fault"),
    (Exit::Faulty, "the goal file, artel.toml or a role file is at fault"),
    (Exit::Unfit, "the repository or the machine is not fit: not a repository, no commits, state not writable"),
    (Exit::Incomplete, "the run ended with something left over or was refused at a gate; a planner of the plan failed"),
    (Exit::Waits, "the run waits for a person's word, or a drafted goal does"),
    (Exit::Stopped, "the run was stopped; `artel resume` goes on"),
    (Exit::Budget, "the run has used its budget"),
    (Exit::Trouble, "the run was halted by trouble outside it"),
    (Exit::Refused, "the run refused what was asked, with the reason"),
    (Exit::Missing, "there is no such run or task"),
    (Exit::Held, "another coordinator holds the run"),
    (Exit::Unsandboxed, "no sandbox holds on this machine, or not the one that was asked for"),
    (Exit::Unproven, "`artel verify` found something that is not as it was stored, signed or checked"),
    (Exit::JournalLost, "the journal was lost or cannot be read"),
];

impl Exit {
    /// Gives the number that the process exits with.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Bug => 1,
            Self::Usage => 2,
            Self::Faulty => 3,
            Self::Unfit => 4,
            Self::Incomplete => 5,
            Self::Waits => 6,
            Self::Stopped => 7,
            Self::Budget => 8,
            Self::Trouble => 9,
            Self::Refused => 10,
            Self::Missing => 11,
            Self::Held => 12,
            Self::Unsandboxed => 13,
            Self::Unproven => 14,
            Self::JournalLost => 70,
        }
    }

    /// Gives the failure that has this number; nothing where none has.
    pub fn of_failure(code: u64) -> Option<Self> {
        let mut failures = TABLE.iter().map(|(exit, _)| *exit).filter(|exit| *exit != Self::Done);
        failures.find(|exit| u64::from(exit.code()) == code)
    }

    /// Gives the code for how a run stands once nobody works on it any more.
    pub fn of_run(class: Class) -> Self {
        match class {
            Class::Done => Self::Done,
            Class::Incomplete | Class::Denied => Self::Incomplete,
            Class::Waits => Self::Waits,
            Class::Stopped => Self::Stopped,
            Class::Budget => Self::Budget,
            Class::Trouble | Class::Live => Self::Trouble,
            Class::Unopened => Self::Missing,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Writes the table for `--help`.
pub fn help() -> String {
    let rows = TABLE.iter().map(|(exit, meaning)| format!("  {:>2}  {meaning}", exit.code()));
    format!("Exit codes:\n{}", rows.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_is_documented_once() {
        let codes: BTreeSet<u8> = TABLE.iter().map(|(exit, _)| exit.code()).collect();
        assert_eq!(codes.len(), TABLE.len());
        for (exit, _) in TABLE {
            assert_eq!(Exit::of_failure(exit.code().into()), (exit != Exit::Done).then_some(exit));
        }
        assert_eq!(Exit::of_failure(256), None);
        let page = include_str!("../../../docs/exit-codes.md");
        let rows: Vec<String> =
            TABLE.iter().map(|(exit, meaning)| format!("| {} | {meaning} |", exit.code())).collect();
        let found: Vec<&str> = page.lines().filter(|line| line.starts_with("| ") && !line.contains("code")).collect();
        assert_eq!(found, rows);
    }

    #[test]
    fn only_a_run_that_is_done_exits_with_zero() {
        for class in [
            Class::Unopened,
            Class::Live,
            Class::Incomplete,
            Class::Denied,
            Class::Waits,
            Class::Stopped,
            Class::Budget,
            Class::Trouble,
        ] {
            assert_ne!(Exit::of_run(class).code(), 0, "{class:?}");
        }
        assert_eq!(Exit::of_run(Class::Done).code(), 0);
    }
}
