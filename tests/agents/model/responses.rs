//! Owns an answer in the words of OpenAI's Responses.

use serde_json::{Value, json};

use super::answer::{Answer, Event, Said, fresh};
use super::tools::{Input, Use};

/// The input includes what is read from a cache and into it, the output what was thought; a stream tells usage when it is completed.
pub fn answer(said: &Said<'_>) -> Answer {
    let told = said.usage;
    let items = items(said);
    let whole = json!({
        "id": fresh("resp"), "object": "response", "created_at": 1_700_000_000, "status": "completed",
        "model": said.model, "output": items, "error": null, "incomplete_details": null,
        "parallel_tool_calls": true, "tool_choice": "auto", "tools": [],
        "usage": {
            "input_tokens": told.prompt(),
            "input_tokens_details": {"cached_tokens": told.cache_read, "cache_write_tokens": told.cache_write},
            "output_tokens": told.output, "output_tokens_details": {"reasoning_tokens": told.reasoning},
            "total_tokens": told.prompt() + told.output
        }
    });
    let unfinished = |status: &str| {
        let mut unfinished = whole.clone();
        unfinished["status"] = status.into();
        unfinished["output"] = json!([]);
        unfinished["usage"] = Value::Null;
        unfinished
    };
    let mut parts = vec![("response.created", json!({"response": unfinished("in_progress")}))];
    let mut half = parts.len();
    for (index, item) in items.iter().enumerate() {
        parts.extend(streamed(index, item));
        if index == 0 {
            half = parts.len() - 1;
        }
    }
    parts.push(("response.completed", json!({"response": whole})));
    let number = |(sequence, (name, mut part)): (usize, (&'static str, Value))| {
        part["sequence_number"] = sequence.into();
        Event::named(name, part)
    };
    let mut events: Vec<Event> = parts.into_iter().enumerate().map(number).collect();
    let last = events.pop().map(|last| last.telling(told));
    events.extend(last);
    let mut failed = unfinished("failed");
    failed["error"] = json!({"code": said.kind, "message": "scripted error in a stream"});
    let broken = number((half, ("response.failed", json!({"response": failed}))));
    Answer { whole, told: Some(told), events, begun: 1, half, broken }
}

fn items(said: &Said<'_>) -> Vec<Value> {
    let mut items = Vec::new();
    if let Some(thought) = &said.thought {
        let summary = json!([{"type": "summary_text", "text": thought}]);
        items.push(json!({"id": fresh("rs"), "type": "reasoning", "summary": summary, "encrypted_content": "c2ln"}));
    }
    if let Some(text) = &said.text {
        let content = json!([{"type": "output_text", "text": text, "annotations": []}]);
        items.push(json!({
            "id": fresh("msg"), "type": "message", "role": "assistant", "status": "completed", "content": content
        }));
    }
    items.extend(said.uses.iter().map(call));
    items
}

fn call(it: &Use) -> Value {
    match &it.input {
        Input::Text(text) => json!({
            "id": fresh("ctc"), "type": "custom_tool_call", "call_id": fresh("call"), "name": it.name, "input": text,
            "status": "completed"
        }),
        Input::Arguments(arguments) => {
            let mut call = json!({
                "id": fresh("fc"), "type": "function_call", "call_id": fresh("call"), "name": it.name,
                "arguments": arguments.to_string(), "status": "completed"
            });
            if let Some(namespace) = &it.namespace {
                call["namespace"] = namespace.as_str().into();
            }
            call
        }
    }
}

fn streamed(index: usize, item: &Value) -> Vec<(&'static str, Value)> {
    let mut begun = item.clone();
    if item["type"] != "reasoning" {
        begun["status"] = "in_progress".into();
    }
    let place = |mut part: Value| {
        part["output_index"] = index.into();
        part["item_id"] = item["id"].clone();
        part
    };
    let mut parts = Vec::new();
    match item["type"].as_str() {
        Some("reasoning") => {
            begun["summary"] = json!([]);
            let summary = |part: Value| place(json!({"summary_index": 0, "part": part}));
            let text = &item["summary"][0]["text"];
            parts.push(("response.reasoning_summary_part.added", summary(json!({"type": "summary_text", "text": ""}))));
            parts.push(("response.reasoning_summary_text.delta", place(json!({"summary_index": 0, "delta": text}))));
            parts.push(("response.reasoning_summary_text.done", place(json!({"summary_index": 0, "text": text}))));
            parts.push(("response.reasoning_summary_part.done", summary(item["summary"][0].clone())));
        }
        Some("message") => {
            begun["content"] = json!([]);
            let content = |part: Value| place(json!({"content_index": 0, "part": part}));
            let text = &item["content"][0]["text"];
            let empty = json!({"type": "output_text", "text": "", "annotations": []});
            parts.push(("response.content_part.added", content(empty)));
            parts.push(("response.output_text.delta", place(json!({"content_index": 0, "delta": text}))));
            parts.push(("response.output_text.done", place(json!({"content_index": 0, "text": text}))));
            parts.push(("response.content_part.done", content(item["content"][0].clone())));
        }
        Some("custom_tool_call") => {
            begun["input"] = "".into();
            parts.push(("response.custom_tool_call_input.delta", place(json!({"delta": item["input"]}))));
            parts.push(("response.custom_tool_call_input.done", place(json!({"input": item["input"]}))));
        }
        _ => {
            begun["arguments"] = "".into();
            parts.push(("response.function_call_arguments.delta", place(json!({"delta": item["arguments"]}))));
            parts.push(("response.function_call_arguments.done", place(json!({"arguments": item["arguments"]}))));
        }
    }
    parts.insert(0, ("response.output_item.added", json!({"output_index": index, "item": begun})));
    parts.push(("response.output_item.done", json!({"output_index": index, "item": item})));
    parts
}
