//! Owns the reading of what providers say of limits in plain words, where an agent passes on nothing else. Guesses no time
//! that is not written.

use std::sync::LazyLock;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use regex::Regex;

/// Words by which an error tells of a limit of the account or of its rate.
static LIMIT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(usage[ _-]?limit|rate[ _-]?limit|quota exceeded|exceeded your current quota|too many requests)")
        .ok()
});

/// A day and time as Codex writes them: `try again at Nov 23rd, 2026 2:13 AM`.
static RESET: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"try again at ([A-Z][a-z]{2}) (\d{1,2})[a-z]{2}, (\d{4}) (\d{1,2}:\d{2} [AP]M)").ok());

/// Tells whether an error's text tells of a limit.
pub(super) fn is_limit(error: &str) -> bool {
    LIMIT.as_ref().is_some_and(|limit| limit.is_match(error))
}

/// Reads when a limit is lifted, in milliseconds since 1970, of a text that names the day and the time of a zone.
pub(super) fn resets_at_ms(error: &str, zone: &TimeZone) -> Option<i64> {
    let found = RESET.as_ref()?.captures(error)?;
    let written = format!("{} {} {} {}", &found[1], &found[2], &found[3], &found[4]);
    let day = DateTime::strptime("%b %d %Y %I:%M %p", written).ok()?;
    Some(day.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_tell_of_a_limit() {
        for error in [
            "You’ve hit your usage limit. Upgrade to Pro",
            "exceeded retry limit, last status: 429 Too Many Requests",
            "Quota exceeded. Check your plan and billing details.",
            "rate_limit_error: slow down",
        ] {
            assert!(is_limit(error), "{error}");
        }
        for error in ["unexpected status 401 Unauthorized", "ran out of room in the model's context window", ""] {
            assert!(!is_limit(error), "{error}");
        }
    }

    #[test]
    fn a_time_is_read_only_where_it_is_written_whole() {
        let at = |text: &str| resets_at_ms(text, &TimeZone::UTC);
        assert_eq!(at("credits or try again at Nov 23rd, 2026 2:13 AM."), Some(1_795_399_980_000));
        assert_eq!(at("try again at Dec 1st, 2026 12:00 PM."), Some(1_796_126_400_000));
        for text in ["try again at 2:13 AM.", "try again later.", "try again at Nov 99th, 2026 2:13 AM."] {
            assert_eq!(at(text), None, "{text}");
        }
    }
}
