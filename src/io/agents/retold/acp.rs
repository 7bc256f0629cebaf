//! Owns what the messages between artel's client of the Agent Client Protocol and an agent say to a person.

use serde_json::Value;

use super::teller::{Teller, text_of};
use crate::io::agents::acp::ended;
use crate::io::agents::agent::Ending;
use crate::io::agents::called::tool_of;

/// Tells a line; gives whether it is one of the client's.
pub(super) fn tell(to: &mut Teller, line: &Value) -> bool {
    if let Some((ending, told)) = ended(line) {
        let how = match ending {
            Some(Ending::Done) => "done".to_owned(),
            Some(Ending::Failed(why)) => format!("failed: {why}"),
            Some(Ending::Limited(why, _)) => format!("limited: {why}"),
            None => "ended, and did not say how".to_owned(),
        };
        to.ends(&how, told.tokens, told.nano_usd);
        return true;
    }
    if let Some(aside) = line["aside"].as_str().or_else(|| line["garbage"].as_str()) {
        to.said(aside);
        return true;
    }
    let from = &line["from"];
    let kind = from["params"]["update"]["sessionUpdate"].as_str();
    if !matches!(kind, Some("agent_message_chunk" | "agent_thought_chunk")) {
        to.close();
    }
    match from["method"].as_str() {
        Some("session/update") => update(to, &from["params"]["update"]),
        Some("session/request_permission") => {
            to.note(&format!("asks for leave: {}", from["params"]["toolCall"]["title"].as_str().unwrap_or_default()));
        }
        _ => {
            if let Some(error) = from["error"]["message"].as_str() {
                to.note(error);
            }
        }
    }
    from.is_object() || line["to"].is_object()
}

fn update(to: &mut Teller, update: &Value) {
    let piece = update["content"]["text"].as_str().unwrap_or_default();
    match update["sessionUpdate"].as_str() {
        Some("agent_message_chunk") => to.said_on(piece),
        Some("agent_thought_chunk") => to.thought_on(piece),
        Some("tool_call") => {
            // Some announce a call before they know what it is given, and tell that after.
            let is_announced = update["rawInput"].as_object().is_some_and(serde_json::Map::is_empty);
            if !is_announced {
                call(to, update);
            }
            answer(to, update);
        }
        Some("tool_call_update") => {
            let is_over = matches!(update["status"].as_str(), Some("completed" | "failed"));
            if !is_over && update["rawInput"].as_object().is_some_and(|input| !input.is_empty()) {
                call(to, update);
            }
            answer(to, update);
        }
        Some("plan") => {
            let entries = update["entries"].as_array().map(Vec::as_slice).unwrap_or_default();
            let done = entries.iter().filter(|entry| entry["status"] == "completed").count();
            let next = entries.iter().find(|entry| entry["status"] != "completed");
            let next = next.and_then(|entry| entry["content"].as_str()).unwrap_or_default();
            to.note(&format!("its plan, {done} of {} done: {next}", entries.len()));
        }
        _ => {}
    }
}

fn call(to: &mut Teller, update: &Value) {
    let input = to.telling(&update["rawInput"]);
    let place = update["locations"][0]["path"].as_str().filter(|_| input.is_empty());
    let title = update["title"].as_str().unwrap_or_default();
    let with = if input.is_empty() { place.unwrap_or(title) } else { &input };
    to.calls_with(tool_of(update), with);
}

fn answer(to: &mut Teller, update: &Value) {
    let is_error = match update["status"].as_str() {
        Some("completed") => false,
        Some("failed") => true,
        _ => return,
    };
    let text = text_of(&update["content"]);
    let text = if text.is_empty() { text_of(&update["rawOutput"]) } else { text };
    to.answers(if text.is_empty() { "done" } else { &text }, is_error);
}
