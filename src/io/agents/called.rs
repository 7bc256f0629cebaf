//! Owns which tools an agent's own stream says that it called, when each began and when it came back. Never tells what one
//! was given or gave, and takes no more than a name for a name: a stranger wrote it.

use std::collections::BTreeMap;
use std::io::BufRead;

use serde_json::Value;

use super::claude::parts;
use super::lines::each_event_at;
use crate::model::telemetry::ToolCall;

/// Calls that are told of one session.
const CALLS_MOST: usize = 2000;
/// Longest name of a tool or a call, in bytes.
const NAME_BYTES: usize = 100;
/// A tool whose name is none.
const OTHER: &str = "other";
/// Items of Codex that are calls of tools.
const CODEX: [&str; 5] = ["command_execution", "file_change", "mcp_tool_call", "web_search", "collab_tool_call"];
/// Kinds of tools that the Agent Client Protocol knows.
const KINDS: [&str; 9] = ["read", "edit", "delete", "move", "search", "execute", "think", "fetch", "switch_mode"];

/// Says whose stream one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Claude Code's.
    Claude,
    /// Codex's.
    Codex,
    /// That of artel's client of the Agent Client Protocol.
    Acp,
}

impl Stream {
    /// Gives the stream of an agent of that name; nothing where an agent tells of no tools.
    pub fn of(agent: &str) -> Option<Self> {
        match agent {
            "claude" => Some(Self::Claude),
            "codex" => Some(Self::Codex),
            "acp" => Some(Self::Acp),
            _ => None,
        }
    }

    /// Lists the tools that a session called, in the order in which they began; one that never came back lasts to its end.
    /// `at` tells when the stream had grown to a length.
    pub fn tools_called(self, from: impl BufRead, at: impl Fn(u64) -> Option<i64>) -> Vec<ToolCall> {
        let mut calls = Calls::default();
        each_event_at(from, |event, length| {
            let Some(at_ms) = at(length) else { return };
            match self {
                Self::Claude => calls.hear_claude(&event, at_ms),
                Self::Codex => calls.hear_codex(&event, at_ms),
                Self::Acp => calls.hear_acp(&event, at_ms),
            }
        });
        calls.all
    }
}

/// Gathers calls.
#[derive(Debug, Default)]
struct Calls {
    all: Vec<ToolCall>,
    /// Where each is, by the name that its agent gave it; of one that came back nothing.
    places: BTreeMap<String, Option<usize>>,
    /// Whether the client has asked for anything: what is heard before that is of an earlier session.
    is_asked: bool,
}

impl Calls {
    fn begin(&mut self, id: &Value, name: Option<&str>, at_ms: i64) {
        let Some(id) = named(id.as_str()) else { return };
        if self.all.len() >= CALLS_MOST || self.places.contains_key(id) {
            return;
        }
        self.places.insert(id.to_owned(), Some(self.all.len()));
        let name = named(name).unwrap_or(OTHER).to_owned();
        // Until it comes back it lasts as long as its session, and has not done what it was to do.
        self.all.push(ToolCall { id: id.to_owned(), name, from_ms: at_ms, to_ms: i64::MAX, is_error: true });
    }

    fn come_back(&mut self, id: &Value, at_ms: i64, is_error: bool) {
        let place = id.as_str().and_then(|id| self.places.get_mut(id)).and_then(Option::take);
        if let Some(call) = place.and_then(|place| self.all.get_mut(place)) {
            (call.to_ms, call.is_error) = (at_ms, is_error);
        }
    }

    fn hear_claude(&mut self, event: &Value, at_ms: i64) {
        match event["type"].as_str() {
            Some("assistant") => {
                parts(event, "tool_use").for_each(|call| self.begin(&call["id"], call["name"].as_str(), at_ms));
            }
            Some("user") => parts(event, "tool_result")
                .for_each(|answer| self.come_back(&answer["tool_use_id"], at_ms, answer["is_error"] == true)),
            _ => {}
        }
    }

    fn hear_codex(&mut self, event: &Value, at_ms: i64) {
        let item = &event["item"];
        let Some(kind) = item["type"].as_str().filter(|kind| CODEX.contains(kind)) else { return };
        let name = if kind == "mcp_tool_call" { item["tool"].as_str() } else { Some(kind) };
        match event["type"].as_str() {
            Some("item.started") => self.begin(&item["id"], name, at_ms),
            Some("item.completed") => {
                // Some are told only when they are over.
                self.begin(&item["id"], name, at_ms);
                let has_failed = matches!(item["status"].as_str(), Some("failed" | "declined"))
                    || item["exit_code"].as_i64().is_some_and(|code| code != 0);
                self.come_back(&item["id"], at_ms, has_failed);
            }
            _ => {}
        }
    }

    fn hear_acp(&mut self, event: &Value, at_ms: i64) {
        self.is_asked |= event["to"]["method"] == "session/prompt";
        let update = &event["from"]["params"]["update"];
        let id = &update["toolCallId"];
        if !self.is_asked || event["from"]["method"] != "session/update" {
            return;
        }
        match update["sessionUpdate"].as_str() {
            Some("tool_call") => self.begin(id, Some(tool_of(update)), at_ms),
            Some("tool_call_update") => {}
            _ => return,
        }
        match update["status"].as_str() {
            Some("completed") => self.come_back(id, at_ms, false),
            Some("failed") => self.come_back(id, at_ms, true),
            _ => {}
        }
    }
}

/// Names the tool of a call by the name that agents give beside the protocol, else by its kind: a title holds what the tool
/// was given.
pub(super) fn tool_of(update: &Value) -> &str {
    let beside = update["_meta"].as_object().into_iter().flat_map(|meta| meta.values());
    let mut beside = beside.filter_map(|of| of["toolName"].as_str().or_else(|| of["toolCall"]["toolName"].as_str()));
    let named_so = named(update["name"].as_str()).or_else(|| named(beside.next()));
    let kind = update["kind"].as_str().filter(|kind| KINDS.contains(kind));
    named_so.or(kind).unwrap_or(OTHER)
}

/// Gives a name that looks like one.
fn named(text: Option<&str>) -> Option<&str> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
    text.filter(|text| !text.is_empty() && text.len() <= NAME_BYTES && text.chars().all(is_of_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name of a tool, from when to when it was at work, and whether it failed.
    type Told = (String, i64, i64, bool);

    /// Reads a transcript whose every byte is one millisecond younger than the one before.
    fn read(stream: Stream, text: &str) -> Vec<Told> {
        let calls = stream.tools_called(text.as_bytes(), |length| i64::try_from(length).ok());
        calls.into_iter().map(|call| (call.name, call.from_ms, call.to_ms, call.is_error)).collect()
    }

    fn of(stream: Stream, name: &str) -> (String, Vec<Told>) {
        let path = format!("{}/tests/fixtures/transcripts/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let read = read(stream, &text);
        (text, read)
    }

    /// Gives the length of a text up to the end of the line that holds a word.
    fn end_of(text: &str, word: &str) -> i64 {
        let at = text.find(word).unwrap_or_else(|| panic!("no {word}"));
        i64::try_from(at + text[at..].find('\n').unwrap() + 1).unwrap()
    }

    #[test]
    fn the_tools_of_captured_sessions_are_told_from_their_call_to_their_answer() {
        let (text, told) = of(Stream::Claude, "claude/success");
        let (from, to) = (end_of(&text, "\"type\":\"tool_use\""), end_of(&text, "\"type\":\"tool_result\""));
        assert_eq!(told, [("Write".to_owned(), from, to, false)]);
        let (text, told) = of(Stream::Codex, "codex/success");
        let (from, to) = (end_of(&text, "\"item.started\""), end_of(&text, "\"status\":\"completed\""));
        assert_eq!(told, [("command_execution".to_owned(), from, to, false)]);
        // Agents of the protocol, each in its own way of it.
        for (name, tool, is_error) in [
            ("acp/claude", "Write", false),
            ("acp/gemini", "edit", true),
            ("acp/goose", "write", false),
            ("acp/opencode", "edit", false),
        ] {
            let (text, told) = of(Stream::Acp, name);
            let ended = if is_error { "\"failed\"" } else { "\"completed\"" };
            let (from, to) = (end_of(&text, "\"tool_call\""), end_of(&text, ended));
            assert_eq!(told.first(), Some(&(tool.to_owned(), from, to, is_error)), "{name}");
        }
    }

    #[test]
    fn a_tool_that_never_came_back_lasts_to_the_end_and_has_failed() {
        let text = "{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"Bash\"}]}}\n";
        assert_eq!(read(Stream::Claude, text), [("Bash".to_owned(), text.len() as i64, i64::MAX, true)]);
        let failed = "{\"type\":\"user\",\"message\":{\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"a\",\"is_error\":true}]}}\n";
        let whole = format!("{text}{failed}{failed}");
        let ended = (text.len() + failed.len()) as i64;
        assert_eq!(read(Stream::Claude, &whole), [("Bash".to_owned(), text.len() as i64, ended, true)]);
    }

    #[test]
    fn what_is_no_name_is_not_told_and_what_an_earlier_session_did_is_not_of_this_one() {
        let call = |id: &str, more: &str| {
            format!(
                "{{\"from\":{{\"method\":\"session/update\",\"params\":{{\"update\":{{\"sessionUpdate\":\"tool_call\",\"toolCallId\":\"{id}\",\"title\":\"cat /etc/passwd\"{more}}}}}}}}}\n"
            )
        };
        let asked = "{\"to\":{\"method\":\"session/prompt\"}}\n";
        let mut text = call("old", ",\"kind\":\"read\"");
        text.push_str(asked);
        text.push_str(&call("one", ",\"kind\":\"cat /etc/passwd\""));
        text.push_str(&call("two", ",\"name\":\"cat /etc/passwd\",\"kind\":\"read\""));
        text.push_str(&call("of /etc/passwd", ",\"kind\":\"read\""));
        let names: Vec<String> = read(Stream::Acp, &text).into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names, ["other", "read"]);
        let item = |kind: &str| {
            format!(
                "{{\"type\":\"item.completed\",\"item\":{{\"id\":\"{kind}\",\"type\":\"{kind}\",\"tool\":\"rm -rf /\",\"exit_code\":1}}}}\n"
            )
        };
        let text = ["mcp_tool_call", "agent_message", "file_change"].map(item).concat();
        let told: Vec<(String, bool)> = read(Stream::Codex, &text).into_iter().map(|it| (it.0, it.3)).collect();
        assert_eq!(told, [("other".to_owned(), true), ("file_change".to_owned(), true)]);
    }

    #[test]
    fn no_stream_tells_more_than_is_taken_and_none_that_is_not_timed() {
        let item =
            |n: usize| format!("{{\"type\":\"item.started\",\"item\":{{\"id\":\"i{n}\",\"type\":\"web_search\"}}}}\n");
        let text: String = (0..CALLS_MOST + 10).map(item).collect();
        assert_eq!(read(Stream::Codex, &text).len(), CALLS_MOST);
        assert_eq!(Stream::Codex.tools_called(text.as_bytes(), |_| None), []);
        assert_eq!(
            (Stream::of("claude"), Stream::of("command"), Stream::of("llm")),
            (Some(Stream::Claude), None, None)
        );
    }
}
