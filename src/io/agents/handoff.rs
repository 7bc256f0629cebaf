//! Owns the reading of the handoff that an agent has left: a file of a stranger. Never follows a link.

use std::io;
use std::path::Path;

use crate::io::process::read_small;
use crate::model::attempt::Handoff;

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
}

/// Reads the handoff at a place; nothing where there is none.
///
/// # Errors
/// Fails where it is no regular file, is longer than [`HANDOFF_BYTES_MAX`], or is not a handoff in JSON.
pub fn collect(place: &Path) -> Result<Option<Handoff>, HandoffFault> {
    let Some(bytes) = read_small(place, HANDOFF_BYTES_MAX).map_err(HandoffFault::Refused)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(HandoffFault::Garbled)
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
}
