//! Owns the reading of a question that somebody asks a person in the place of an answer. Never judges whether it may.

use serde::Deserialize;

use super::block;

/// Longest question, in bytes: a person reads it in one line of the inbox.
const BYTES_MOST: usize = 8 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    ask: String,
}

/// Reads a question that stands alone in the block of an answer; none where something else stands there.
pub fn read_question(said: &str) -> Option<String> {
    let Written { ask } = block::read(said).ok()?;
    let ask = ask.trim();
    (!ask.is_empty() && ask.len() <= BYTES_MOST).then(|| ask.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_stands_alone_in_its_block() {
        let of = |json: &str| read_question(&format!("I am stuck.\n```artel\n{json}\n```\n"));
        assert_eq!(of(r#"{"ask": " Which colour? "}"#).as_deref(), Some("Which colour?"));
        let long = format!(r#"{{"ask": "{}"}}"#, "x".repeat(BYTES_MOST + 1));
        for other in ["{}", r#"{"ask": " "}"#, r#"{"ask": 7}"#, r#"{"ask": "x", "tasks": []}"#, long.as_str()] {
            assert_eq!(of(other), None, "{}", &other[..other.len().min(40)]);
        }
        assert_eq!(read_question(r#"{"ask": "Which colour?"}"#), None);
    }
}
