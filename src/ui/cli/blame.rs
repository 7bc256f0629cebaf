//! Owns which exit code and which hint belong to an error from below: one table. Never prints.

use super::diagnostics::{Look, render, render_refused};
use super::exit::Exit;
use super::fail::Fail;
use crate::app::AppError;
use crate::io::files::FilesError;
use crate::io::git::GitError;
use crate::io::journal::JournalError;
use crate::io::roles::RolesError;

const NOT_FETCHED: &str = "in a partial clone, `git fetch --refetch --no-filter` fetches all of it; elsewhere `git fsck` tells what is damaged";
/// What is told of a run that was stopped before it could store what is untrue.
const STOPPED: &str = "nothing untrue was stored: please report it with what `artel log --json` tells; `artel resume` tries once more from what is stored";

/// What is told of a run whose journal no longer stands behind it.
const UNTRUE: &str = "nothing more was landed: `artel verify` tells whether somebody has changed the journal; if nobody has, please report it";

/// Turns an error from below into what a person is told.
pub fn blame(error: AppError) -> Fail {
    let (exit, hint) = verdict(&error);
    if let Some(drawn) = drawn(&error, look()) {
        return Fail::rendered(exit, drawn);
    }
    let fail = told(exit, &error);
    if let AppError::Unfit { next, .. } = &error {
        return fail.hint(next);
    }
    if let AppError::Uncounted { estimate, .. } = &error {
        return fail.hint(format!("without --exact it has {estimate}"));
    }
    match hint {
        Some(hint) => fail.hint(hint),
        None => fail,
    }
}

/// Draws what is wrong with files that people wrote; nothing where that is not what the error is.
pub fn drawn(error: &AppError, look: Look) -> Option<String> {
    if let AppError::Faults { name, text, faults, .. } = error {
        return Some(render(name, text, faults, look));
    }
    if let AppError::Roles(RolesError::Refused(refused)) = error {
        return Some(render_refused(refused, look));
    }
    None
}

/// Splits an error into what was tried and what caused it.
fn told(exit: Exit, error: &AppError) -> Fail {
    let fail = Fail::new(exit, error.to_string());
    match std::error::Error::source(error) {
        Some(cause) => fail.because(crate::actors::world::told(cause)),
        None => fail,
    }
}

/// Says how much the terminal can show.
fn look() -> Look {
    if console::colors_enabled_stderr() { Look::Fancy } else { Look::Plain }
}

/// Gives what `artel` exits with where it meets an error, and what is to be done next where that is always the same.
pub fn verdict(error: &AppError) -> (Exit, Option<&'static str>) {
    match error {
        AppError::Files(error) => of_files(error),
        AppError::Journal(error) => of_journal(error),
        AppError::Format(_) | AppError::Unopened { .. } => {
            (Exit::JournalLost, Some("the journal is newer than this artel, or damaged; nothing was changed"))
        }
        AppError::Git(error) => of_git(error),
        AppError::Signing(_) => {
            (Exit::Unfit, Some("`git config artel.signingKey` names the key that signs commits; unset it to sign none"))
        }
        AppError::Roles(_) | AppError::Prompt { .. } | AppError::Brief { .. } => {
            (Exit::Faulty, Some("`artel roles` shows the roles and where each comes from"))
        }
        AppError::Uncounted { .. } => (Exit::Unfit, None),
        AppError::Read { .. } => (Exit::Faulty, Some("look whether it is there and can be read")),
        AppError::Faults { .. } | AppError::Unfit { .. } => (Exit::Faulty, None),
        AppError::PrefixTaken { .. } => {
            (Exit::Unfit, Some("rename that branch, or set `branch_prefix` in artel.toml to another word"))
        }
        AppError::NotFetched { .. } => (Exit::Unfit, Some(NOT_FETCHED)),
        AppError::Sandbox { .. } => (
            Exit::Unsandboxed,
            Some(
                "`artel doctor` says more; `--sandbox none` goes on without, and agents and checks then have your rights",
            ),
        ),
        AppError::Gateway(_) => {
            (Exit::Unfit, Some("look at the system's certificates, and at `gateway.toml` in the state directory"))
        }
        AppError::NoChannel { .. } => (Exit::Missing, Some("docs/notify.md says what stands there")),
        AppError::NoRun => (Exit::Missing, Some("`artel run goal.md` opens one; `artel list` shows all runs")),
        AppError::Held { .. } => {
            (Exit::Held, Some("`artel watch` follows it; `artel stop` has it finish what runs and end"))
        }
        AppError::Bug { .. } => (Exit::Bug, Some(STOPPED)),
        AppError::Untrue { .. } => (Exit::JournalLost, Some(UNTRUE)),
        AppError::Lost { .. } => {
            (Exit::JournalLost, Some("nothing that was acknowledged is lost: mend the cause, then `artel resume`"))
        }
    }
}

fn of_files(error: &FilesError) -> (Exit, Option<&'static str>) {
    match error {
        FilesError::Held { .. } => (Exit::Held, None),
        FilesError::Io { .. } => (Exit::Unfit, Some("ARTEL_HOME names the directory in which artel keeps its state")),
        FilesError::NoHome
        | FilesError::NotAbsolute(_)
        | FilesError::NotWritable { .. }
        | FilesError::NoSpace { .. }
        | FilesError::NotPrivate(_) => (Exit::Unfit, None),
    }
}

fn of_journal(error: &JournalError) -> (Exit, Option<&'static str>) {
    match error {
        JournalError::NoSuchRun { .. } | JournalError::NoRunLike { .. } | JournalError::Ambiguous { .. } => {
            (Exit::Missing, Some("`artel list` shows all runs"))
        }
        JournalError::Absent { .. } => {
            (Exit::Missing, Some("there is no journal yet: `artel run goal.md` opens the first run"))
        }
        JournalError::Stale { .. } => (Exit::Held, Some("another coordinator has taken the run over")),
        JournalError::NotWritable { .. } | JournalError::NotReadable { .. } | JournalError::Full { .. } => {
            (Exit::Unfit, Some("free space or mend permissions, or set ARTEL_HOME to another directory"))
        }
        JournalError::Lost { .. }
        | JournalError::RunExists { .. }
        | JournalError::Newer { .. }
        | JournalError::NotAJournal { .. }
        | JournalError::Damaged { .. }
        | JournalError::OpenedToRead { .. }
        | JournalError::Busy { .. }
        | JournalError::Sqlite { .. } => (Exit::JournalLost, None),
    }
}

fn of_git(error: &GitError) -> (Exit, Option<&'static str>) {
    if matches!(error, GitError::PoolBusy { .. }) {
        return (Exit::Held, Some("another process works on this run"));
    }
    (Exit::Unfit, None)
}
