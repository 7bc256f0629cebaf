//! Owns the spans of tools that a session called: the journal holds none, so that they are told from the session's
//! transcript, as parts of the session's own span. Never reads one.

use sha2::{Digest as _, Sha256};

use super::who::named;
use crate::model::ids::AttemptId;
use crate::model::telemetry::{Attributes, Scalar, Span, SpanId, SpanKind, ToolCall};

/// Agents whose transcripts say which tools they called.
const CALLERS: [&str; 4] = ["llm", "claude", "codex", "acp"];

/// Gives the agent and the attempt that a span is of, where the agent's transcript says which tools it called.
pub fn calling_session(span: &Span) -> Option<(&str, AttemptId)> {
    let text = |key: &str| match span.attributes.get(key) {
        Some(Scalar::Text(text)) => Some(text.as_str()),
        Some(Scalar::Whole(_) | Scalar::Real(_)) | None => None,
    };
    let agent = text("gen_ai.agent.name").filter(|agent| CALLERS.contains(agent))?;
    Some((agent, text("artel.seat")?.parse().ok()?))
}

/// Tells the tools that the session of a span called, in order.
pub fn tool_spans(session: &Span, calls: &[ToolCall]) -> Vec<Span> {
    (1..).zip(calls).map(|(number, call)| tool_span(session, number, call)).collect()
}

fn tool_span(session: &Span, number: usize, call: &ToolCall) -> Span {
    let name = named(&call.name);
    let mut attributes = Attributes::from([
        ("gen_ai.operation.name", "execute_tool".into()),
        ("gen_ai.tool.name", name.as_str().into()),
        ("gen_ai.tool.call.id", named(&call.id).into()),
        ("gen_ai.tool.type", "function".into()),
    ]);
    let of_session = ["artel.run", "artel.seat", "artel.role", "gen_ai.agent.name", "gen_ai.agent.id"];
    attributes.extend(of_session.into_iter().filter_map(|key| Some((key, session.attributes.get(key)?.clone()))));
    if call.is_error {
        attributes.insert("error.type", "tool_error".into());
    }
    let mut hash = Sha256::new();
    hash.update(session.id);
    hash.update(format!("tool {number}"));
    let mut id = SpanId::default();
    id.copy_from_slice(&hash.finalize()[..8]);
    // The machine's clock may have been set meanwhile.
    let start_ms = call.from_ms.clamp(session.start_ms, session.end_ms);
    Span {
        trace: session.trace,
        id,
        parent: Some(session.id),
        name: format!("execute_tool {name}"),
        kind: SpanKind::Internal,
        start_ms,
        end_ms: call.to_ms.clamp(start_ms, session.end_ms),
        attributes,
        is_error: call.is_error,
    }
}
