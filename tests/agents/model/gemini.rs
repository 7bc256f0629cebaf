//! Owns an answer in the words of Gemini.

use serde_json::{Value, json};

use super::answer::{Answer, Event, Said, fresh};
use super::script::Usage;
use super::tools::Input;

/// The prompt includes what is read from a cache, the candidates leave out what was thought; each part of a stream tells all usage
/// so far.
pub fn answer(said: &Said<'_>) -> Answer {
    // It has no word for what is written into a cache.
    let told = Usage { input: said.usage.input + said.usage.cache_write, cache_write: 0, ..said.usage };
    let mut words = Vec::new();
    words.extend(said.thought.as_ref().map(|thought| json!({"text": thought, "thought": true})));
    words.extend(said.text.as_ref().map(|text| json!({"text": text})));
    let calls: Vec<Value> = said.uses.iter().map(|it| call(&it.name, &it.input)).collect();
    let id = fresh("response");
    let part = |parts: Vec<Value>, stop: Option<&str>, told: Usage| {
        let mut candidate = json!({"content": {"role": "model", "parts": parts}, "index": 0});
        if let Some(stop) = stop {
            candidate["finishReason"] = stop.into();
        }
        json!({
            "candidates": [candidate], "usageMetadata": usage(told), "modelVersion": said.model, "responseId": id
        })
    };
    let stop = Some(said.stop.unwrap_or("STOP"));
    let whole = part([words.clone(), calls.clone()].concat(), stop, told);

    let mut events = Vec::new();
    if !words.is_empty() {
        let first = Usage { output: told.reasoning + (told.output - told.reasoning) / 2, ..told };
        events.push(Event::of(&part(words, None, first)).telling(first));
    }
    let half = events.len();
    let last = if calls.is_empty() { vec![json!({"text": ""})] } else { calls };
    events.push(Event::of(&part(last, stop, told)).telling(told));
    let error = json!({"error": {"code": 503, "message": "scripted error in a stream", "status": said.kind}});
    Answer { whole, told: Some(told), events, begun: half, half, broken: Event::of(&error) }
}

fn usage(told: Usage) -> Value {
    json!({
        "promptTokenCount": told.prompt(), "cachedContentTokenCount": told.cache_read,
        "candidatesTokenCount": told.output - told.reasoning, "thoughtsTokenCount": told.reasoning,
        "totalTokenCount": told.prompt() + told.output
    })
}

fn call(name: &str, input: &Input) -> Value {
    let arguments = match input {
        Input::Arguments(arguments) => arguments.clone(),
        Input::Text(text) => json!({"input": text}),
    };
    json!({"functionCall": {"name": name, "args": arguments, "id": fresh("call")}, "thoughtSignature": "c2ln"})
}
