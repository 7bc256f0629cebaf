//! Owns what OpenAI's Responses and Chat Completions, and those of others that speak them, tell of their usage. Never
//! sees a whole answer.

use serde::Deserialize;

use super::meter::{Told, parsed};
use super::picker::{How, Wanted};
use crate::io::gateway::call::Tokens;

/// The count of a whole answer or at the end of a stream, and why the model stopped; what is written.
pub(super) const CHAT: &[Wanted] = &[
    (How::Take, &["usage"]),
    (How::Take, &["choices", "finish_reason"]),
    (How::Weigh, &["choices", "delta", "content"]),
    (How::Weigh, &["choices", "delta", "refusal"]),
    (How::Weigh, &["choices", "delta", "reasoning_content"]),
    (How::Weigh, &["choices", "delta", "reasoning"]),
    (How::Weigh, &["choices", "delta", "tool_calls", "function"]),
];

/// The count in the last event of a stream, and that of a whole answer; what is written.
pub(super) const RESPONSES: &[Wanted] =
    &[(How::Take, &["response", "usage"]), (How::Take, &["usage"]), (How::Weigh, &["delta"])];

#[derive(Debug, Deserialize)]
struct Usage {
    #[serde(alias = "prompt_tokens")]
    input_tokens: u64,
    #[serde(alias = "completion_tokens")]
    output_tokens: u64,
    #[serde(default, alias = "prompt_tokens_details")]
    input_tokens_details: Option<Read>,
    #[serde(default, alias = "completion_tokens_details")]
    output_tokens_details: Option<Written>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Read {
    cached_tokens: Option<u64>,
    #[serde(alias = "cache_write_input_tokens", alias = "cache_creation_tokens")]
    cache_write_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Written {
    reasoning_tokens: Option<u64>,
}

/// Takes the count of a chat; some servers send one with every event, the last of which counts. It may come after the word
/// that the model has stopped.
pub(super) fn take_chat(told: &mut Told, which: usize, value: &[u8]) {
    if which == 1 {
        told.stopped |= value != b"null";
    } else if let Some(usage) = parsed::<Usage>(value) {
        told.tokens = normal(&usage);
        told.read = true;
    }
}

/// Takes the count of a response, which comes once.
pub(super) fn take_response(told: &mut Told, _: usize, value: &[u8]) {
    if let Some(usage) = parsed::<Usage>(value) {
        told.tokens = normal(&usage);
        (told.read, told.last) = (true, true);
    }
}

/// Counts what was read from a cache and written to one out of the input, which it is a part of here.
fn normal(usage: &Usage) -> Tokens {
    let read = usage.input_tokens_details.as_ref();
    let cache_read = read.and_then(|it| it.cached_tokens).unwrap_or_default().min(usage.input_tokens);
    let afresh = usage.input_tokens - cache_read;
    let cache_write = read.and_then(|it| it.cache_write_tokens).unwrap_or_default().min(afresh);
    let reasoning = usage.output_tokens_details.as_ref().and_then(|it| it.reasoning_tokens).unwrap_or_default();
    Tokens {
        input: afresh - cache_write,
        cache_read,
        cache_write,
        cache_write_1h: 0,
        output: usage.output_tokens,
        reasoning,
    }
}
