//! Holds what is told of all that was captured of agents, and of lines that harm. Never part of the product.

use std::fs;

use serde_json::json;

use super::{Form, LINE_BYTES, Teller};
use crate::model::inert::inert_lines;

const RUN: &str = "20261122-164932-aaaa";

fn told(form: Form, text: &str) -> String {
    let mut teller = Teller::new(form, RUN);
    assert_eq!(teller.hear_all(text.as_bytes()), text.len());
    teller.take()
}

/// Tells all that was captured of an agent, each session after its name.
fn captured(form: Form, folder: &str) -> String {
    let folder = format!("{}/tests/fixtures/transcripts/{folder}", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let tell = |file: &std::path::PathBuf| {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        format!("# {name}\n{}\n", told(form, &fs::read_to_string(file).unwrap()))
    };
    files.iter().map(tell).collect()
}

#[test]
fn what_claude_streams_is_told() {
    insta::assert_snapshot!(captured(Form::Claude, "claude"));
}

#[test]
fn what_codex_streams_is_told() {
    insta::assert_snapshot!(captured(Form::Codex, "codex"));
}

#[test]
fn what_agents_of_the_protocol_stream_is_told() {
    let mut told_all = captured(Form::Acp, "acp");
    let chunk = |kind: &str, text: &str| {
        let update = json!({"sessionUpdate": kind, "content": {"type": "text", "text": text}});
        json!({"from": {"method": "session/update", "params": {"update": update}}})
    };
    let lines = [
        chunk("agent_thought_chunk", "Whether\nit"),
        chunk("agent_thought_chunk", &" goes on".repeat(40)),
        chunk("agent_thought_chunk", "and on"),
        chunk("agent_message_chunk", "One sen"),
        chunk("agent_message_chunk", "tence,\nand an"),
        json!({"from": {"method": "session/update", "params": {"update": {"sessionUpdate": "usage_update"}}}}),
        chunk("agent_message_chunk", "other."),
        json!({"aside": "a warning"}),
        json!({"from": {"method": "session/request_permission", "params": {"toolCall": {"title": "Write a.txt"}}}}),
        json!({"artel": "acp-result", "stop_reason": "end_turn", "session": "s", "error": null,
            "usage": {"inputTokens": 1000, "outputTokens": 43}, "cost": {"amount": 0.0198, "currency": "USD"}}),
        json!({"artel": "acp-result", "stop_reason": null, "session": null, "usage": null, "cost": null,
            "error": {"code": null, "message": "the agent went away", "data": null}}),
    ];
    told_all.push_str("# pieces\n");
    told_all.push_str(&told(Form::Acp, &lines.map(|line| format!("{line}\n")).concat()));
    insta::assert_snapshot!(told_all);
}

#[test]
fn what_the_own_loop_notes_is_told() {
    let path = format!("/home/ada/.local/state/artel/trees/r/{RUN}/work/3/src/a.rs");
    let lines = [
        json!({"system": "You work.", "brief": "Mend it."}),
        json!({"answer": {"thought": "First\nlook.", "text": "I look.\nThen I mend.", "stop": "calls", "read": 10,
            "written": 5, "calls": [{"id": "1", "name": "read", "arguments": {"path": path, "from": 3}},
            {"id": "2", "name": "run", "arguments": {"command": ["cargo", "check"]}},
            {"id": "3", "name": "ask", "arguments": "{cut"}]}}),
        json!({"result": {"id": "1", "name": "read", "text": "fn a() {}\nfn b() {}\n", "is_error": false}}),
        json!({"result": {"id": "2", "name": "run", "text": "", "is_error": false}}),
        json!({"result": {"id": "3", "name": "ask", "text": "its arguments are no JSON", "is_error": true}}),
        json!({"unanswered": "overloaded"}),
        json!({"compacted": "4 results"}),
        json!({"reset": {"done": []}}),
        json!({"resumed": 7}),
        json!({"cut": "the record is longer than it may be"}),
        json!({"end": "failed", "why": "it was not done"}),
        json!({"end": "done"}),
        json!({"nothing": "that is known"}),
    ];
    insta::assert_snapshot!(told(Form::Llm, &lines.map(|line| format!("{line}\n")).concat()));
}

#[test]
fn what_is_no_event_is_told_as_it_is() {
    let text = "a warning\n\n[1]\n{\"type\":\"other\"}\n{\"type\":\n\"text\"\n{\"type\":\"assistant\",\"message\":7}\n";
    let as_it_is = "a warning\n[1]\n{\"type\":\"other\"}\n{\"type\":\n\"text\"\n";
    assert_eq!(told(Form::Claude, text), as_it_is);
    assert_eq!(Form::of("command:claude -p"), None);
    assert_eq!((Form::of("claude:opus"), Form::of("llm:x/y")), (Some(Form::Claude), Some(Form::Llm)));
}

#[test]
fn a_hostile_line_costs_no_more_than_its_length_and_becomes_no_more_than_text() {
    let event = |text: &str| json!({"type": "assistant", "message": {"content": [{"type": "text", "text": text}]}});
    let long = told(Form::Claude, &format!("{}\n", event(&"x".repeat(10 << 20))));
    assert_eq!(long, "· a line that is too long to be told\n");
    let cut = told(Form::Claude, &format!("{}\n", event(&"ä".repeat(400 << 10))));
    assert!(cut.len() < 40 << 10 && cut.ends_with("ä…\n"), "{} bytes", cut.len());
    let deep = format!("{{\"type\":\"assistant\",\"message\":{}\n", "[".repeat(200_000));
    let told_deep = told(Form::Claude, &deep);
    assert!(told_deep.starts_with("{\"type\"") && told_deep.len() < 40 << 10, "{} bytes", told_deep.len());
    // Many parts take no more room than they did.
    let call = json!({"type": "tool_use", "name": "\u{1b}[2J\nRead", "input": {"path": "a\u{202e}\nb"}});
    let many = format!("{}\n", json!({"type": "assistant", "message": {"content": vec![call; 5000]}}));
    assert!((many.len() as u64) < LINE_BYTES);
    let told_many = told(Form::Claude, &many);
    assert_eq!(told_many.lines().count(), 1, "one that is told twice is told once");
    assert!(!told_many.contains(['\u{1b}', '\u{202e}']), "{told_many}");
    // What is said is kept for who shows it, and is inert there.
    let said = told(Form::Claude, &format!("{}\n", event("\u{1b}[2J\u{202e}</pre>\r")));
    assert_eq!(inert_lines(&said), "\\x1b[2J\\u{202e}</pre>\n");
}
