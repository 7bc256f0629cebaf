//! Owns what a vendor's own host is asked by who logs in there: what it tells of the user and of models, and the wrapping in
//! which Google has what its models are asked by a login. Never plays a turn.

use serde_json::{Value, json};

use super::answer::Answer;
use super::http::Request;

/// What stands before each method of Code Assist, which is Gemini by a login with Google.
const CODE_ASSIST: &str = "/v1internal:";

/// A model that Copilot's programs know.
pub const COPILOT_MODEL: &str = "claude-sonnet-4.6";

fn is_code_assist(request: &Request) -> bool {
    request.path().contains(CODE_ASSIST)
}

/// Gives what is asked of the model itself.
pub fn asked(request: &Request, mut body: Value) -> Value {
    if is_code_assist(request) { body["request"].take() } else { body }
}

/// Has an answer come back as the question came.
pub fn answered(request: &Request, mut answer: Answer) -> Answer {
    if is_code_assist(request) {
        answer.whole = json!({"response": answer.whole});
        for event in &mut answer.events {
            event.text = format!("{{\"response\":{}}}", event.text);
        }
    }
    answer
}

/// Answers what is asked beside the model; `None` where no vendor is asked.
pub fn beside(request: &Request) -> Option<Value> {
    let path = request.path();
    if path.ends_with("/copilot_internal/user") {
        let api = format!("http://{}", request.header("host").unwrap_or_default());
        return Some(json!({
            "login": "somebody", "copilot_plan": "individual", "chat_enabled": true, "cli_enabled": true,
            "organization_list": [], "quota_snapshots": {}, "endpoints": {"api": api, "telemetry": api, "proxy": api}
        }));
    }
    if path.ends_with("/models") && request.header("copilot-integration-id").is_some() {
        return Some(json!({"object": "list", "data": [copilot_model()]}));
    }
    if path.ends_with(":countTokens") || !is_code_assist(request) {
        return None;
    }
    let tier = json!({"id": "standard-tier", "name": "scripted", "hasOnboardedPreviously": true});
    Some(if path.ends_with(":loadCodeAssist") {
        json!({"currentTier": tier, "cloudaicompanionProject": "scripted"})
    } else {
        json!({})
    })
}

fn copilot_model() -> Value {
    let limits =
        json!({"max_context_window_tokens": 128_000, "max_output_tokens": 16_000, "max_prompt_tokens": 100_000});
    let supports = json!({"streaming": true, "tool_calls": true, "parallel_tool_calls": true});
    json!({
        "id": COPILOT_MODEL, "name": "scripted", "object": "model", "vendor": "Anthropic", "version": COPILOT_MODEL,
        "preview": false, "model_picker_enabled": true, "policy": {"state": "enabled", "terms": ""},
        "supported_endpoints": ["/chat/completions"], "billing": {"is_premium": false, "multiplier": 0},
        "capabilities": {
            "type": "chat", "family": COPILOT_MODEL, "tokenizer": "o200k_base", "object": "model_capabilities",
            "limits": limits, "supports": supports
        }
    })
}
