//! Owns what the gateway says itself: refusals in the form of each API, lists of models, and that somebody is there.
//! Never passes on what a provider said.

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::json;

use super::body::Answer;
use super::config::Family;
use super::refusal::Refusal;

/// Says no.
pub(super) fn refusal(family: Option<Family>, refusal: &Refusal, now_ms: i64) -> Response<Answer> {
    let mut response = error(family, refusal.status(), refusal.code(), &format!("artel: {refusal}"));
    let headers = response.headers_mut();
    match refusal {
        Refusal::Limited { .. } if family == Some(Family::OpenAi) => end_session(headers),
        Refusal::Limited { until_ms } => {
            let seconds = until_ms.saturating_sub(now_ms).max(0) as u64;
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.div_ceil(1000)));
        }
        Refusal::BudgetReached { .. }
        | Refusal::Calls { .. }
        | Refusal::Tokens { .. }
        | Refusal::Money { .. }
        | Refusal::Repeats { .. }
        | Refusal::Errors { .. }
        | Refusal::SpendRate { .. }
        | Refusal::Model { .. }
        | Refusal::Unpriced { .. }
        | Refusal::Extra { .. }
        | Refusal::NoKey { .. }
        | Refusal::KeyRefused { .. }
        | Refusal::Forbidden { .. }
        | Refusal::OutOfCredit { .. }
        | Refusal::Egress { .. }
        | Refusal::Stray { .. }
        | Refusal::Closed => {
            headers.insert("x-should-retry", HeaderValue::from_static("false"));
        }
    }
    response
}

/// Has a client end at a limit of hours: clients of OpenAI's API sleep through any time that they are told, until they are
/// ended for their silence.
pub(super) fn end_session(headers: &mut HeaderMap) {
    headers.remove(RETRY_AFTER);
    headers.remove("retry-after-ms");
    headers.insert("x-should-retry", HeaderValue::from_static("false"));
}

/// Says that a provider could not be reached, which may pass.
pub(super) fn unreached(family: Family, why: &str) -> Response<Answer> {
    error(Some(family), 502, "unreached", &format!("artel: {why}"))
}

fn error(family: Option<Family>, status: u16, code: &str, message: &str) -> Response<Answer> {
    let kind = match status {
        401 => "authentication_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    let body = match family {
        Some(Family::Anthropic) => json!({"type": "error", "error": {"type": kind, "message": message}}),
        Some(Family::OpenAi) | None => {
            json!({"error": {"message": message, "type": kind, "code": code, "param": null}})
        }
        Some(Family::Gemini) => {
            let word = match status {
                401 => "UNAUTHENTICATED",
                404 => "NOT_FOUND",
                429 => "RESOURCE_EXHAUSTED",
                500.. => "UNAVAILABLE",
                _ => "FAILED_PRECONDITION",
            };
            json!({"error": {"code": status, "message": message, "status": word}})
        }
    };
    answer(status, &body)
}

/// Lists models.
pub(super) fn models(family: Family, names: &[String]) -> Response<Answer> {
    let body = match family {
        Family::Anthropic => {
            let each = |id: &String| json!({"id": id, "type": "model", "display_name": id, "created_at": "2025-01-01T00:00:00Z"});
            let data: Vec<_> = names.iter().map(each).collect();
            json!({"data": data, "has_more": false, "first_id": names.first(), "last_id": names.last()})
        }
        Family::OpenAi => {
            let each = |id: &String| json!({"id": id, "object": "model", "created": 1, "owned_by": "artel"});
            let data: Vec<_> = names.iter().map(each).collect();
            json!({"object": "list", "data": data})
        }
        Family::Gemini => {
            let methods = ["generateContent", "countTokens"];
            let each = |id: &String| json!({"name": format!("models/{id}"), "displayName": id, "supportedGenerationMethods": methods});
            let models: Vec<_> = names.iter().map(each).collect();
            json!({ "models": models })
        }
    };
    answer(200, &body)
}

/// Says that somebody is there.
pub(super) fn hello() -> Response<Answer> {
    answer(200, &json!({}))
}

fn answer(status: u16, body: &serde_json::Value) -> Response<Answer> {
    let mut response = Response::new(Answer::whole(Bytes::from(body.to_string())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
