//! Owns what Anthropic's Messages tell of their usage. Never sees a whole answer.

use serde::Deserialize;

use super::meter::{Told, parsed};
use super::picker::{How, Wanted};

/// The count at the beginning of a stream; the last count, of a stream and of a whole answer; what is written.
pub(super) const WANTED: &[Wanted] = &[
    (How::Take, &["message", "usage"]),
    (How::Take, &["usage"]),
    (How::Weigh, &["delta", "text"]),
    (How::Weigh, &["delta", "thinking"]),
    (How::Weigh, &["delta", "partial_json"]),
];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Usage {
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation: Option<Written>,
    output_tokens: Option<u64>,
    output_tokens_details: Option<Details>,
    iterations: Option<Vec<Usage>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Written {
    ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    thinking_tokens: Option<u64>,
}

/// Takes a count: each is of the whole call so far, and leaves out what did not change.
pub(super) fn take(told: &mut Told, which: usize, value: &[u8]) {
    let Some(usage) = parsed::<Usage>(value) else { return };
    told.read |= usage.input_tokens.is_some();
    told.last |= which == 1 && usage.output_tokens.is_some();
    let tokens = &mut told.tokens;
    for (field, into) in [
        (summed(&usage, |it| it.input_tokens), &mut tokens.input),
        (summed(&usage, |it| it.cache_read_input_tokens), &mut tokens.cache_read),
        (summed(&usage, |it| it.cache_creation_input_tokens), &mut tokens.cache_write),
        (summed(&usage, |it| it.cache_creation.as_ref()?.ephemeral_1h_input_tokens), &mut tokens.cache_write_1h),
        (summed(&usage, |it| it.output_tokens), &mut tokens.output),
        (summed(&usage, |it| it.output_tokens_details.as_ref()?.thinking_tokens), &mut tokens.reasoning),
    ] {
        *into = field.unwrap_or(*into);
    }
}

/// Gives a field, summed up over the rounds within the call where they are told: its own count leaves some out.
fn summed(usage: &Usage, field: impl Fn(&Usage) -> Option<u64>) -> Option<u64> {
    let rounds = usage.iterations.iter().flatten().filter_map(&field).reduce(u64::saturating_add);
    field(usage).max(rounds)
}
