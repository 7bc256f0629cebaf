//! Owns which paths may be written into a commit. Never touches a file system.

/// The longest path that is taken in, in bytes.
const LONGEST: usize = 4_000;

/// Says why a path may not be written into a commit; `None` where it may.
pub fn why_refused(path: &str) -> Option<&'static str> {
    if path.is_empty() || path.len() > LONGEST {
        return Some("a path is neither empty nor longer than 4,000 bytes");
    }
    if path.chars().any(char::is_control) {
        return Some("its name holds control characters");
    }
    if path.contains('\\') {
        return Some("its name holds a backslash, which is a separator elsewhere");
    }
    path.split('/').find_map(why_part_refused)
}

fn why_part_refused(part: &str) -> Option<&'static str> {
    match part {
        "" => return Some("it begins or ends with a slash, or holds two in a row"),
        "." | ".." => return Some("it holds `.` or `..`"),
        _ => {}
    }
    if part.len() > 255 {
        return Some("a part of it is longer than 255 bytes");
    }
    is_git_dir(part).then_some("a part of it is, or is read as, `.git`")
}

/// Tells whether some file system reads a name as `.git`.
pub(super) fn is_git_dir(part: &str) -> bool {
    let seen: String = part.chars().filter(|c| !is_ignorable(*c)).flat_map(char::to_lowercase).collect();
    let stem = seen.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
    stem == ".git" || stem.strip_prefix("git~").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
}

/// Tells whether a file system may drop a character from a name.
fn is_ignorable(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_some_file_system_reads_as_dot_git_is_refused() {
        for path in [
            ".git",
            ".GIT/config",
            "a/.Git",
            "git~1",
            "GIT~1/hooks",
            ".git.",
            ".git ",
            ".git. .",
            ".g\u{200c}it",
            ".git::$INDEX_ALLOCATION",
            "..",
            "a/../b",
            "./a",
            "/a",
            "a/",
            "a//b",
            "a\\b",
            "a\nb",
            "",
            "a/\u{7f}",
        ] {
            assert!(why_refused(path).is_some(), "{path:?}");
        }
    }

    #[test]
    fn ordinary_and_odd_names_are_allowed() {
        for path in ["a", "-x", "a/b.rs", ".gitignore", ".github/x", "a b", "é", "git~a", "x.git", "...", "a/..b"] {
            assert_eq!(why_refused(path), None, "{path:?}");
        }
    }
}
