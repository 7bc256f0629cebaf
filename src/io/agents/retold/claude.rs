//! Owns what the events of Claude Code's stream say to a person.

use serde_json::Value;

use super::teller::{Teller, text_of};
use crate::io::agents::agent::Ending;
use crate::io::agents::claude::{ending, whole};
use crate::io::agents::told::nano_usd;

/// Tells an event; gives whether it is one.
pub(super) fn tell(to: &mut Teller, event: &Value) -> bool {
    match event["type"].as_str() {
        Some("system") => system(to, event),
        Some(kind @ ("assistant" | "user")) => {
            let content = &event["message"]["content"];
            content.as_array().into_iter().flatten().for_each(|part| tell_part(to, part, kind));
            // A text that is no part is what somebody told it.
            if let Some(text) = content.as_str() {
                to.note(text);
            }
        }
        Some("rate_limit_event") => {
            let limit = &event["rate_limit_info"];
            if limit["status"] != "allowed" {
                let word = |name: &str| limit[name].as_str().unwrap_or_default().to_owned();
                to.note(&format!("its limit is near or met: {} {}", word("status"), word("rateLimitType")));
            }
        }
        Some("result") => {
            let how = match ending(event, true, None) {
                Ending::Done => "done".to_owned(),
                Ending::Failed(why) => format!("failed: {why}"),
                Ending::Limited(why, _) => format!("limited: {why}"),
            };
            to.ends(&how, whole(event), nano_usd(&event["total_cost_usd"]));
        }
        _ => return false,
    }
    true
}

fn system(to: &mut Teller, event: &Value) {
    let word = |name: &str| event[name].as_str().unwrap_or_default();
    match event["subtype"].as_str() {
        Some("init") => to.note(&format!("begins {}", word("model"))),
        Some("api_retry") => to.note(&format!("asks its model again: {}", word("error"))),
        Some("permission_denied") => to.note(&format!("is denied {}: {}", word("tool_name"), word("message"))),
        Some(other) => to.note(other),
        None => {}
    }
}

fn tell_part(to: &mut Teller, part: &Value, kind: &str) {
    let text = |name: &str| part[name].as_str().unwrap_or_default();
    match part["type"].as_str() {
        Some("text") if kind == "assistant" => to.said(text("text")),
        Some("text") => to.note(text("text")),
        Some("thinking") => to.thought(text("thinking")),
        Some("tool_use" | "server_tool_use" | "mcp_tool_use") => to.calls(text("name"), &part["input"]),
        Some("tool_result" | "mcp_tool_result") => to.answers(&text_of(&part["content"]), part["is_error"] == true),
        _ => {}
    }
}
