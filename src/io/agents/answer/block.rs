//! Owns the finding of an answer in what an agent said: one fenced block marked `artel` that holds JSON.

use serde::de::DeserializeOwned;

/// Longest answer that is read, in bytes.
const BYTES_MOST: usize = 4 << 20;

/// What opens the block.
pub(super) const OPENING: &str = "```artel";

/// Says why something said is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerFault {
    /// There is no block.
    #[error("it holds no block that begins with ```artel")]
    NoBlock,
    /// There are several.
    #[error("it holds {0} blocks that begin with ```artel, and one is wanted")]
    Many(usize),
    /// The block does not end.
    #[error("its block does not end with ```")]
    Open,
    /// It is too long.
    #[error("its block has {0} bytes, and {BYTES_MOST} are read")]
    TooLong(usize),
    /// What stands in it is not in the form that was asked for.
    #[error("its block is not in the form that was asked for: {0}")]
    Form(String),
}

/// Finds the block and reads what stands in it.
pub(super) fn read<T: DeserializeOwned>(said: &str) -> Result<T, AnswerFault> {
    let block = block(said)?;
    if block.len() > BYTES_MOST {
        return Err(AnswerFault::TooLong(block.len()));
    }
    serde_json::from_str(&block).map_err(|error| AnswerFault::Form(error.to_string()))
}

fn block(said: &str) -> Result<String, AnswerFault> {
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in said.lines() {
        let bare = line.trim();
        match &mut open {
            None if bare == OPENING => open = Some(String::new()),
            None => {}
            Some(_) if bare == "```" => blocks.extend(open.take()),
            Some(block) => {
                block.push_str(line);
                block.push('\n');
            }
        }
    }
    match (blocks.as_slice(), open) {
        (_, Some(_)) => Err(AnswerFault::Open),
        ([], None) => Err(AnswerFault::NoBlock),
        ([only], None) => Ok(only.clone()),
        (many, None) => Err(AnswerFault::Many(many.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn of(said: &str) -> Result<Value, AnswerFault> {
        read(said)
    }

    #[test]
    fn the_one_block_is_the_answer_whatever_stands_round_it() {
        let said = "I looked.\n```rust\nfn a() {}\n```\n  ```artel  \n{\"a\":\n 1}\n```\nThat is all.";
        assert_eq!(of(said), Ok(json!({"a": 1})));
    }

    #[test]
    fn without_one_whole_block_there_is_no_answer() {
        assert_eq!(of("{\"a\": 1}"), Err(AnswerFault::NoBlock));
        assert_eq!(of("```artel\n{}\n```\n```artel\n{}\n```"), Err(AnswerFault::Many(2)));
        assert_eq!(of("```artel\n{}"), Err(AnswerFault::Open));
        assert_eq!(of("```artel\n{}\n```\n```artel\n{"), Err(AnswerFault::Open));
        assert!(matches!(of("```artel\nnot json\n```"), Err(AnswerFault::Form(_))));
    }
}
