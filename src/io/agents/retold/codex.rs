//! Owns what the events of Codex's stream say to a person.

use serde_json::Value;

use super::teller::{Teller, text_of};
use crate::io::agents::codex::tokens;

/// Tells an event; gives whether it is one.
pub(super) fn tell(to: &mut Teller, event: &Value) -> bool {
    let item = &event["item"];
    match event["type"].as_str() {
        Some("item.started") => began(to, item),
        Some("item.completed") => ended(to, item),
        Some("error") => to.note(event["message"].as_str().unwrap_or_default()),
        Some("turn.completed") => {
            let usage = &event["usage"];
            to.ends("done", usage.is_object().then(|| tokens(usage)), None);
        }
        Some("turn.failed") => {
            to.ends(&format!("failed: {}", event["error"]["message"].as_str().unwrap_or_default()), None, None);
        }
        Some("thread.started" | "turn.started" | "item.updated") => {}
        _ => return false,
    }
    true
}

fn began(to: &mut Teller, item: &Value) {
    let text = |name: &str| item[name].as_str().unwrap_or_default();
    match item["type"].as_str() {
        Some("command_execution") => to.calls_with("command", unwrapped(text("command"))),
        Some("mcp_tool_call") => to.calls(text("tool"), &item["arguments"]),
        Some("collab_tool_call") => to.calls_with("collab", text("tool")),
        _ => {}
    }
}

fn ended(to: &mut Teller, item: &Value) {
    let text = |name: &str| item[name].as_str().unwrap_or_default();
    let has_failed = matches!(item["status"].as_str(), Some("failed" | "declined"))
        || item["exit_code"].as_i64().is_some_and(|code| code != 0);
    match item["type"].as_str() {
        Some("agent_message") => to.said(text("text")),
        Some("reasoning") => to.thought(text("text")),
        Some("error") => to.note(text("message")),
        Some("command_execution") => to.answers(text("aggregated_output"), has_failed),
        Some("mcp_tool_call") => {
            let error = item["error"]["message"].as_str().map(str::to_owned);
            to.answers(&error.unwrap_or_else(|| text_of(&item["result"]["content"])), has_failed);
        }
        Some("collab_tool_call") => to.answers(text("status"), has_failed),
        Some("file_change") => {
            for change in item["changes"].as_array().into_iter().flatten() {
                to.calls_with(change["kind"].as_str().unwrap_or("change"), change["path"].as_str().unwrap_or_default());
            }
            if has_failed {
                to.answers(text("status"), true);
            }
        }
        Some("web_search") => to.calls_with("web_search", text("query")),
        _ => {}
    }
}

/// Takes a command out of the shell that it is given to.
fn unwrapped(command: &str) -> &str {
    let inner = command.split_once(" -lc ").map_or(command, |(_, inner)| inner);
    let quoted = |quote: char| inner.strip_prefix(quote).and_then(|inner| inner.strip_suffix(quote));
    quoted('"').or_else(|| quoted('\'')).unwrap_or(inner)
}
