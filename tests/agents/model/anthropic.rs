//! Owns an answer in the words of Anthropic Messages.

use serde_json::{Value, json};

use super::answer::{Answer, Event, Said, fresh};
use super::script::Usage;
use super::tools::Input;

/// Its input leaves out what is cached; usage is told at the beginning and again, cumulatively, at the end.
pub fn answer(said: &Said<'_>) -> Answer {
    let blocks = blocks(said);
    let stop = said.stop.unwrap_or(if said.uses.is_empty() { "end_turn" } else { "tool_use" });
    let told = said.usage;
    let first = Usage { output: 1.min(told.output), reasoning: 0, ..told };
    let whole = json!({
        "id": fresh("msg"), "type": "message", "role": "assistant", "model": said.model, "content": blocks,
        "stop_reason": stop, "stop_sequence": null, "usage": usage(told)
    });
    let mut begin = whole.clone();
    begin["content"] = json!([]);
    begin["stop_reason"] = Value::Null;
    begin["usage"] = usage(first);

    let mut events = vec![Event::named("message_start", json!({"message": begin})).telling(first)];
    events.push(Event::named("ping", json!({})));
    let begun = events.len();
    let mut half = begun;
    for (index, block) in blocks.iter().enumerate() {
        events.extend(streamed(index, block));
        if index == 0 {
            half = events.len() - 1;
        }
    }
    let delta = json!({"delta": {"stop_reason": stop, "stop_sequence": null}, "usage": usage(told)});
    events.push(Event::named("message_delta", delta).telling(told));
    events.push(Event::named("message_stop", json!({})));
    let error = json!({"error": {"type": said.kind, "message": "scripted error in a stream"}});
    Answer { whole, told: Some(told), events, begun, half, broken: Event::named("error", error) }
}

fn usage(told: Usage) -> Value {
    json!({
        "input_tokens": told.input, "cache_read_input_tokens": told.cache_read,
        "cache_creation_input_tokens": told.cache_write,
        "cache_creation": {"ephemeral_5m_input_tokens": told.cache_write, "ephemeral_1h_input_tokens": 0},
        "output_tokens": told.output, "output_tokens_details": {"thinking_tokens": told.reasoning}
    })
}

fn blocks(said: &Said<'_>) -> Vec<Value> {
    let mut blocks = Vec::new();
    if let Some(thought) = &said.thought {
        blocks.push(json!({"type": "thinking", "thinking": thought, "signature": "c2ln"}));
    }
    if let Some(text) = &said.text {
        blocks.push(json!({"type": "text", "text": text}));
    }
    for it in &said.uses {
        let input = match &it.input {
            Input::Arguments(arguments) => arguments.clone(),
            Input::Text(text) => json!({"input": text}),
        };
        blocks.push(json!({"type": "tool_use", "id": fresh("toolu"), "name": it.name, "input": input}));
    }
    blocks
}

fn streamed(index: usize, block: &Value) -> Vec<Event> {
    let (mut empty, mut deltas) = (block.clone(), Vec::new());
    match block["type"].as_str() {
        Some("thinking") => {
            (empty["thinking"], empty["signature"]) = ("".into(), "".into());
            deltas.push(json!({"type": "thinking_delta", "thinking": block["thinking"]}));
            deltas.push(json!({"type": "signature_delta", "signature": block["signature"]}));
        }
        Some("text") => {
            empty["text"] = "".into();
            deltas.push(json!({"type": "text_delta", "text": block["text"]}));
        }
        _ => {
            empty["input"] = json!({});
            deltas.push(json!({"type": "input_json_delta", "partial_json": block["input"].to_string()}));
        }
    }
    let mut events = vec![Event::named("content_block_start", json!({"index": index, "content_block": empty}))];
    let deltas = deltas.into_iter().map(|delta| json!({"index": index, "delta": delta}));
    events.extend(deltas.map(|delta| Event::named("content_block_delta", delta)));
    events.push(Event::named("content_block_stop", json!({"index": index})));
    events
}
