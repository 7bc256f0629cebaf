//! Owns an answer in the words of OpenAI's Chat Completions.

use serde_json::{Value, json};

use super::answer::{Answer, Event, Said, fresh};
use super::tools::Input;

/// The prompt includes what is read from a cache and into it, the completion what was thought; a stream tells usage where it was asked to.
pub fn answer(said: &Said<'_>) -> Answer {
    let told = said.usage;
    let usage = json!({
        "prompt_tokens": told.prompt(), "completion_tokens": told.output, "total_tokens": told.prompt() + told.output,
        "prompt_tokens_details": {"cached_tokens": told.cache_read, "cache_write_tokens": told.cache_write},
        "completion_tokens_details": {"reasoning_tokens": told.reasoning}
    });
    let calls: Vec<Value> = said.uses.iter().map(|it| call(&it.name, &it.input)).collect();
    let stop = said.stop.unwrap_or(if calls.is_empty() { "stop" } else { "tool_calls" });
    let mut message = json!({"role": "assistant", "content": said.text});
    if !calls.is_empty() {
        message["tool_calls"] = calls.clone().into();
    }
    let base = json!({"id": fresh("chatcmpl"), "created": 1_700_000_000, "model": said.model});
    let mut whole = base.clone();
    whole["object"] = "chat.completion".into();
    whole["choices"] = json!([{"index": 0, "message": message, "finish_reason": stop}]);
    whole["usage"] = usage.clone();

    let wants_usage = said.body["stream_options"]["include_usage"] == true;
    let chunk = |choices: Value| {
        let mut chunk = base.clone();
        chunk["object"] = "chat.completion.chunk".into();
        chunk["choices"] = choices;
        if wants_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    };
    let delta = |delta: Value, stop: Option<&str>| {
        Event::of(&chunk(json!([{"index": 0, "delta": delta, "finish_reason": stop}])))
    };
    let mut events = vec![delta(json!({"role": "assistant", "content": ""}), None)];
    events.extend(said.text.as_ref().map(|text| delta(json!({"content": text}), None)));
    let half = events.len();
    for (index, mut call) in calls.into_iter().enumerate() {
        call["index"] = index.into();
        events.push(delta(json!({"tool_calls": [call]}), None));
    }
    events.push(delta(json!({}), Some(stop)));
    if wants_usage {
        let mut last = chunk(json!([]));
        last["usage"] = usage;
        events.push(Event::of(&last).telling(told));
    }
    events.push(Event { name: None, text: "[DONE]".to_owned(), told: None });
    let kind = said.kind;
    let error = json!({"error": {"message": "scripted error in a stream", "type": kind, "code": kind}});
    Answer { whole, told: Some(told), events, begun: 1, half, broken: Event::of(&error) }
}

fn call(name: &str, input: &Input) -> Value {
    let arguments = match input {
        Input::Arguments(arguments) => arguments.to_string(),
        Input::Text(text) => text.clone(),
    };
    json!({"id": fresh("call"), "type": "function", "function": {"name": name, "arguments": arguments}})
}
