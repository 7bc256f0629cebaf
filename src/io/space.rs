//! Owns measuring how much may still be written to a disk. Never frees anything.

use std::path::Path;

/// Files that must be free to be made, on a file system that counts them.
const FILES_AT_LEAST: u64 = 1024;

/// Tells how many bytes a file system has free for this user at a path; none where it cannot be told.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(path).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// The part of a whole disk that is wanted at most, so that a small one can be used at all.
const PART_AT_MOST: u64 = 16;

/// Says what is short where a path lies: fewer than so many bytes are free, or hardly a file can be made.
pub fn shortage(path: &Path, bytes: u64) -> Option<String> {
    let found = rustix::fs::statvfs(path).ok()?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let wanted = bytes.min(found.f_blocks.saturating_mul(found.f_frsize) / PART_AT_MOST);
    if free < wanted {
        let (free, wanted) = (free >> 10, wanted.div_ceil(1 << 10));
        return Some(format!("{free} KiB are free at `{}`, and {wanted} must be", path.display()));
    }
    let is_counted = found.f_files > 0 && bytes > 0;
    (is_counted && found.f_favail < FILES_AT_LEAST)
        .then(|| format!("{} more files can be made at `{}`", found.f_favail, path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_size_is_never_short() {
        let here = Path::new("/");
        assert!(free_bytes(here).unwrap() > 0);
        assert_eq!(shortage(here, 0), None);
        assert_eq!(shortage(Path::new("/nowhere/at/all"), u64::MAX), None, "what cannot be told is not short");
        // A file system of the kernel's own has no room at all.
        assert_eq!(free_bytes(Path::new("/proc")), Some(0));
        assert_eq!(shortage(Path::new("/proc"), u64::MAX), None, "nothing is wanted of what holds nothing");
    }
}
