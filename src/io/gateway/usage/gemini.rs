//! Owns what Gemini tells of its usage. Never sees a whole answer.

use serde::Deserialize;

use super::meter::{Told, parsed};
use super::picker::{How, Wanted};
use crate::io::gateway::call::Tokens;

/// The count, which comes with every event, and why the model stopped; what is written.
pub(super) const WANTED: &[Wanted] = &[
    (How::Take, &["usageMetadata"]),
    (How::Take, &["candidates", "finishReason"]),
    (How::Weigh, &["candidates", "content", "parts", "text"]),
    (How::Weigh, &["candidates", "content", "parts", "functionCall"]),
];

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Usage {
    prompt_token_count: Option<u64>,
    cached_content_token_count: Option<u64>,
    tool_use_prompt_token_count: Option<u64>,
    candidates_token_count: Option<u64>,
    thoughts_token_count: Option<u64>,
}

/// Takes a count; each is of the whole call so far, the last of which counts.
pub(super) fn take(told: &mut Told, which: usize, value: &[u8]) {
    if which == 1 {
        told.stopped |= value != b"null";
        return;
    }
    let Some(usage) = parsed::<Usage>(value) else { return };
    told.read |= usage.prompt_token_count.is_some();
    let prompt = usage.prompt_token_count.unwrap_or_default();
    let cache_read = usage.cached_content_token_count.unwrap_or_default().min(prompt);
    let reasoning = usage.thoughts_token_count.unwrap_or_default();
    told.tokens = Tokens {
        input: (prompt - cache_read).saturating_add(usage.tool_use_prompt_token_count.unwrap_or_default()),
        cache_read,
        output: usage.candidates_token_count.unwrap_or_default().saturating_add(reasoning),
        reasoning,
        ..Tokens::default()
    };
}
