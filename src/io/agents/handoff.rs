//! Owns the file of a handoff, in a folder of a stranger: reads what the agent has left there, and leaves one in its
//! place. Never follows a link.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::io::process::read_small;
use crate::model::attempt::{Flagged, Handoff, ScopeAsk};
use crate::model::paths::PathSet;

/// Largest handoff that is read, in bytes.
pub const HANDOFF_BYTES_MAX: u64 = 1 << 20;

/// Says why a handoff could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum HandoffFault {
    /// The file is not one that is read.
    #[error("its handoff was refused: {0}")]
    Refused(#[source] io::Error),
    /// The file is not a handoff.
    #[error("its handoff is not one: {0}")]
    Garbled(#[source] serde_json::Error),
    /// What it asks for cannot be asked for.
    #[error("its handoff is not one: {0}")]
    Unfit(String),
    /// The file could not be written.
    #[error("the handoff was not taken: {0}")]
    NotTaken(#[source] io::Error),
}

/// Reads the handoff at a place; nothing where there is none.
///
/// # Errors
/// Fails where it is no regular file, is longer than [`HANDOFF_BYTES_MAX`], or is not a handoff in JSON.
pub fn collect(place: &Path) -> Result<Option<Handoff>, HandoffFault> {
    let Some(bytes) = read_small(place, HANDOFF_BYTES_MAX).map_err(HandoffFault::Refused)? else { return Ok(None) };
    let mut handoff: Handoff = serde_json::from_slice(&bytes).map_err(HandoffFault::Garbled)?;
    flags(&handoff.flagged).map_err(HandoffFault::Unfit)?;
    if let Some(wants) = &handoff.wants {
        fits(wants).map_err(HandoffFault::Unfit)?;
        // Who needs leave to go on cannot go on without.
        let missing = || wants.words();
        handoff.blocked = Some(handoff.blocked.unwrap_or_else(missing));
    }
    Ok(Some(handoff))
}

/// Paths that a task may ask for at once, and bytes of its reason.
const WANTS_MAX: [usize; 2] = [50, 8 << 10];

/// Tells whether what a task wants to change beside what it owns can be asked for.
///
/// # Errors
/// Says what is wrong.
pub fn fits(wants: &ScopeAsk) -> Result<(), String> {
    let [paths_max, why_max] = WANTS_MAX;
    if wants.paths.is_empty() || wants.paths.len() > paths_max {
        return Err(format!("name 1 to {paths_max} paths that have to be changed too"));
    }
    if wants.why.trim().is_empty() || wants.why.len() > why_max {
        return Err(format!("say in `why`, in 1 to {why_max} bytes, why the task cannot be done without"));
    }
    PathSet::written(&wants.paths).map(|_| ()).map_err(|path| {
        format!("`{}` is no path: write it from the repository's root, without patterns", path.escape_default())
    })
}

/// Leaves a handoff at a place, whatever was there before, whole or not at all.
///
/// # Errors
/// Fails where it is longer than [`HANDOFF_BYTES_MAX`], or the folder lets nothing be put there.
pub fn leave(place: &Path, handoff: &Handoff) -> Result<(), HandoffFault> {
    let bytes = serde_json::to_vec_pretty(handoff).map_err(HandoffFault::Garbled)?;
    if bytes.len() as u64 > HANDOFF_BYTES_MAX {
        let why = format!("it is longer than {HANDOFF_BYTES_MAX} bytes");
        return Err(HandoffFault::NotTaken(io::Error::other(why)));
    }
    put(place, &bytes).map_err(HandoffFault::NotTaken)
}

/// Files that a worker may flag, and bytes of what it says of one.
const FLAGGED_MAX: [usize; 2] = [20, 8 << 10];

/// Tells whether the files that a worker flags can be told to whoever planned its task.
///
/// # Errors
/// Says what is wrong.
pub fn flags(flagged: &[Flagged]) -> Result<(), String> {
    let [files_max, why_max] = FLAGGED_MAX;
    if flagged.len() > files_max {
        return Err(format!("{} files are flagged, and {files_max} are taken", flagged.len()));
    }
    for Flagged { path, why } in flagged {
        PathSet::written(std::slice::from_ref(path))
            .map_err(|path| format!("`{}` is no path of a file", path.escape_default()))?;
        if why.trim().is_empty() {
            return Err(format!("`why` is empty: say why {path} should be split"));
        }
        if why.len() > why_max {
            return Err(format!("`why` is longer than {why_max} bytes"));
        }
    }
    Ok(())
}

/// Puts a file into a folder in which somebody else may write at the same time.
pub(super) fn put(place: &Path, bytes: &[u8]) -> io::Result<()> {
    let (Some(folder), Some(name)) = (place.parent(), place.file_name()) else {
        return Err(io::Error::other("it has no place"));
    };
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    let folder = rustix::fs::open(folder, flags, Mode::empty())?;
    let beside = ".artel.new";
    match rustix::fs::unlinkat(&folder, beside, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno.into()),
    }
    // Made anew: what somebody puts there meanwhile is not written through.
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::WRONLY;
    let made = rustix::fs::openat(&folder, beside, flags, Mode::from_raw_mode(0o600))?;
    File::from(made).write_all(bytes)?;
    Ok(rustix::fs::renameat(&folder, beside, &folder, name)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handoff_is_read_and_its_absence_is_no_fault() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("handoff.json");
        assert_eq!(collect(&place).unwrap(), None);
        std::fs::write(&place, r#"{"done": "all", "leftovers": [{"path": "a", "line": 3, "why": "odd"}]}"#).unwrap();
        let handoff = collect(&place).unwrap().unwrap();
        assert_eq!((handoff.done.as_str(), handoff.leftovers[0].line), ("all", 3));
    }

    #[test]
    fn what_is_no_handoff_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("handoff.json");
        for garbage in ["", "not json", r#"{"doen": "all"}"#, r#"{"done": 7}"#, "{} {}", "[]x"] {
            std::fs::write(&place, garbage).unwrap();
            assert!(matches!(collect(&place), Err(HandoffFault::Garbled(_))), "{garbage:?}");
        }
        std::fs::write(&place, vec![b' '; 1 + (1 << 20)]).unwrap();
        assert!(matches!(collect(&place), Err(HandoffFault::Refused(_))));
        std::fs::remove_file(&place).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", &place).unwrap();
        assert!(matches!(collect(&place), Err(HandoffFault::Refused(_))));
    }

    #[test]
    fn who_asks_to_change_more_is_blocked_on_that_and_asks_for_paths() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("handoff.json");
        std::fs::write(&place, r#"{"wants": {"paths": ["b.rs", "c/"], "why": "it calls it"}}"#).unwrap();
        let handoff = collect(&place).unwrap().unwrap();
        assert_eq!(handoff.blocked.as_deref(), Some("leave to change b.rs, c/ too: it calls it"));
        for wants in [
            r#"{"paths": [], "why": "x"}"#,
            r#"{"paths": ["../a"], "why": "x"}"#,
            r#"{"paths": ["/etc/passwd"], "why": "x"}"#,
            r#"{"paths": ["a"], "why": " "}"#,
        ] {
            std::fs::write(&place, format!(r#"{{"wants": {wants}}}"#)).unwrap();
            assert!(matches!(collect(&place), Err(HandoffFault::Unfit(_))), "{wants}");
        }
        let many = vec![r#"{"path": "a.rs", "why": "w"}"#; 21].join(", ");
        for flagged in [r#"{"path": "a\nasks for b", "why": "w"}"#, r#"{"path": "a.rs", "why": " "}"#, &many] {
            std::fs::write(&place, format!(r#"{{"flagged": [{flagged}]}}"#)).unwrap();
            assert!(matches!(collect(&place), Err(HandoffFault::Unfit(_))), "{flagged}");
        }
    }

    #[test]
    fn what_was_left_is_collected_and_nothing_is_written_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("desk/handoff.json");
        std::fs::create_dir(dir.path().join("desk")).unwrap();
        let handoff = Handoff { done: "all".to_owned(), ..Handoff::default() };
        leave(&place, &handoff).unwrap();
        let other = Handoff { blocked: Some("a key".to_owned()), ..handoff };
        leave(&place, &other).unwrap();
        assert_eq!(collect(&place).unwrap(), Some(other.clone()));
        let mine = dir.path().join("mine");
        std::fs::write(&mine, "mine").unwrap();
        for name in ["handoff.json", ".handoff.new"] {
            let link = dir.path().join("desk").join(name);
            let _ = std::fs::remove_file(&link);
            std::os::unix::fs::symlink(&mine, &link).unwrap();
            leave(&place, &other).unwrap();
            assert_eq!(collect(&place).unwrap(), Some(other.clone()), "{name}");
        }
        assert_eq!(std::fs::read_to_string(&mine).unwrap(), "mine");
        std::fs::remove_file(&place).unwrap();
        std::fs::create_dir(&place).unwrap();
        assert!(matches!(leave(&place, &other), Err(HandoffFault::NotTaken(_))));
        std::fs::remove_dir(&place).unwrap();
        let long = Handoff { done: "x".repeat(1 << 20), ..Handoff::default() };
        assert!(matches!(leave(&place, &long), Err(HandoffFault::NotTaken(_))));
        assert!(!place.exists());
    }
}
