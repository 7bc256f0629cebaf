//! Owns the APIs that the server speaks, and what is told alike or not in each: which it is, who asks for what, an error.

use serde_json::{Value, json};

use super::http::Request;

/// An API of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Api {
    /// Anthropic Messages.
    Anthropic,
    /// OpenAI Chat Completions.
    Chat,
    /// OpenAI Responses.
    Responses,
    /// Gemini `generateContent` and `streamGenerateContent`.
    Gemini,
}

impl Api {
    pub const ALL: [Self; 4] = [Self::Anthropic, Self::Chat, Self::Responses, Self::Gemini];

    /// Tells which one a request is for.
    pub fn of(request: &Request) -> Option<Self> {
        let path = request.path();
        if request.method != "POST" {
            None
        } else if path.ends_with("/messages") {
            Some(Self::Anthropic)
        } else if path.ends_with("/chat/completions") {
            Some(Self::Chat)
        } else if path.ends_with("/responses") {
            Some(Self::Responses)
        } else if path.contains(":generateContent") || path.contains(":streamGenerateContent") {
            Some(Self::Gemini)
        } else {
            None
        }
    }

    /// Tells whether the answer is asked for piece by piece.
    pub fn is_streamed(self, request: &Request, body: &Value) -> bool {
        match self {
            Self::Gemini => request.path().contains(":streamGenerateContent"),
            Self::Anthropic | Self::Chat | Self::Responses => body["stream"] == true,
        }
    }

    /// Names the model that is asked.
    pub fn model(self, request: &Request, body: &Value) -> String {
        let name = match self {
            Self::Gemini => {
                let named = request.path().split("/models/").nth(1).and_then(|rest| rest.split(':').next());
                named.or(body["model"].as_str())
            }
            Self::Anthropic | Self::Chat | Self::Responses => body["model"].as_str(),
        };
        name.unwrap_or_default().to_owned()
    }

    /// Gives the body with which the API refuses.
    pub fn refusal(self, status: u16) -> Value {
        let kind = match status {
            400 => "invalid_request_error",
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            429 => "rate_limit_error",
            503 | 529 => "overloaded_error",
            _ => "api_error",
        };
        self.error(status, kind)
    }

    /// Gives the body that tells an error of this kind.
    pub fn error(self, status: u16, kind: &str) -> Value {
        let message = format!("scripted {status}");
        match self {
            Self::Anthropic => {
                json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_scripted"})
            }
            Self::Gemini => {
                let word = match status {
                    429 => "RESOURCE_EXHAUSTED",
                    500 => "INTERNAL",
                    503 => "UNAVAILABLE",
                    _ => "UNKNOWN",
                };
                json!({"error": {"code": status, "message": message, "status": word}})
            }
            Self::Chat | Self::Responses => {
                json!({"error": {"message": message, "type": kind, "code": kind, "param": null}})
            }
        }
    }
}

/// Gives the credentials that a request carries, each with where it stood; of a bearer only what it bears.
pub fn credentials(request: &Request) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, value) in &request.headers {
        if ["x-api-key", "authorization", "api-key", "x-goog-api-key"].contains(&name.as_str()) {
            let value = value.strip_prefix("Bearer ").or(value.strip_prefix("bearer ")).unwrap_or(value);
            found.push((name.clone(), value.to_owned()));
        }
    }
    found.extend(request.parameter("key").map(|value| ("?key".to_owned(), value.to_owned())));
    found
}
